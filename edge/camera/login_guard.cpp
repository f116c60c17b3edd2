#include "edge/camera/login_guard.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "fmt/format.h"

namespace gleaner::edge {
namespace {

// How often a camera that waits for another's answer looks whether it is stopped.
constexpr std::chrono::milliseconds kLook{50};

}  // namespace

absl::Status LoginGuard::Begin(const std::string& host, const Credentials& credentials,
                               const std::function<bool()>& interrupted) {
  std::unique_lock lock(mutex_);
  Login& login = logins_[{host, credentials.user, credentials.password}];
  while (login.trying) {
    if (interrupted()) return absl::CancelledError("waiting for another camera's login");
    answered_.wait_for(lock, kLook);
  }
  if (login.rests_until_ns > clock_.MonotonicNs()) {
    return absl::PermissionDeniedError(kLoginRefused);
  }
  login.trying = !login.accepted;
  return absl::OkStatus();
}

void LoginGuard::Accepted(const std::string& host, const Credentials& credentials) {
  std::lock_guard lock(mutex_);
  Login& login = logins_[{host, credentials.user, credentials.password}];
  login = {.accepted = true, .once_more_from_ns = login.once_more_from_ns};
  answered_.notify_all();
}

void LoginGuard::Refused(const std::string& host, const Credentials& credentials) {
  std::lock_guard lock(mutex_);
  Refuse(logins_[{host, credentials.user, credentials.password}]);
}

void LoginGuard::NoAnswer(const std::string& host, const Credentials& credentials) {
  std::lock_guard lock(mutex_);
  Login& login = logins_[{host, credentials.user, credentials.password}];
  if (!login.accepted) Refuse(login);
}

void LoginGuard::Refuse(Login& login) {
  const int64_t now = clock_.MonotonicNs();
  const bool was_accepted = std::exchange(login.accepted, false);
  login.trying = false;
  answered_.notify_all();
  // Another channel was refused just now, and this one's answer was under way.
  if (login.rests_until_ns > now) return;
  if (was_accepted && now >= login.once_more_from_ns) {
    login.rests_until_ns = now + kOnceMoreNs;
    login.once_more_from_ns = now + kFirstWaitNs;
    return;
  }
  login.wait_ns = login.wait_ns == 0 ? kFirstWaitNs : std::min(2 * login.wait_ns, kLastWaitNs);
  login.rests_until_ns = now + login.wait_ns;
}

int64_t LoginGuard::WaitNs(const std::string& host, const Credentials& credentials) const {
  std::lock_guard lock(mutex_);
  const auto login = logins_.find({host, credentials.user, credentials.password});
  if (login == logins_.end()) return 0;
  return std::max<int64_t>(0, login->second.rests_until_ns - clock_.MonotonicNs());
}

}  // namespace gleaner::edge
