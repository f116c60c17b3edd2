// What watching costs: programs run on a stream at its own pace, their CPU and memory as the kernel
// counts them.
#pragma once

#include <string>

namespace gleaner::bench {

struct Cost {
  double cpu_ms_per_frame = 0;
  double rss_mb = 0;   // at the end
  double start_s = 0;  // from exec to READY=1; 0 for a program that doesn't say
};

// gleaner-edge of this build on `stream` (30 frames a second) with a ten-second pre-roll. Throws
// when it doesn't run.
Cost MeasureDaemon(const std::string& stream);
// Debian's motion on the same, pass-through recording, ten seconds of pre-capture.
Cost MeasureMotion(const std::string& stream);
// FFmpeg's decoder on every frame, one thread.
double DecodeCpuMsPerFrame(const std::string& stream);

}  // namespace gleaner::bench
