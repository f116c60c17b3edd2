#include "common/turn.h"

#include <cstdlib>

namespace gleaner {

// A point (x, y) is shown at (a·x + c·y, b·x + d·y), y downwards.
Turn TurnOf(const int32_t* matrix) {
  int64_t a = matrix[0], b = matrix[1];
  const int64_t c = matrix[3], d = matrix[4];
  Turn turn;
  turn.mirrored = static_cast<double>(a) * d < static_cast<double>(b) * c;
  if (turn.mirrored) {
    a = -a;
    b = -b;
  }
  if (std::abs(a) + std::abs(d) >= std::abs(b) + std::abs(c)) {
    turn.quarters = a + d >= 0 ? 0 : 2;
  } else {
    turn.quarters = b - c > 0 ? 1 : 3;
  }
  return turn;
}

void TurnPlane(Turn turn, const uint8_t* from, int from_stride, int width, int height, uint8_t* to,
               int to_stride) {
  const int to_width = turn.sideways() ? height : width;
  const int to_height = turn.sideways() ? width : height;
  for (int y = 0; y < to_height; ++y) {
    for (int x = 0; x < to_width; ++x) {
      // Where this sample comes from: the turn, backwards.
      int source_x = x, source_y = y;
      if (turn.quarters == 1) source_x = y, source_y = height - 1 - x;
      if (turn.quarters == 2) source_x = width - 1 - x, source_y = height - 1 - y;
      if (turn.quarters == 3) source_x = width - 1 - y, source_y = x;
      if (turn.mirrored) source_x = width - 1 - source_x;
      to[y * to_stride + x] = from[source_y * from_stride + source_x];
    }
  }
}

}  // namespace gleaner
