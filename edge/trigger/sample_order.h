// Puts what several signals say into the order of the frames that they speak of.
//
// A model may answer 400 ms after the frame that it was given. For a rule that mixes it with motion
// to see both as they were at one moment, motion's samples wait until the model has spoken of that
// moment too, or has had the time that it takes at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "edge/trigger/signal.h"

namespace gleaner::edge {

// Of one rule. Not thread-safe. Memory is bounded by kMaxWaiting samples.
class SampleOrder {
 public:
  static constexpr size_t kMaxWaiting = 1024;

  struct Sample {
    size_t signal = 0;  // index, as given to Add()
    int64_t monotonic_ns = 0;
    SampleValue value;
    int64_t valid_ns = 0;
  };

  // `signals`: the indexes of all that the rule reads. `latency_ns`: after a frame of that age no
  // signal has anything more to say of it.
  SampleOrder(const std::vector<size_t>& signals, int64_t latency_ns);

  void Add(Sample sample);
  // The newest frame's time: what is older than that by the latency is final.
  void Advance(int64_t now_ns);
  // The next sample in order of time of which nothing earlier can come; those of one moment in the
  // order in which they came. Nullopt while there is none.
  std::optional<Sample> Next();
  // Up to this moment, itself included, everything has been said. The least number before anything
  // was.
  int64_t FinalNs() const;

 private:
  static constexpr int64_t kLongAgo = std::numeric_limits<int64_t>::min();

  struct Heard {
    size_t signal;
    int64_t newest_ns;
  };

  const int64_t latency_ns_;
  std::vector<Heard> heard_;
  int64_t now_ns_ = kLongAgo;
  int64_t forced_ns_ = kLongAgo;  // final because too many samples waited
  std::deque<Sample> waiting_;    // in order of time
};

}  // namespace gleaner::edge
