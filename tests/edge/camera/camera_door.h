// The lock on a test camera's door: it asks for a login as a camera does, and counts who knocks.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/edge/camera/rtsp_camera.h"

namespace gleaner::edge {

struct CameraDoorOptions {
  // In the order in which they are offered: "Basic", "MD5", "SHA-256", "SHA-512-256", with "-sess".
  std::vector<std::string> schemes = {"MD5"};
  std::string user = "admin";
  std::string password = "secret";
  bool one_header = false;  // all of them in one WWW-Authenticate
  bool qop = true;          // false: as before RFC 2617
  int nonce_lasts = -1;     // how many requests; −1: for ever
  bool tells_stale = true;  // that a nonce was too old
  bool hangs_up = false;    // on a wrong login, instead of answering
};

// Thread-safe; copies are one door.
class CameraDoor {
 public:
  explicit CameraDoor(CameraDoorOptions options);

  // For RtspBehavior::door.
  std::optional<RtspBehavior::Answer> operator()(const RtspRequest& request) const;

  // Requests whose login was wrong (and not merely its nonce too old).
  int refused() const;
  // The scheme of the last login that was right.
  std::string scheme() const;
  void SetPassword(const std::string& password) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gleaner::edge
