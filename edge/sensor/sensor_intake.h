// From messages to samples: who may say what, how often, and at which times.
//
// Nothing that a program sends can cost more than its own messages: what is not configured, not
// well-formed, too fast or at an impossible time is dropped and counted.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/log_throttle.h"
#include "edge/sensor/sensor_message.h"
#include "edge/sensor/sensor_options.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

// Of one sensor, since the start.
struct SensorStats {
  std::string name;
  std::string unit;
  bool event = false;
  uint64_t taken = 0;
  uint64_t dropped = 0;  // by us: too fast, or at an impossible time, or with too few numbers
  uint64_t lost = 0;     // by the sender, as it told: the socket had no room
  int64_t last_ns = 0;   // monotonic; 0 before the first
  std::array<double, kMaxComponents> last{};
  size_t count = 0;  // of `last`
};

// OnMessage is called by one thread; the rest is thread-safe.
class SensorIntake {
 public:
  // How far back a message may say that it was measured.
  static constexpr int64_t kMaxAgeNs = 10 * kNanosPerSecond;
  // What a clock that is read twice may differ by.
  static constexpr int64_t kAheadNs = 5 * kNanosPerMilli;

  // `samples` and `clock` outlive the intake. `samples` is called on the thread of OnMessage.
  SensorIntake(std::vector<SensorOptions> sensors, SampleSink& samples, Clock& clock);

  // One datagram, whatever it is.
  void OnMessage(std::string_view text);

  // In the order of the configuration.
  std::vector<SensorStats> stats() const;
  // What was dropped in the last minute, for people; empty when nothing was.
  std::string problem() const;

 private:
  enum class Fault : uint8_t { kNone, kUnreadable, kUnknown, kNumbers, kTooFast, kTime, kCount };
  struct Sensor {
    SensorOptions options;
    std::vector<SignalSource> signals;
    SensorStats stats;
    // A bucket of as many messages as may come in a second; filled to `credit` at `credit_ns`.
    double credit = 0;
    int64_t credit_ns = 0;
  };
  struct Trouble {
    uint64_t count = 0;
    int64_t last_ns = 0;
    std::string of;  // the sensor; of what has none, empty
  };

  Fault Take(Sensor& sensor, const SensorMessage& message, int64_t now_ns);
  static bool Spend(Sensor& sensor, int64_t now_ns);
  void Write(const Sensor& sensor, const SensorMessage& message, int64_t monotonic_ns);
  void Note(Fault fault, std::string_view of, int64_t now_ns);
  static std::string_view Words(Fault fault);

  SampleSink& samples_;
  Clock& clock_;
  LogThrottle throttle_;
  std::vector<Sensor> sensors_;
  std::map<std::string, size_t, std::less<>> by_name_;
  mutable std::mutex mutex_;  // guards `stats` of the sensors, and what follows
  std::array<Trouble, static_cast<size_t>(Fault::kCount)> troubles_;
  Trouble lost_;
};

}  // namespace gleaner::edge
