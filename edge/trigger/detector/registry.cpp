// Every detector, by name. A new one adds its include and its line.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "edge/trigger/detector/detector.h"
#include "edge/trigger/detector/motion.h"

namespace gleaner::edge {
namespace {

struct Entry {
  std::string_view name;
  ValueRange range;
  std::unique_ptr<Detector> (*make)(std::string_view camera, SampleSink& sink);
};

template <typename T>
std::unique_ptr<Detector> Make(std::string_view camera, SampleSink& sink) {
  return std::make_unique<T>(camera, sink);
}

constexpr std::array kDetectors = {
    Entry{MotionDetector::kName, MotionDetector::kRange, Make<MotionDetector>},
};

}  // namespace

std::vector<std::string_view> DetectorNames() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kDetectors) names.push_back(entry.name);
  return names;
}

ValueRange DetectorRange(std::string_view name) {
  for (const Entry& entry : kDetectors) {
    if (entry.name == name) return entry.range;
  }
  return {};
}

absl::StatusOr<std::unique_ptr<Detector>> MakeDetector(std::string_view name,
                                                       std::string_view camera, SampleSink& sink) {
  for (const Entry& entry : kDetectors) {
    if (entry.name == name) return entry.make(camera, sink);
  }
  return absl::NotFoundError(fmt::format("no detector is called \"{}\"; there are: {}", name,
                                         fmt::join(DetectorNames(), ", ")));
}

}  // namespace gleaner::edge
