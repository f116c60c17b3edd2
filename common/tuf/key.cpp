#include "common/tuf/key.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <memory>

#include "absl/strings/escaping.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/status.h"
#include "common/tuf/document.h"
#include "common/tuf/hex.h"

namespace gleaner::tuf {
namespace {

constexpr size_t kMaxFileBytes = 64 * 1024;

struct ContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<EVP_MD_CTX, ContextFree>;

nlohmann::json Form(const std::array<uint8_t, 32>& bytes) {
  const std::string_view raw(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return {{"keytype", "ed25519"}, {"scheme", "ed25519"}, {"keyval", {{"public", Hex(raw)}}}};
}

absl::Status NotAKey(std::string_view from) {
  return absl::InvalidArgumentError(
      fmt::format("{}: holds no public key as `gleaner release keygen` writes them", from));
}

absl::Status ThePublicHalf(std::string_view path) {
  constexpr std::string_view kEnd = ".pub";
  const std::string what = fmt::format("{}: is the public half of a key", path);
  if (!path.ends_with(kEnd) || path.size() == kEnd.size()) {
    return absl::InvalidArgumentError(what + "; only the private half, the other file, signs");
  }
  path.remove_suffix(kEnd.size());
  return absl::InvalidArgumentError(
      fmt::format("{}; the private half, which signs, is {}", what, path));
}

}  // namespace

PublicKey PublicKey::Of(const std::array<uint8_t, 32>& bytes) {
  return {.id = Hex(AsBytes(Sha256::Of(Canonical(Form(bytes))))), .bytes = bytes};
}

absl::StatusOr<PublicKey> PublicKey::Parse(std::string_view text, std::string_view from) {
  ASSIGN_OR_RETURN(const nlohmann::json form, ParseDocument(text, from));
  if (!form.is_object() || !form.contains("keyval") || !form["keyval"].is_object() ||
      !form["keyval"].contains("public") || !form["keyval"]["public"].is_string()) {
    return NotAKey(from);
  }
  std::array<uint8_t, 32> bytes{};
  if (!ReadHex(form["keyval"]["public"].get_ref<const std::string&>(), bytes) ||
      form != Form(bytes)) {
    return NotAKey(from);
  }
  return Of(bytes);
}

std::string PublicKey::ToText() const { return Canonical(Form(bytes)) + "\n"; }

bool PublicKey::Verifies(std::string_view message, std::string_view signature) const {
  const KeyPtr key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size()));
  const ContextPtr context(EVP_MD_CTX_new());
  const bool good =
      key != nullptr && context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const uint8_t*>(signature.data()),
                       signature.size(), reinterpret_cast<const uint8_t*>(message.data()),
                       message.size()) == 1;
  ERR_clear_error();
  return good;
}

absl::StatusOr<PrivateKey> PrivateKey::Of(KeyPtr key, std::string_view from) {
  PrivateKey made;
  std::array<uint8_t, 32> bytes{};
  size_t size = bytes.size();
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_public_key(key.get(), bytes.data(), &size) != 1 || size != bytes.size()) {
    ERR_clear_error();
    return absl::InvalidArgumentError(
        fmt::format("{}: is not an Ed25519 key; `gleaner release keygen` makes them", from));
  }
  made.key_ = std::move(key);
  made.public_ = PublicKey::Of(bytes);
  return made;
}

absl::StatusOr<PrivateKey> PrivateKey::Generate() {
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (key == nullptr) {
    ERR_clear_error();
    return absl::InternalError("OpenSSL can't make an Ed25519 key");
  }
  return Of(std::move(key), "the new key");
}

absl::StatusOr<PrivateKey> PrivateKey::Parse(std::string_view pem, std::string_view from) {
  ASSIGN_OR_RETURN(KeyPtr key, ParsePrivateKey(pem, from));
  return Of(std::move(key), from);
}

absl::StatusOr<PrivateKey> PrivateKey::Read(const std::string& path) {
  const absl::StatusOr<std::string> pem = ReadSecret(path, kMaxFileBytes);
  // The public half lies beside it and is for everyone: that it was taken for the private one is
  // what to say, not that everyone can read it.
  const absl::StatusOr<std::string> text =
      absl::IsPermissionDenied(pem.status()) ? ReadFile(path, kMaxFileBytes) : pem;
  if (text.ok() && PublicKey::Parse(*text, path).ok()) return ThePublicHalf(path);
  if (!pem.ok()) return pem.status();
  return Parse(*pem, path);
}

std::string PrivateKey::ToPem() const {
  const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), &BIO_free);
  char* text = nullptr;
  if (PEM_write_bio_PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    ERR_clear_error();
    return "";
  }
  const long size = BIO_get_mem_data(out.get(), &text);  // NOLINT(google-runtime-int): OpenSSL's
  return {text, static_cast<size_t>(size)};
}

absl::StatusOr<std::string> PrivateKey::Sign(std::string_view message) const {
  const ContextPtr context(EVP_MD_CTX_new());
  std::string signature(64, '\0');
  size_t size = signature.size();
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<uint8_t*>(signature.data()), &size,
                     reinterpret_cast<const uint8_t*>(message.data()), message.size()) != 1 ||
      size != signature.size()) {
    ERR_clear_error();
    return absl::InternalError("OpenSSL can't sign with this key");
  }
  return signature;
}

}  // namespace gleaner::tuf
