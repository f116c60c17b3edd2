// Who asks for something over HTTP.
//
//  - `Authorization: Bearer TOKEN`, or the cookie of a session, which POST /login gives for a token
//    (access/sessions.h); it is HttpOnly and SameSite=Strict, which also keeps other sites from
//    sending requests with it.
//  - On a server that listens on loopback only and has no token at all, whoever asks is "local", an
//    admin. The Host header must name loopback or the address that it listens on then: a web site
//    that points its own name at 127.0.0.1 (DNS rebinding) is refused.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/access/authenticator.h"
#include "cloud/access/sessions.h"
#include "cloud/access/tokens.h"
#include "cloud/http/http_message.h"
#include "cloud/net/listen_address.h"

namespace gleaner::cloud {

// Of a token in the configuration.
inline constexpr size_t kMinTokenBytes = 16;

// Thread-safe; blocks.
class Access {
 public:
  // Both must outlive it. `listen`: where the server does.
  Access(Tokens& tokens, Sessions& sessions, const ListenAddress& listen)
      : tokens_(tokens), authenticator_(tokens), sessions_(sessions), listen_(listen) {}

  // Whoever asks is local: there is nothing to sign in with.
  bool IsOpen() { return listen_.IsLoopback() && !tokens_.any(); }
  // UNAUTHENTICATED for a secret that is nobody's, and without any; PERMISSION_DENIED for a Host
  // that this server doesn't answer to; other errors where it can't be found out.
  absl::StatusOr<Principal> WhoAsks(const HttpRequest& request);

  // What the session's cookie holds; empty without one.
  static std::string CookieOf(const HttpRequest& request);
  // The Set-Cookie value of a session; over HTTPS (a proxy in front says so) also Secure.
  static std::string SetCookie(std::string_view cookie, bool secure);
  static std::string ForgetCookie();

 private:
  bool HostIsRight(const HttpRequest& request) const;

  Tokens& tokens_;
  Authenticator& authenticator_;  // who shows a Bearer's secret
  Sessions& sessions_;
  const ListenAddress listen_;
};

}  // namespace gleaner::cloud
