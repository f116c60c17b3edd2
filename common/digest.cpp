#include "common/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <xxhash.h>
#if defined(__x86_64__)
// The library for every x86 has SSE2 only; this finds out what else the processor has, once.
#include <xxh_x86dispatch.h>
#endif

#include <utility>

#include "absl/strings/escaping.h"

namespace gleaner {
namespace {

// EVP_sha256() would look it up anew for each hash.
const EVP_MD* Sha256Algorithm() {
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return sha256;
}

// XXH3's AVX2 and AVX-512 code returns with the upper halves of the vector registers in use. Until
// somebody clears them, instructions in the older encoding are slow on that thread, and SHA-256's
// are such: measured 1.25 ms instead of 0.85 ms a MiB.
void ClearUpperHalves() {
#if defined(__x86_64__)
  static const bool has_avx = __builtin_cpu_supports("avx");
  if (has_avx) asm volatile("vzeroupper" ::: "memory");
#endif
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_, Sha256Algorithm(), nullptr);
}
Sha256::~Sha256() { EVP_MD_CTX_free(context_); }
Sha256::Sha256(Sha256&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
Sha256& Sha256::operator=(Sha256&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}

void Sha256::Update(const void* data, size_t size) { EVP_DigestUpdate(context_, data, size); }

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  EVP_DigestFinal_ex(context_, digest.data(), nullptr);
  EVP_DigestInit_ex(context_, Sha256Algorithm(), nullptr);
  return digest;
}

Sha256Digest Sha256::Of(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

Sha256Digest HmacSha256(std::string_view key, std::string_view message) {
  Sha256Digest mac{};
  ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(message.data()), message.size(), mac.data(),
         nullptr);
  return mac;
}

uint64_t Xxh3(const void* data, size_t size) {
  const uint64_t sum = XXH3_64bits(data, size);
  ClearUpperHalves();
  return sum;
}

uint64_t Xxh3(std::span<const struct iovec> parts) {
  if (parts.size() == 1) return Xxh3(parts[0].iov_base, parts[0].iov_len);
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              &XXH3_freeState);
  XXH3_64bits_reset(state.get());
  for (const struct iovec& part : parts) {
    XXH3_64bits_update(state.get(), part.iov_base, part.iov_len);
  }
  const uint64_t sum = XXH3_64bits_digest(state.get());
  ClearUpperHalves();
  return sum;
}

std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString({bytes.data(), bytes.size()});
}

}  // namespace gleaner
