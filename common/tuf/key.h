// Ed25519 keys (RFC 8032), made and used by OpenSSL, and their names.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/certificate.h"

namespace gleaner::tuf {

// What a signature is checked with. `id` is the SHA-256 of the key's canonical form in hexadecimal,
// as TUF names keys.
struct PublicKey {
  std::string id;
  std::array<uint8_t, 32> bytes{};

  static PublicKey Of(const std::array<uint8_t, 32>& bytes);
  // A file of `gleaner release keygen`: {"keytype","scheme","keyval"}. `from` says in errors where
  // it is from.
  static absl::StatusOr<PublicKey> Parse(std::string_view text, std::string_view from);
  // One line of JSON.
  std::string ToText() const;

  // Whether `signature` (64 bytes) is this key's of `message`.
  bool Verifies(std::string_view message, std::string_view signature) const;
};

// What signs. Its bytes leave it only by ToPem. Movable; not thread-safe.
class PrivateKey {
 public:
  static absl::StatusOr<PrivateKey> Generate();
  // INVALID_ARGUMENT if `pem` holds no Ed25519 key without a pass phrase.
  static absl::StatusOr<PrivateKey> Parse(std::string_view pem, std::string_view from);
  // From a file that only its owner may read (ReadSecret). INVALID_ARGUMENT, with the name of the
  // private one, if it is the public half.
  static absl::StatusOr<PrivateKey> Read(const std::string& path);

  const PublicKey& public_key() const { return public_; }
  std::string ToPem() const;
  // 64 bytes.
  absl::StatusOr<std::string> Sign(std::string_view message) const;

 private:
  static absl::StatusOr<PrivateKey> Of(KeyPtr key, std::string_view from);

  KeyPtr key_;
  PublicKey public_;
};

}  // namespace gleaner::tuf
