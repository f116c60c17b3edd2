// What the detector finds of what decoding everything finds.
#pragma once

#include <cstddef>

namespace gleaner::bench {

struct Recall {
  size_t events = 0;         // of the peer, windows of up to two seconds of activity
  size_t found = 0;          // of those, by the rule, half a second of tolerance
  size_t false_events = 0;   // ours, where the peer had none or where there should be none
  size_t false_of_peer = 0;  // the peer's, where there should be none
  // From the peer's onset out of quiet to our firing.
  double median_delay_s = 0;
  double worst_delay_s = 0;
};

// Runs the rule "motion > 0.02" over every stream of real footage. About half a minute of CPU.
Recall MeasureRecall();

}  // namespace gleaner::bench
