#include "tests/bench/watch/recall.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/status.h"
#include "edge/trigger/detector/registry.h"
#include "edge/trigger/engine.h"
#include "edge/trigger/stream_watcher.h"
#include "tests/bench/figure.h"
#include "tests/edge/trigger/full_decode.h"
#include "tests/edge/trigger/streams.h"

namespace gleaner::bench {
namespace {

using edge::Span;

constexpr int64_t kToleranceNs = 500 * kNanosPerMilli;
constexpr int64_t kPostNs = kNanosPerSecond;

struct Footage {
  const char* stream;
  bool negative;  // nothing in it is worth a clip
  bool rare;      // what happens comes out of quiet
};
constexpr Footage kFootage[] = {
    {"box-720p", false, false},     {"cup-720p", false, false},     {"vtest", false, false},
    {"box-rare-720p", false, true}, {"cup-rare-720p", false, true}, {"quiet-720p", true, false},
    {"tree", true, false},
};

// When the rule was active: from a firing to its last extension.
std::vector<Span> Ours(const edge::VideoFile& file) {
  std::vector<Span> active;
  auto engine =
      edge::TriggerEngine::Create({{.name = "motion",
                                    .when = "motion > 0.02",
                                    .pre_ns = 0,
                                    .post_ns = kPostNs,
                                    .cooldown_ns = 0,
                                    .max_clip_ns = 3600 * kNanosPerSecond}},
                                  {"camera.front.motion"}, [&](const edge::Firing& firing) {
                                    if (!firing.extends)
                                      active.push_back({firing.monotonic_ns, firing.monotonic_ns});
                                    active.back().end_ns = firing.monotonic_ns;
                                  });
  if (!engine.ok()) throw std::runtime_error(engine.status().ToString());
  std::vector<std::unique_ptr<edge::Detector>> detectors;
  detectors.push_back(*edge::MakeDetector("motion", "front", **engine));
  edge::StreamWatcher watcher("front", std::move(detectors), **engine);
  watcher.OnFormat(file.format);
  for (const edge::Packet& packet : file.packets) watcher.OnPacket(packet);
  return active;
}

bool Overlaps(const Span& a, const Span& b) {
  return a.start_ns <= b.end_ns + kToleranceNs && b.start_ns <= a.end_ns + kToleranceNs;
}

bool OverlapsAny(const Span& span, const std::vector<Span>& others) {
  return std::any_of(others.begin(), others.end(),
                     [&](const Span& other) { return Overlaps(span, other); });
}

}  // namespace

Recall MeasureRecall() {
  Recall recall;
  std::vector<double> delays_s;
  for (const Footage& footage : kFootage) {
    const edge::VideoFile file(edge::Stream(footage.stream));
    const std::vector<Span> truth = edge::DecodeFully(file).activity;
    const std::vector<Span> ours = Ours(file);
    if (footage.negative) {
      recall.false_events += edge::Events(ours).size();
      recall.false_of_peer += edge::Events(truth).size();
      continue;
    }
    for (const Span& event : edge::Events(truth)) {
      ++recall.events;
      recall.found += OverlapsAny(event, ours);
    }
    for (const Span& event : edge::Events(ours)) recall.false_events += !OverlapsAny(event, truth);
    if (!footage.rare) continue;
    for (const Span& span : truth) {
      const auto first = std::find_if(ours.begin(), ours.end(), [&](const Span& active) {
        return active.end_ns >= span.start_ns;
      });
      if (first == ours.end()) continue;
      delays_s.push_back(
          static_cast<double>(std::max<int64_t>(0, first->start_ns - span.start_ns)) / 1e9);
    }
  }
  recall.median_delay_s = Median(delays_s);
  recall.worst_delay_s = *std::max_element(delays_s.begin(), delays_s.end());
  return recall;
}

}  // namespace gleaner::bench
