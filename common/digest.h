// SHA-256 for identity (objects, manifests), XXH3-64 for blocks. OpenSSL and xxHash do the work.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace gleaner {

using Sha256Digest = std::array<uint8_t, 32>;

inline std::string_view AsBytes(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Incremental SHA-256. Movable, not copyable, not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(const void* data, size_t size);
  void Update(std::string_view bytes) { Update(bytes.data(), bytes.size()); }
  // Ends the hash; the object starts anew and may be used again.
  Sha256Digest Finish();

  static Sha256Digest Of(std::string_view bytes);

 private:
  evp_md_ctx_st* context_;
};

// Says that who made it has the key (RFC 2104).
Sha256Digest HmacSha256(std::string_view key, std::string_view message);

// XXH3-64 with seed 0; of several parts, that of one after the other.
uint64_t Xxh3(const void* data, size_t size);
uint64_t Xxh3(std::span<const struct iovec> parts);
inline uint64_t Xxh3(std::string_view bytes) { return Xxh3(bytes.data(), bytes.size()); }

// Lower-case hexadecimal.
std::string Hex(std::string_view bytes);

}  // namespace gleaner
