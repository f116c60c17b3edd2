// Keeps a wrong password from locking the device out. Cameras shut a client out for half an hour
// after about five failed logins, whoever made them: so a login that was refused isn't tried again
// for minutes, and the eight channels of one recorder don't each try it. One that was taken before
// is tried once more after seconds, since a camera that starts may refuse what it takes a moment
// later; but not twice in those minutes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "common/clock.h"
#include "edge/camera/camera_login.h"

namespace gleaner::edge {

// What is said of a login that was refused.
inline constexpr char kLoginRefused[] = "login refused: correct user or password";

// All cameras of a daemon share one. A login is a host with a user and a password; another password
// is another login, so that a corrected one is tried at once. Thread-safe.
class LoginGuard {
 public:
  // How long a login rests that is refused after it was taken.
  static constexpr int64_t kOnceMoreNs = 10 * kNanosPerSecond;
  // And one that is refused again, or was never taken: twice as long each time.
  static constexpr int64_t kFirstWaitNs = 300 * kNanosPerSecond;
  static constexpr int64_t kLastWaitNs = 3600 * kNanosPerSecond;

  explicit LoginGuard(Clock& clock) : clock_(clock) {}

  // Before the password is used. OK: it may be, and one of the three below must follow.
  // PERMISSION_DENIED: it was refused, and rests. While another camera tries the same login for the
  // first time this waits for what comes of it; `interrupted` ends that with CANCELLED.
  absl::Status Begin(const std::string& host, const Credentials& credentials,
                     const std::function<bool()>& interrupted);
  void Accepted(const std::string& host, const Credentials& credentials);
  void Refused(const std::string& host, const Credentials& credentials);
  // The camera hung up or fell silent instead of answering. Some refuse so: it counts as refused,
  // unless the camera has taken this login before.
  void NoAnswer(const std::string& host, const Credentials& credentials);

  // For how long the login still rests; 0 if it doesn't.
  int64_t WaitNs(const std::string& host, const Credentials& credentials) const;

 private:
  struct Login {
    bool trying = false;    // for the first time, or again after it was refused
    bool accepted = false;  // the last answer
    int64_t wait_ns = 0;    // after the last refusal; 0 if there was none
    int64_t rests_until_ns = 0;
    int64_t once_more_from_ns = 0;  // no sooner may it be tried after seconds again
  };
  using Key = std::tuple<std::string, std::string, std::string>;  // host, user, password

  void Refuse(Login& login);

  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable answered_;
  std::map<Key, Login> logins_;  // guarded by mutex_; the configuration's, and changed passwords
};

}  // namespace gleaner::edge
