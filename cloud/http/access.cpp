#include "cloud/http/access.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "common/digest.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kCookieName = "gleaner_session";
constexpr int kCookieDays = 30;

std::string SessionOf(const std::string& token) {
  static constexpr std::string_view kPurpose = "gleaner session cookie v1";
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), token.data(), static_cast<int>(token.size()),
       reinterpret_cast<const unsigned char*>(kPurpose.data()), kPurpose.size(), mac, &size);
  return Hex({reinterpret_cast<const char*>(mac), size});
}

// Compares digests, so that neither the time nor the length tells anything.
bool SameSecret(std::string_view a, std::string_view b) {
  const Sha256Digest left = Sha256::Of(a), right = Sha256::Of(b);
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

std::string CookieOf(const HttpRequest& request) {
  const std::string header = request.headers.Get("Cookie");
  for (const auto& piece : absl::StrSplit(header, ';')) {
    std::string_view item(piece.data(), piece.size());
    while (item.starts_with(' ')) item.remove_prefix(1);
    if (item.starts_with(kCookieName) && item.substr(kCookieName.size()).starts_with('=')) {
      return std::string(item.substr(kCookieName.size() + 1));
    }
  }
  return "";
}

}  // namespace

Access::Access(std::string token, std::string host)
    : token_(std::move(token)),
      host_(std::move(host)),
      session_(token_.empty() ? "" : SessionOf(token_)) {}

bool Access::HostIsRight(const HttpRequest& request) const {
  if (has_token()) return true;
  std::string host = request.headers.Get("Host");
  const size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    host.resize(colon);
  }
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host == host_;
}

bool Access::IsToken(std::string_view text) const {
  return has_token() && SameSecret(text, token_);
}

bool Access::IsAllowed(const HttpRequest& request) const {
  if (!has_token()) return true;
  static constexpr std::string_view kBearer = "Bearer ";
  const std::string& authorization = request.headers.Get("Authorization");
  // A scheme's name has no case (RFC 9110, 11.1).
  if (absl::StartsWithIgnoreCase(authorization, {kBearer.data(), kBearer.size()})) {
    return IsToken(std::string_view(authorization).substr(kBearer.size()));
  }
  const std::string cookie = CookieOf(request);
  return !cookie.empty() && SameSecret(cookie, session_);
}

std::string Access::Cookie(bool secure) const {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}", kCookieName,
                     session_, kCookieDays * 24 * 3600, secure ? "; Secure" : "");
}

std::string Access::ForgetCookie() {
  return fmt::format("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", kCookieName);
}

}  // namespace gleaner::cloud
