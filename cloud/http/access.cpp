#include "cloud/http/access.h"

#include <fmt/format.h>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kCookieName = "gleaner_session";

}  // namespace

std::string Access::CookieOf(const HttpRequest& request) {
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

bool Access::HostIsRight(const HttpRequest& request) const {
  std::string host = request.headers.Get("Host");
  const size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    host.resize(colon);
  }
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host == listen_.host;
}

absl::StatusOr<Principal> Access::WhoAsks(const HttpRequest& request) {
  if (IsOpen()) {
    if (HostIsRight(request)) return Principal{.name = Tokens::kLocal, .role = v1::ROLE_ADMIN};
    return absl::PermissionDeniedError(
        "without a token this server answers to localhost, 127.0.0.1, [::1] and the address it "
        "listens on only");
  }
  static constexpr std::string_view kBearer = "Bearer ";
  const std::string& authorization = request.headers.Get("Authorization");
  // A scheme's name has no case (RFC 9110, 11.1).
  if (absl::StartsWithIgnoreCase(authorization, {kBearer.data(), kBearer.size()})) {
    return authenticator_.WhoShows(std::string_view(authorization).substr(kBearer.size()));
  }
  const std::string cookie = CookieOf(request);
  if (!cookie.empty()) return sessions_.WhoHas(cookie);
  return absl::UnauthenticatedError("no token");
}

std::string Access::SetCookie(std::string_view cookie, bool secure) {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}", kCookieName, cookie,
                     Sessions::kDays * 24 * 3600, secure ? "; Secure" : "");
}

std::string Access::ForgetCookie() {
  return fmt::format("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", kCookieName);
}

}  // namespace gleaner::cloud
