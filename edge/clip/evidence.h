// What the signals did around a clip: the recent past of every signal, and traces cut from it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "edge/trigger/signal.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::edge {

// The units of signals by their qualified names; a signal that isn't among them has none.
using SignalUnits = std::map<std::string, std::string>;

// Of numbers and truths; a manifest has no place for texts and boxes. Bounded twice: by time, see
// Trim(), and by kMaxSamples a signal and kMaxHistories signals; what is beyond is forgotten, the
// oldest first. Not thread-safe.
class SampleHistory {
 public:
  static constexpr size_t kMaxSamples = 32'768;
  static constexpr size_t kMaxHistories = 64;

  explicit SampleHistory(std::shared_ptr<const SignalUnits> units = nullptr)
      : units_(std::move(units)) {}

  void Add(const SignalSample& sample);
  // Forgets what isn't needed to know every value from `monotonic_ns` on.
  void Trim(int64_t monotonic_ns);

  // What Trim(monotonic_ns) would keep.
  SampleHistory Since(int64_t monotonic_ns) const;

  std::vector<std::string> Names() const;
  // The signal in [start, end): its value at `start` (with the moment it took it, so the first
  // offset may be negative), then every sample. Offsets count from `start`. No points for a signal
  // that is unknown or had no value by then.
  v1::SignalTrace Trace(const std::string& name, int64_t start_ns, int64_t end_ns) const;

 private:
  struct Point {
    int64_t monotonic_ns;
    double value;
  };
  std::shared_ptr<const SignalUnits> units_;  // null: none has any
  std::map<std::string, std::deque<Point>> signals_;
};

// Leaves at most `limit` (≥ 4) points: the first, the last, and from each of equal parts between
// them the least and the greatest, so that no peak is lost.
void Thin(size_t limit, v1::SignalTrace* trace);

}  // namespace gleaner::edge
