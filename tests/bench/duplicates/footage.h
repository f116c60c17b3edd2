// Moments of real footage, as they are and as a camera that was pushed, a gain that changed or
// another compression would have had them.
#pragma once

#include <string>
#include <vector>

#include "cloud/media/worker_protocol.h"

namespace gleaner::bench {

struct Changed {
  std::string name;
  std::string filter;   // FFmpeg's; empty: as it is
  std::string encoder;  // arguments; it is compressed with it and decoded again; empty: it isn't
};

struct Moment {
  double seconds = 0;
  cloud::media::LumaGrid grid{};
  uint64_t phash = 0;
  int width = 0, height = 0;
  std::vector<uint8_t> luma;  // width x height
};

// Every `step`-th frame from the `first` on, measured as the media worker measures (measures.h).
// Throws std::runtime_error.
std::vector<Moment> Moments(const std::string& film, size_t first, size_t step, double rate,
                            const Changed& changed);

// The share of the picture that differs by more than noise and compression.
double VisiblyChanged(const Moment& a, const Moment& b);

}  // namespace gleaner::bench
