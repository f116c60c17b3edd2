// Every detector by name: the signals it writes, and what the configuration may say of it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config.h"
#include "edge/trigger/detector/detector.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

// What a detector is made for.
struct DetectorPlace {
  std::string_view camera;
  // Gets "camera.<camera>.<signal>"; outlives the detector. Thread-safe, where `live`.
  SampleSink& sink;
  // The camera doesn't wait, so a slow detector gets a thread of its own. Of a film that is read as
  // fast as it can be every picture is looked at, on the thread that reads it.
  bool live = false;
};
using DetectorMaker = std::function<std::unique_ptr<Detector>(const DetectorPlace&)>;

struct DetectorKind {
  std::string_view name;
  std::span<const SignalKind> signals;
  // Of its samples: see SignalSource. More than 0 for one that is slow (off_thread.h).
  int64_t latency_ns = 0;
  // The detector that runs beside it, whether or not a rule reads that one's signals: it says when
  // there is something to decode. Empty: none.
  std::string_view leans_on;
  // Reads the options of one [[camera.detector]] table; mistakes are noted in the reader.
  DetectorMaker (*read)(ConfigReader& options);
};

// All there are, in the order in which a camera's packets and pictures pass them.
const std::vector<DetectorKind>& DetectorKinds();

// A detector as one camera's configuration has it.
struct DetectorSettings {
  const DetectorKind* kind = nullptr;
  DetectorMaker make;
};

// Makes those of a camera's detectors that `reads` (a qualified name) wants a signal of, and those
// that these lean on.
std::vector<std::unique_ptr<Detector>> MakeDetectors(
    const std::vector<DetectorSettings>& settings, const DetectorPlace& place,
    const std::function<bool(const std::string& signal)>& reads);

// One entry of every kind: those that the [[camera.detector]] tables of a [[camera]] table name
// with their options, the others with their defaults. Mistakes are noted in `camera`.
std::vector<DetectorSettings> ReadDetectors(ConfigReader& camera);

// All signals that a camera's detectors can write.
std::vector<SignalSource> SignalsOf(std::string_view camera, bool live);
// "camera.<camera>.<signal>".
std::string SignalName(std::string_view camera, std::string_view signal);
// The kind of a signal by its name, short or qualified; null for one that no detector writes.
const SignalKind* FindSignal(std::string_view name);

// A detector with its defaults. NOT_FOUND, listing the names, for an unknown one.
absl::StatusOr<std::unique_ptr<Detector>> MakeDetector(std::string_view name,
                                                       std::string_view camera, SampleSink& sink);

}  // namespace gleaner::edge
