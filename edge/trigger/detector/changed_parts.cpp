#include "edge/trigger/detector/changed_parts.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace gleaner::edge {
namespace {

constexpr int kTile = 10;  // cells a side
// Mean absolute difference in a tile, in steps of brightness: a sensor's noise, averaged to a cell,
// is below 2.
constexpr int kChanged = 4;
// From this share of the picture on it is all of it.
constexpr double kNearlyAll = 0.6;

struct Box {
  int left;
  int top;
  int right;  // past the end
  int bottom;

  int area() const { return (right - left) * (bottom - top); }
};

class Tiles {
 public:
  Tiles(const LumaPicture& a, const LumaPicture& b)
      : columns_((a.width + kTile - 1) / kTile),
        rows_((a.height + kTile - 1) / kTile),
        changed_(static_cast<size_t>(columns_) * rows_) {
    for (int row = 0; row < rows_; ++row) {
      for (int column = 0; column < columns_; ++column) At(column, row) = Differ(a, b, column, row);
    }
  }

  // Boxes around changed tiles that touch, also at a corner.
  std::vector<Box> Boxes() {
    std::vector<Box> boxes;
    for (int row = 0; row < rows_; ++row) {
      for (int column = 0; column < columns_; ++column) {
        if (At(column, row)) boxes.push_back(TakeFrom(column, row));
      }
    }
    return boxes;
  }

 private:
  char& At(int column, int row) { return changed_[static_cast<size_t>(row) * columns_ + column]; }

  static bool Differ(const LumaPicture& a, const LumaPicture& b, int column, int row) {
    const int right = std::min((column + 1) * kTile, a.width);
    const int bottom = std::min((row + 1) * kTile, a.height);
    int sum = 0;
    for (int y = row * kTile; y < bottom; ++y) {
      for (int x = column * kTile; x < right; ++x) sum += std::abs(a.row(y)[x] - b.row(y)[x]);
    }
    return sum >= kChanged * (right - column * kTile) * (bottom - row * kTile);
  }

  // The box around all that touches this tile; it is unchanged from then on.
  Box TakeFrom(int column, int row) {
    Box box{column, row, column + 1, row + 1};
    std::vector<std::pair<int, int>> open = {{column, row}};
    At(column, row) = 0;
    while (!open.empty()) {
      const auto [x, y] = open.back();
      open.pop_back();
      box = {std::min(box.left, x), std::min(box.top, y), std::max(box.right, x + 1),
             std::max(box.bottom, y + 1)};
      for (int v = std::max(0, y - 1); v <= std::min(rows_ - 1, y + 1); ++v) {
        for (int u = std::max(0, x - 1); u <= std::min(columns_ - 1, x + 1); ++u) {
          if (std::exchange(At(u, v), 0)) open.emplace_back(u, v);
        }
      }
    }
    return box;
  }

  const int columns_;
  const int rows_;
  std::vector<char> changed_;
};

}  // namespace

std::vector<PicturePart> ChangedParts::Look(const std::shared_ptr<const AVFrame>& frame) {
  const LumaPicture luma = reducer_.Reduce(frame);
  if (luma.empty()) return {};
  const LumaPicture last = std::exchange(last_, luma);
  const std::vector<PicturePart> whole = {{.width = 1, .height = 1}};
  if (last.empty() || last.width != luma.width || last.height != luma.height) return whole;
  Tiles tiles(last, luma);
  std::vector<Box> boxes = tiles.Boxes();
  std::sort(boxes.begin(), boxes.end(),
            [](const Box& a, const Box& b) { return a.area() > b.area(); });
  if (boxes.size() > kMaxParts) boxes.resize(kMaxParts);
  std::vector<PicturePart> parts;
  for (const Box& box : boxes) {
    const double left = std::max(0, box.left - 1) * kTile;
    const double top = std::max(0, box.top - 1) * kTile;
    const double right = std::min((box.right + 1) * kTile, luma.width);
    const double bottom = std::min((box.bottom + 1) * kTile, luma.height);
    parts.push_back({.x = left / luma.width,
                     .y = top / luma.height,
                     .width = (right - left) / luma.width,
                     .height = (bottom - top) / luma.height});
    if (parts.back().width * parts.back().height > kNearlyAll) return whole;
  }
  return parts;
}

}  // namespace gleaner::edge
