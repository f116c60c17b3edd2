// How a picture is turned for viewing. A camera that hangs upside down says so beside its pictures
// (the display matrix of ISO 14496-12, 8.3.2); whoever makes a small picture of one turns it
// upright.
#pragma once

#include <cstdint>

namespace gleaner {

struct Turn {
  bool mirrored = false;  // left and right are swapped first,
  int quarters = 0;       // then it is turned clockwise, 0 to 3 times by 90 degrees

  bool operator==(const Turn&) const = default;
  bool upright() const { return !mirrored && quarters == 0; }
  // Whether width and height change places.
  bool sideways() const { return quarters % 2 != 0; }
  int degrees() const { return quarters * 90; }
};

// The nearest to what a display matrix of nine numbers says, its numbers in any scale.
Turn TurnOf(const int32_t* matrix);

// Copies a plane of one byte a sample, turned. `width` and `height` are those of `from`; `to` has
// them swapped where the turn is sideways. Strides in bytes.
void TurnPlane(Turn turn, const uint8_t* from, int from_stride, int width, int height, uint8_t* to,
               int to_stride);

}  // namespace gleaner
