#include "cloud/http/access.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

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

std::string CookieOf(const httplib::Request& request) {
  const std::string header = request.get_header_value("Cookie");
  for (const auto& piece : absl::StrSplit(header, ';')) {
    std::string_view item(piece.data(), piece.size());
    while (item.starts_with(' ')) item.remove_prefix(1);
    if (item.starts_with(kCookieName) && item.substr(kCookieName.size()).starts_with('=')) {
      return std::string(item.substr(kCookieName.size() + 1));
    }
  }
  return "";
}

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

constexpr std::string_view kLoginPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Gleaner</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; }}
form {{ width: min(22rem, calc(100vw - 3rem)); display: grid; gap: .75rem; }}
h1 {{ font-size: 1.25rem; margin: 0; }}
p {{ margin: 0; opacity: .75; }}
p[role=alert] {{ opacity: 1; color: #c9403a; }}
input, button {{ font: inherit; padding: .6rem .75rem; border-radius: .4rem; border: 1px solid #8886; }}
button {{ border: 0; background: #0f766e; color: #fff; cursor: pointer; }}
:focus-visible {{ outline: 2px solid #0f766e; outline-offset: 2px; }}
</style>
</head>
<body>
<form method="post" action="/login">
<h1>Gleaner</h1>
<label for="token">This server asks for its access token. Whoever set it up has it in the server's configuration.</label>
{}<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<input type="hidden" name="next" value="{}">
<button>Sign in</button>
</form>
</body>
</html>
)html";

}  // namespace

Access::Access(std::string token)
    : token_(std::move(token)), session_(token_.empty() ? "" : SessionOf(token_)) {}

bool Access::HostIsRight(const httplib::Request& request) const {
  if (has_token()) return true;
  std::string host = request.get_header_value("Host");
  const size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    host.resize(colon);
  }
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

bool Access::IsToken(std::string_view text) const {
  return has_token() && SameSecret(text, token_);
}

bool Access::IsAllowed(const httplib::Request& request) const {
  if (!has_token()) return true;
  static constexpr std::string_view kBearer = "Bearer ";
  const std::string authorization = request.get_header_value("Authorization");
  if (authorization.starts_with(kBearer)) {
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

std::string SafeReturnPath(const std::string& path) {
  // "//host" and "/\host" are other servers to a browser.
  const bool local = path.starts_with('/') && !path.starts_with("//") &&
                     path.find('\\') == std::string::npos && path.size() <= 2048;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "/";
  }
  return local ? path : "/";
}

std::string LoginPage(const std::string& return_path, bool refused) {
  return fmt::format(kLoginPage, refused ? "<p role=\"alert\">That is not the token.</p>\n" : "",
                     EscapeHtml(return_path));
}

}  // namespace gleaner::cloud
