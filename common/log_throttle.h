// Keeps a flood of like lines out of the log without hiding that there was one.
//
//   if (const auto more = throttle.Admit(fmt::format("wrong tokens from {}", address))) {
//     LOG_WARN("sign-in with a wrong token from {}{}", address, *more);
//   }
//   → sign-in with a wrong token from 10.0.0.7 (and 4,999 more like it)
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace gleaner {

// Thread-safe.
class LogThrottle {
 public:
  struct Options {
    // Of each kind this many lines may be written in each span of time; the others are counted.
    uint64_t lines = 5;
    int64_t span_ns = 10 * kNanosPerSecond;
  };
  // So many kinds are told apart, so that nobody fills the memory with them; the others share one.
  static constexpr size_t kMaxKinds = 4096;

  // `clock` outlives this.
  explicit LogThrottle(Clock& clock) : LogThrottle(clock, Options()) {}
  LogThrottle(Clock& clock, Options options) : clock_(clock), options_(options) {}
  // Tells what has not been told.
  ~LogThrottle();

  // Asked before a line is written: what the line ends with (empty, or how many like it were left
  // out since the last one of its kind), or nullopt if it is to be left out. A kind is what makes
  // lines alike, such as the peer and the sort of mistake, in words: of a flood that has ended a
  // line of its own tells, at a call after its span.
  std::optional<std::string> Admit(std::string_view kind);

 private:
  struct Kind {
    int64_t since_ns = 0;  // when its span began
    uint64_t lines = 0;    // written in that span
    uint64_t left_out = 0;
  };
  using Kinds = std::map<std::string, Kind, std::less<>>;
  // Those whose span is over, but for `kind`; what was left out of them is to be told.
  std::vector<Kinds::node_type> TakeOver(std::string_view kind, int64_t now);
  static void Tell(const std::string& kind, uint64_t left_out);

  Clock& clock_;
  const Options options_;
  std::mutex mutex_;
  Kinds kinds_;
  int64_t look_ns_ = 0;  // for such whose span is over
};

}  // namespace gleaner
