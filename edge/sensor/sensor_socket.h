// The local socket by which programs on the device tell what their sensors say: Unix datagrams, so
// that a sender never waits and never has a connection to mend. client/gleaner_sensor.h sends to
// it.
//
// What a flood costs is bounded: so many messages are read a second and no more. Beyond that the
// kernel's queue is full, and senders drop at their end and tell how much (see sensor_message.h).
#pragma once

#include <functional>
#include <stop_token>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/file.h"
#include "edge/sensor/sensor_options.h"

namespace gleaner::edge {

class SensorSocket {
 public:
  // Of all sensors together; about 1 % of a slow core.
  static constexpr int64_t kMaxPerSecond = 5000;

  // Makes the socket, in a folder that exists; one that an earlier daemon has left is replaced.
  // FAILED_PRECONDITION where something else is at the path, or the group isn't one of ours.
  static absl::StatusOr<SensorSocket> Bind(const SensorSocketOptions& options);
  SensorSocket(SensorSocket&&) = default;
  SensorSocket& operator=(SensorSocket&&) = default;

  // Hands on every message until `stop`, on a thread of its own. `take` must not block.
  void Run(const std::stop_token& stop, Clock& clock,
           const std::function<void(std::string_view)>& take);

 private:
  explicit SensorSocket(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
};

}  // namespace gleaner::edge
