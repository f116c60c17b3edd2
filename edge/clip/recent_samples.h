// What every signal did lately: enough for the clip that the next firing opens, and for those that
// are open.
#pragma once

#include <cstdint>
#include <mutex>

#include "edge/clip/evidence.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

// Thread-safe. A clip begins at a keyframe before the start that was asked for: of samples there is
// always a minute more.
class RecentSamples {
 public:
  // `pre_roll_ns`: how long before its firing a clip may start.
  explicit RecentSamples(int64_t pre_roll_ns, SignalUnits units = {})
      : pre_roll_ns_(pre_roll_ns),
        history_(std::make_shared<const SignalUnits>(std::move(units))) {}

  void Add(const SignalSample& sample);
  // Keeps what a clip needs that starts at `start_ns`, until the next call; INT64_MAX for none.
  void KeepFor(int64_t start_ns);
  // All that a clip needs that starts at `start_ns`, up to now.
  SampleHistory For(int64_t start_ns) const;

 private:
  const int64_t pre_roll_ns_;
  mutable std::mutex mutex_;  // guards what follows
  SampleHistory history_;
  uint64_t added_ = 0;
  int64_t kept_start_ns_ = INT64_MAX;  // see KeepFor()
};

}  // namespace gleaner::edge
