// What is amiss with a camera that streams all the same, for people. Each kind is said for a minute
// after it was last seen, so that a heartbeat finds it and an operator isn't told of yesterday's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/clock.h"

namespace gleaner::edge {

// For how long a problem is spoken of after it was last seen.
inline constexpr int64_t kProblemShownNs = 60 * kNanosPerSecond;

// Not thread-safe.
class CameraNotes {
 public:
  enum class Kind { kClockRate, kByArrival, kJump, kGlitches, kDamage, kLeftOut };

  // True when this kind wasn't spoken of at present: it is worth a line in the log.
  bool Say(Kind kind, std::string text, int64_t now_ns);
  // All that holds now, the more serious first; empty if nothing does.
  std::string Sentence(int64_t now_ns) const;

 private:
  struct Note {
    std::string text;
    int64_t until_ns = 0;
  };
  std::array<Note, 6> notes_;  // by kind
};

}  // namespace gleaner::edge
