// Which parts of a picture have changed since the last one, for detectors that are too costly for
// all of it.
#pragma once

#include <memory>
#include <vector>

#include "edge/trigger/detector/luma.h"

namespace gleaner::edge {

// A rectangle in fractions of the picture, 0 to 1.
struct PicturePart {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  bool operator==(const PicturePart&) const = default;
};

// Compares reduced pictures tile by tile. Not thread-safe.
class ChangedParts {
 public:
  static constexpr size_t kMaxParts = 4;

  // The next picture is the first.
  void Reset() { last_ = {}; }
  // Where this picture differs from the last: boxes around tiles that touch each other, each a tile
  // larger on all sides, the largest first; of more than kMaxParts the others are left out. Of a
  // first picture, one of another size, or one that has changed nearly everywhere: the whole. Empty
  // where nothing changed, or the picture can't be read.
  std::vector<PicturePart> Look(const std::shared_ptr<const AVFrame>& frame);

 private:
  LumaReducer reducer_{{320, 180}};
  LumaPicture last_;
};

}  // namespace gleaner::edge
