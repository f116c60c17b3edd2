#include "edge/trigger/detector/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "edge/trigger/detector/barcode.h"
#include "edge/trigger/detector/motion.h"
#include "edge/trigger/detector/off_thread.h"
#include "edge/trigger/detector/quality.h"

namespace gleaner::edge {
namespace {

template <typename T>
constexpr std::string_view LeansOn() {
  if constexpr (requires { T::kLeansOn; }) return T::kLeansOn;
  return "";
}

template <typename T>
DetectorKind Kind() {
  return {T::kName, T::kSignals, T::kLatencyNs, LeansOn<T>(),
          [](ConfigReader& reader) -> DetectorMaker {
            return [options = T::Options::Read(reader)](const DetectorPlace& place) {
              std::unique_ptr<Detector> made =
                  std::make_unique<T>(place.camera, options, place.sink);
              if (T::kLatencyNs == 0 || !place.live) return made;
              return std::unique_ptr<Detector>(
                  new OffThread(std::string(T::kName), std::move(made), T::kLatencyNs));
            };
          }};
}

// What a table that isn't there says: nothing.
DetectorMaker Defaults(const DetectorKind& kind) {
  ConfigReader nothing = *ConfigReader::Parse("", "");
  return kind.read(nothing);
}

const DetectorKind* FindKind(std::string_view name) {
  for (const DetectorKind& kind : DetectorKinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::string UnknownDetector(std::string_view name) {
  std::vector<std::string_view> names;
  for (const DetectorKind& kind : DetectorKinds()) names.push_back(kind.name);
  return fmt::format("no detector is called \"{}\"; there are: {}", name, fmt::join(names, ", "));
}

}  // namespace

const std::vector<DetectorKind>& DetectorKinds() {
  // A new detector adds its include and its line.
  static const std::vector<DetectorKind> kinds = {
      Kind<MotionDetector>(),
      Kind<QualityDetector>(),
      Kind<BarcodeDetector>(),
  };
  return kinds;
}

std::vector<DetectorSettings> ReadDetectors(ConfigReader& camera) {
  std::vector<DetectorSettings> all;
  for (const DetectorKind& kind : DetectorKinds()) all.push_back({&kind, Defaults(kind)});
  std::set<std::string> seen;
  for (ConfigReader& table : camera.Tables("detector")) {
    const std::string name = table.RequiredString("name");
    if (name.empty()) continue;
    const DetectorKind* kind = FindKind(name);
    if (kind == nullptr) {
      table.Error("name", UnknownDetector(name));
    } else if (!seen.insert(name).second) {
      table.Error("name", fmt::format("\"{}\" is there twice", name));
    } else {
      all[static_cast<size_t>(kind - DetectorKinds().data())].make = kind->read(table);
    }
  }
  return all;
}

std::vector<std::unique_ptr<Detector>> MakeDetectors(
    const std::vector<DetectorSettings>& settings, const DetectorPlace& place,
    const std::function<bool(const std::string& signal)>& reads) {
  std::set<std::string_view> wanted;
  for (const DetectorSettings& detector : settings) {
    const auto& signals = detector.kind->signals;
    if (std::any_of(signals.begin(), signals.end(), [&](const SignalKind& signal) {
          return reads(SignalName(place.camera, signal.name));
        })) {
      wanted.insert(detector.kind->name);
      wanted.insert(detector.kind->leans_on);
    }
  }
  std::vector<std::unique_ptr<Detector>> made;
  for (const DetectorSettings& detector : settings) {
    if (wanted.contains(detector.kind->name)) made.push_back(detector.make(place));
  }
  return made;
}

std::vector<SignalSource> SignalsOf(std::string_view camera, bool live) {
  std::vector<SignalSource> all;
  for (const DetectorKind& kind : DetectorKinds()) {
    for (const SignalKind& signal : kind.signals) {
      all.emplace_back(SignalName(camera, signal.name), signal.type, live ? kind.latency_ns : 0);
    }
  }
  return all;
}

std::string SignalName(std::string_view camera, std::string_view signal) {
  return fmt::format("camera.{}.{}", camera, signal);
}

const SignalKind* FindSignal(std::string_view name) {
  const std::string_view short_name = ShortSignalName(name);
  for (const DetectorKind& kind : DetectorKinds()) {
    for (const SignalKind& signal : kind.signals) {
      if (signal.name == short_name) return &signal;
    }
  }
  return nullptr;
}

absl::StatusOr<std::unique_ptr<Detector>> MakeDetector(std::string_view name,
                                                       std::string_view camera, SampleSink& sink) {
  const DetectorKind* kind = FindKind(name);
  if (kind == nullptr) return absl::NotFoundError(UnknownDetector(name));
  return Defaults(*kind)({camera, sink});
}

}  // namespace gleaner::edge
