// Logging in to a camera: what it asks for with 401 Unauthorized, and what a request answers.
// Digest by RFC 7616 (MD5, SHA-256 and SHA-512-256, each with -sess, quality "auth" or none, hashed
// user names) and Basic by RFC 7617.
//
// A camera may offer several ways, in one header or in many, in any order: the strongest that is
// understood is taken. "auth-int" protects a body, which no request here has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/camera/camera_login.h"

namespace gleaner::edge {

// From the weakest to the strongest.
enum class LoginScheme { kBasic, kMd5, kSha256, kSha512_256 };

// "Basic", "MD5 digest", "SHA-256 digest", "SHA-512-256 digest".
std::string_view ToString(LoginScheme scheme);

struct LoginChallenge {
  LoginScheme scheme = LoginScheme::kBasic;
  bool session = false;   // "-sess": the key covers both nonces
  std::string algorithm;  // as the camera wrote it; empty if it didn't
  std::string realm;
  std::string nonce;
  std::string opaque;
  bool has_opaque = false;
  bool qop_auth = false;  // else as in RFC 2069: no counter, no nonce of ours
  bool userhash = false;
  bool stale = false;  // the nonce has expired; the password was right
};

// The strongest that is understood among all challenges of a response's WWW-Authenticate headers.
std::optional<LoginChallenge> StrongestChallenge(const std::vector<std::string>& headers);

// The value of the Authorization header for one request. `count`: how often the nonce has been
// used, this time included; `cnonce`: this side's nonce.
std::string Authorization(const LoginChallenge& challenge, const Credentials& credentials,
                          std::string_view method, std::string_view uri, uint32_t count,
                          std::string_view cnonce);

// A fresh nonce of this side: 32 hexadecimal digits.
std::string NewCnonce();

}  // namespace gleaner::edge
