// How a second process hears how the daemon is: a socket in the spool's folder, status.sock, that
// hands a serialized DeviceStatus (proto/gleaner/v1/status.proto) to whoever connects, and closes.
//
// Nothing is written to the disk and nothing is kept: the answer is of the moment. Who may look
// into the folder may ask. Where the file system has no sockets the daemon does without.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"
#include "gleaner/v1/status.pb.h"

namespace gleaner::edge {

class StatusSocket {
 public:
  // Listens; a socket that an earlier daemon has left is replaced, so the spool must be this one's.
  static absl::StatusOr<StatusSocket> Listen(const std::string& directory);
  StatusSocket(StatusSocket&&) = default;
  StatusSocket& operator=(StatusSocket&&) = default;

  // Answers until `stop`, one at a time; one that doesn't take its answer is given up after a
  // second. On a thread of its own. `status` may not block for long.
  void Run(const std::stop_token& stop, const std::function<v1::DeviceStatus()>& status);

 private:
  explicit StatusSocket(Fd listener) : listener_(std::move(listener)) {}
  Fd listener_;
};

// The daemon's own word. NOT_FOUND if none runs on this spool, DEADLINE_EXCEEDED if it gives no
// answer within `timeout_ms`, PERMISSION_DENIED if this user may not ask.
absl::StatusOr<v1::DeviceStatus> AskDaemon(const std::string& directory, int timeout_ms = 5000);

}  // namespace gleaner::edge
