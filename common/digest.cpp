#include "common/digest.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <utility>

#include "absl/strings/escaping.h"

namespace gleaner {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_, EVP_sha256(), nullptr);
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
  EVP_DigestInit_ex(context_, EVP_sha256(), nullptr);
  return digest;
}

Sha256Digest Sha256::Of(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

uint64_t Xxh3(const void* data, size_t size) { return XXH3_64bits(data, size); }

std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString({bytes.data(), bytes.size()});
}

}  // namespace gleaner
