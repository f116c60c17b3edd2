// Whether two frames are near-duplicates: the same moment, or one that can't be told from it, seen
// a little shifted, cropped, brighter or darker, or compressed anew.
//
// A hash can't say it: another moment before a camera that doesn't move changes fewer of its 64
// bits than a crop does. So the two pictures, as grids of brightness (media/worker_protocol.h), are
// laid over each other first: the shift, the scale of either axis and the gain of the light under
// which they differ least, by least squares with outliers held back (B. Lucas and T. Kanade, 1981;
// over three sizes of the grid). Then they are duplicates where nothing is left that differs by
// more than edges and noise explain: what was moved, added or taken away is left.
#pragma once

#include <cstdint>

#include "cloud/media/worker_protocol.h"

namespace gleaner::cloud {

// How one grid lies over another: its point (x, y), from -1 to 1 over the picture, is that of the
// other at (scale_x * x + shift_x, scale_y * y + shift_y), in other light:
// its brightness b as gain * b + bend * b² / 255 + light.
struct Overlay {
  float scale_x = 1, scale_y = 1, shift_x = 0, shift_y = 0;
  float gain = 1, bend = 0, light = 0;
};

struct Likeness {
  Overlay overlay;
  float common = 0;  // the share of the second picture that both show
  // The largest difference that is left, of a spot of 2 x 2 cells, beyond what the edges there
  // explain, in steps of 8-bit brightness.
  float difference = 0;
};
Likeness Compare(const media::LumaGrid& from, const media::LumaGrid& to);

bool AreDuplicates(const Likeness& likeness);

}  // namespace gleaner::cloud
