#include "edge/sensor/sensor_intake.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/text.h"

namespace gleaner::edge {
namespace {

// An event holds for the shortest time that a rule can speak of.
constexpr int64_t kEventNs = kNanosPerMilli;
// How long a drop stays a problem.
constexpr int64_t kRecentNs = 60 * kNanosPerSecond;

}  // namespace

SensorIntake::SensorIntake(std::vector<SensorOptions> sensors, SampleSink& samples, Clock& clock)
    : samples_(samples), clock_(clock), throttle_(clock) {
  const int64_t now_ns = clock.MonotonicNs();
  for (SensorOptions& options : sensors) {
    Sensor& sensor = sensors_.emplace_back();
    sensor.signals = options.Signals();
    sensor.stats.name = options.name;
    sensor.stats.unit = options.unit;
    sensor.stats.event = options.event;
    sensor.credit = static_cast<double>(options.max_per_s);
    sensor.credit_ns = now_ns;
    by_name_.emplace(options.name, sensors_.size() - 1);
    sensor.options = std::move(options);
  }
}

void SensorIntake::OnMessage(std::string_view text) {
  const int64_t now_ns = clock_.MonotonicNs();
  SensorMessage message;
  if (!ParseSensorMessage(text, &message)) return Note(Fault::kUnreadable, "", now_ns);
  const auto found = by_name_.find(message.name);
  if (found == by_name_.end()) return Note(Fault::kUnknown, message.name, now_ns);
  Sensor& sensor = sensors_[found->second];
  if (message.lost > 0) {
    std::lock_guard lock(mutex_);
    sensor.stats.lost += message.lost;
    lost_ = {lost_.count + message.lost, now_ns, sensor.options.name};
  }
  const Fault fault = Take(sensor, message, now_ns);
  if (fault != Fault::kNone) Note(fault, sensor.options.name, now_ns);
}

SensorIntake::Fault SensorIntake::Take(Sensor& sensor, const SensorMessage& message,
                                       int64_t now_ns) {
  int64_t at_ns = message.monotonic_ns < 0 ? now_ns : message.monotonic_ns;
  Fault fault = Fault::kNone;
  if (message.count != sensor.options.Numbers()) {
    fault = Fault::kNumbers;
  } else if (at_ns > now_ns + kAheadNs || at_ns < now_ns - kMaxAgeNs ||
             at_ns < sensor.stats.last_ns) {
    fault = Fault::kTime;
  } else if (!Spend(sensor, now_ns)) {
    fault = Fault::kTooFast;
  }
  at_ns = std::min(at_ns, now_ns);
  {
    std::lock_guard lock(mutex_);
    SensorStats& stats = sensor.stats;
    if (fault != Fault::kNone) {
      ++stats.dropped;
      return fault;
    }
    ++stats.taken;
    stats.last_ns = std::max(at_ns, stats.last_ns);
    stats.last = message.numbers;
    stats.count = message.count;
  }
  Write(sensor, message, sensor.stats.last_ns);
  return Fault::kNone;
}

bool SensorIntake::Spend(Sensor& sensor, int64_t now_ns) {
  const auto most = static_cast<double>(sensor.options.max_per_s);
  const double passed_s = static_cast<double>(now_ns - sensor.credit_ns) / kNanosPerSecond;
  sensor.credit = std::min(most, sensor.credit + passed_s * most);
  sensor.credit_ns = now_ns;
  if (sensor.credit < 1) return false;
  sensor.credit -= 1;
  return true;
}

void SensorIntake::Write(const Sensor& sensor, const SensorMessage& message, int64_t monotonic_ns) {
  SignalSample sample{.name = {},
                      .monotonic_ns = monotonic_ns,
                      .value = true,
                      .valid_ns = sensor.options.event ? kEventNs : sensor.options.valid_ns};
  for (size_t i = 0; i < sensor.signals.size(); ++i) {
    sample.name = sensor.signals[i].name;
    if (!sensor.options.event) sample.value = message.numbers[i];
    samples_.OnSample(sample);
  }
}

void SensorIntake::Note(Fault fault, std::string_view of, int64_t now_ns) {
  if (const auto more = throttle_.Admit(Words(fault))) {
    LOG_WARN("a message of a sensor{}{} was dropped: {}{}", of.empty() ? "" : " ", of, Words(fault),
             *more);
  }
  std::lock_guard lock(mutex_);
  Trouble& trouble = troubles_[static_cast<size_t>(fault)];
  ++trouble.count;
  trouble.last_ns = now_ns;
  trouble.of = of;
}

std::string_view SensorIntake::Words(Fault fault) {
  switch (fault) {
    case Fault::kUnreadable:
      return "it is no message";
    case Fault::kUnknown:
      return "no [[sensor]] has this name";
    case Fault::kNumbers:
      return "it has too few numbers, or too many";
    case Fault::kTooFast:
      return "they come faster than max_per_s";
    case Fault::kTime:
      return "its time is ahead, long ago, or before the last one's";
    case Fault::kNone:
    case Fault::kCount:
      break;
  }
  return "";
}

std::vector<SensorStats> SensorIntake::stats() const {
  std::lock_guard lock(mutex_);
  std::vector<SensorStats> all;
  all.reserve(sensors_.size());
  for (const Sensor& sensor : sensors_) all.push_back(sensor.stats);
  return all;
}

std::string SensorIntake::problem() const {
  const int64_t now_ns = clock_.MonotonicNs();
  std::lock_guard lock(mutex_);
  std::vector<std::string> parts;
  const auto tell = [&](const Trouble& trouble, std::string_view why) {
    if (trouble.count == 0 || now_ns - trouble.last_ns > kRecentNs) return;
    parts.push_back(fmt::format("{} dropped since the start{}: {}", Count(trouble.count, "message"),
                                trouble.of.empty() ? "" : ", the last of " + trouble.of, why));
  };
  for (size_t i = 0; i < troubles_.size(); ++i) tell(troubles_[i], Words(static_cast<Fault>(i)));
  tell(lost_, "the socket had no room");
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace gleaner::edge
