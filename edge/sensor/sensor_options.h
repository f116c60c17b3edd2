// What the device's own programs may tell: the [sensors] and [[sensor]] tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/config.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

// Of all together, a vector counting as many as it has components: what a clip has room for.
inline constexpr size_t kMaxSensors = 32;
// Of a vector.
inline constexpr size_t kMaxComponents = 8;

// One named series of numbers or vectors, or one kind of event.
struct SensorOptions {
  std::string name;  // see IsName()
  bool event = false;
  // An SI symbol such as "kg" or "°C", for people; "1" for what has none.
  std::string unit = "1";
  // Names of a vector's numbers, in the order in which they are sent; empty for a single number.
  std::vector<std::string> components;
  // A value of a series is stale, and the signal without one, once it has held this long.
  int64_t valid_ns = 10 * kNanosPerSecond;
  // What comes faster is dropped and counted.
  int64_t max_per_s = 100;

  // Reads one [[sensor]] table; mistakes are noted in `reader`.
  static SensorOptions Read(ConfigReader& reader);
  // How many numbers a message has.
  size_t Numbers() const;
  // What rules may read: "sensor.weight", "sensor.location.latitude", "event.checkout-mismatch".
  std::vector<SignalSource> Signals() const;
};

// By the signals' qualified names; an event has none.
std::map<std::string, std::string> UnitsOf(const std::vector<SensorOptions>& sensors);

struct SensorSocketOptions {
  // In a folder that exists. Made only where there are sensors.
  std::string path;
  // The group that may write to it; empty: the daemon's own. Others than group and owner never may.
  std::string group;

  static SensorSocketOptions Read(ConfigReader& reader);
};

}  // namespace gleaner::edge
