// One message of a program on the device: one datagram, a line of text.
//
//   message = name ( " " number )* ( " @" time )? ( " !" lost )?
//   weight 52.31
//   location 52.51963 13.40688 @81234567890123
//   checkout-mismatch !3
//
// A name is one of the configuration's; a series has as many numbers as it has components, an event
// none. `time`: when it was measured, in nanoseconds of CLOCK_MONOTONIC; without it, when it came.
// `lost`: how many messages the sender could not send since the last one that it could, so that
// what the socket had no room for is counted. A line feed at the end is allowed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "edge/sensor/sensor_options.h"

namespace gleaner::edge {

// A datagram that is longer is refused.
inline constexpr size_t kMaxSensorMessageBytes = 512;

struct SensorMessage {
  std::string_view name;  // points into the text
  std::array<double, kMaxComponents> numbers{};
  size_t count = 0;
  int64_t monotonic_ns = -1;  // -1: not told
  uint64_t lost = 0;
};

// Allocates nothing. False for what is no message, of which `message` then says nothing. Numbers
// are finite.
bool ParseSensorMessage(std::string_view text, SensorMessage* message);

}  // namespace gleaner::edge
