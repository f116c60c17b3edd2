#include "edge/sensor/sensor_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/name.h"
#include "common/text.h"
#include "edge/trigger/detector/registry.h"

namespace gleaner::edge {
namespace {

constexpr char kDefaultPath[] = "/run/gleaner-edge/sensors.sock";
constexpr size_t kMaxUnitBytes = 16;
constexpr int64_t kMaxPerSecond = 1000;

// A rule may write just the last part of a signal's name, which a detector must not share.
void CheckPart(ConfigReader& reader, std::string_view key, const std::string& name) {
  if (name.empty()) return;
  if (!IsName(name)) {
    reader.Error(key, NotAName(name));
  } else if (FindSignal(name) != nullptr) {
    reader.Error(
        key, fmt::format("\"{}\" is what a camera's detector is called; take another name", name));
  }
}

bool IsUnit(const std::string& unit) {
  return !unit.empty() && unit.size() <= kMaxUnitBytes && ValidUtf8(unit) == unit &&
         std::none_of(unit.begin(), unit.end(),
                      [](unsigned char c) { return c <= ' ' || c == 0x7f; });
}

}  // namespace

SensorOptions SensorOptions::Read(ConfigReader& reader) {
  SensorOptions options;
  options.name = reader.RequiredString("name");
  CheckPart(reader, "name", options.name);
  options.event = reader.Bool("event", false);
  options.max_per_s = reader.Int("max_per_s", options.max_per_s, {1, kMaxPerSecond});
  if (options.event) {
    for (const char* key : {"unit", "components", "valid"}) {
      if (reader.Has(key)) reader.Error(key, "is of a series; an event has none");
    }
  }
  options.unit = reader.String("unit", options.unit);
  if (!IsUnit(options.unit)) {
    reader.Error(
        "unit", fmt::format("must be 1 to {} bytes without blanks, such as \"kg\"", kMaxUnitBytes));
  }
  options.components = reader.Strings("components");
  if (options.components.size() > kMaxComponents) {
    reader.Error("components", fmt::format("there are {}, at most {} are allowed",
                                           options.components.size(), kMaxComponents));
  }
  std::set<std::string> seen;
  for (const std::string& component : options.components) {
    CheckPart(reader, "components", component);
    if (!seen.insert(component).second) {
      reader.Error("components", fmt::format("\"{}\" is there twice", component));
    }
  }
  options.valid_ns = reader.DurationNs("valid", options.valid_ns,
                                       {10 * kNanosPerMilli, 24 * 3600 * kNanosPerSecond});
  return options;
}

size_t SensorOptions::Numbers() const { return event ? 0 : std::max<size_t>(1, components.size()); }

std::vector<SignalSource> SensorOptions::Signals() const {
  if (event) return {SignalSource("event." + name, SampleType::kTruth)};
  if (components.empty()) return {SignalSource("sensor." + name)};
  std::vector<SignalSource> signals;
  signals.reserve(components.size());
  for (const std::string& component : components) {
    signals.emplace_back(fmt::format("sensor.{}.{}", name, component));
  }
  return signals;
}

std::map<std::string, std::string> UnitsOf(const std::vector<SensorOptions>& sensors) {
  std::map<std::string, std::string> units;
  for (const SensorOptions& sensor : sensors) {
    if (sensor.event) continue;
    for (SignalSource& signal : sensor.Signals()) {
      units.emplace(std::move(signal.name), sensor.unit);
    }
  }
  return units;
}

SensorSocketOptions SensorSocketOptions::Read(ConfigReader& reader) {
  SensorSocketOptions options;
  options.path = reader.Path("socket", kDefaultPath);
  options.group = reader.String("group", "");
  return options;
}

}  // namespace gleaner::edge
