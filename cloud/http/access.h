// Who may use the page and the gateway.
//
//  - With a token: `Authorization: Bearer TOKEN`, or the cookie that POST /login gives for it. The
//  cookie is not the token but an HMAC keyed with it, so that a stolen cookie jar
//    doesn't hold what scripts use; it is HttpOnly and SameSite=Strict, which also keeps other
//    sites from sending requests with it.
//  - Without one the server listens on loopback only, and the Host header must name loopback or the
//  address that it listens on: a web site that points its own name at 127.0.0.1 (DNS rebinding) is
//  refused.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/http/http_message.h"

namespace gleaner::cloud {

inline constexpr size_t kMinTokenBytes = 16;

// Thread-safe.
class Access {
 public:
  // `token`: empty for none. `host`: the literal address that the server listens on.
  Access(std::string token, std::string host);

  bool has_token() const { return !token_.empty(); }

  // The Host header is one that this server answers to.
  bool HostIsRight(const HttpRequest& request) const;
  // The request carries the token or the cookie; always true where there is no token.
  bool IsAllowed(const HttpRequest& request) const;
  // In constant time.
  bool IsToken(std::string_view text) const;
  // The Set-Cookie value for someone who showed the token; over HTTPS (a proxy in front says so)
  // also Secure.
  std::string Cookie(bool secure) const;
  static std::string ForgetCookie();

 private:
  const std::string token_;
  const std::string host_;
  const std::string session_;
};

}  // namespace gleaner::cloud
