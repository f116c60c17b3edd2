#include "cloud/similar/likeness.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

namespace gleaner::cloud {
namespace {

using media::kGridSide;

constexpr size_t kParameters = 7;
// At most, on the smaller sizes and on the whole one.
constexpr int kCoarseSteps = 10, kFineSteps = 6;
constexpr float kEnough = 0.002F;
// Residuals beyond this count linearly.
constexpr float kOutlier = 6;

// What was taken for a duplicate may have been cropped or shifted so far.
constexpr float kMostScale = 1.3F, kMostShift = 0.3F;
// The share of the contrast around a cell that a shift by a part of a cell may leave.
constexpr float kEdgeShare = 0.25F;
constexpr float kLeastCommon = 0.6F;
constexpr float kMostDifference = 20;
// With this much left on half the size nothing can come of it any more.
constexpr float kHopeless = 2 * kMostDifference;

// A square of brightness.
struct Grid {
  int side = 0;
  std::vector<float> cells;

  float at(int x, int y) const {
    return cells[static_cast<size_t>(std::clamp(y, 0, side - 1) * side +
                                     std::clamp(x, 0, side - 1))];
  }
};

Grid GridOf(const media::LumaGrid& luma) {
  Grid grid{kGridSide, {luma.begin(), luma.end()}};
  return grid;
}

Grid Half(const Grid& grid) {
  Grid half{grid.side / 2, {}};
  for (int y = 0; y < half.side; ++y) {
    for (int x = 0; x < half.side; ++x) {
      half.cells.push_back((grid.at(2 * x, 2 * y) + grid.at(2 * x + 1, 2 * y) +
                            grid.at(2 * x, 2 * y + 1) + grid.at(2 * x + 1, 2 * y + 1)) /
                           4);
    }
  }
  return half;
}

// Brightness and its slopes, a cell's width, between cells.
struct Sample {
  float value, slope_x, slope_y;
};
Sample SampleAt(const Grid& grid, float x, float y) {
  // Half a cell beyond the edge at most: see IsWithin.
  const int ix = static_cast<int>(x + 1) - 1, iy = static_cast<int>(y + 1) - 1;
  const float ax = x - static_cast<float>(ix), ay = y - static_cast<float>(iy);
  const int last = grid.side - 1;
  const int left = std::max(ix, 0), right = std::min(ix + 1, last);
  const float* upper = grid.cells.data() + std::max(iy, 0) * grid.side;
  const float* lower = grid.cells.data() + std::min(iy + 1, last) * grid.side;
  const float a = upper[left], b = upper[right], c = lower[left], d = lower[right];
  const float top = a + ax * (b - a), bottom = c + ax * (d - c);
  return {top + ay * (bottom - top), (1 - ay) * (b - a) + ay * (d - c), bottom - top};
}

// The middle of a cell, from -1 to 1, and back.
float Middle(int cell, int side) {
  return (2 * static_cast<float>(cell) + 1) / static_cast<float>(side) - 1;
}
float CellOf(float position, int side) {
  return ((position + 1) * static_cast<float>(side) - 1) / 2;
}
bool IsWithin(float cell, int side) {
  return cell >= -0.5F && cell <= static_cast<float>(side) - 0.5F;
}

using Normal = std::array<std::array<double, kParameters + 1>, kParameters>;

// By elimination; false where it has no one answer.
bool Solve(Normal* normal, std::array<double, kParameters>* answer) {
  Normal& m = *normal;
  for (size_t column = 0; column < kParameters; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < kParameters; ++row) {
      if (std::abs(m[row][column]) > std::abs(m[pivot][column])) pivot = row;
    }
    if (std::abs(m[pivot][column]) < 1e-9) return false;
    std::swap(m[pivot], m[column]);
    for (size_t row = 0; row < kParameters; ++row) {
      if (row == column) continue;
      const double by = m[row][column] / m[column][column];
      for (size_t i = column; i <= kParameters; ++i) m[row][i] -= by * m[column][i];
    }
  }
  for (size_t i = 0; i < kParameters; ++i) (*answer)[i] = m[i][kParameters] / m[i][i];
  return true;
}

float InLight(const Overlay& overlay, float value) {
  return overlay.light + overlay.gain * value + overlay.bend * value * value / 255;
}

void Refine(const Grid& from, const Grid& to, int steps, Overlay* overlay) {
  const int side = to.side;
  const float half = static_cast<float>(side) / 2;
  for (int step = 0; step < steps; ++step) {
    // The upper triangle of the normal equations, and their right side.
    std::array<std::array<float, kParameters + 1>, kParameters> sums{};
    for (int cell_y = 0; cell_y < side; ++cell_y) {
      const float y = Middle(cell_y, side);
      const float v = CellOf(overlay->scale_y * y + overlay->shift_y, side);
      if (!IsWithin(v, side)) continue;
      for (int cell_x = 0; cell_x < side; ++cell_x) {
        const float x = Middle(cell_x, side);
        const float u = CellOf(overlay->scale_x * x + overlay->shift_x, side);
        if (!IsWithin(u, side)) continue;
        const Sample sample = SampleAt(from, u, v);
        const float residual = to.at(cell_x, cell_y) - InLight(*overlay, sample.value);
        const float off = std::abs(residual);
        const float weight = off <= kOutlier ? 1 : kOutlier / off;
        const float gain = overlay->gain + 2 * overlay->bend * sample.value / 255;
        const float along_x = gain * sample.slope_x * half, along_y = gain * sample.slope_y * half;
        const std::array<float, kParameters + 1> slopes = {along_x * x,
                                                           along_y * y,
                                                           along_x,
                                                           along_y,
                                                           sample.value,
                                                           1,
                                                           sample.value * sample.value / 255,
                                                           residual};
        for (size_t i = 0; i < kParameters; ++i) {
          const float weighted = weight * slopes[i];
          for (size_t j = 0; j <= kParameters; ++j) sums[i][j] += weighted * slopes[j];
        }
      }
    }
    Normal normal{};
    for (size_t i = 0; i < kParameters; ++i) {
      for (size_t j = 0; j <= kParameters; ++j) normal[i][j] = sums[i][j];
      normal[i][i] = normal[i][i] * 1.001 + 1e-3;
    }
    std::array<double, kParameters> by{};
    if (!Solve(&normal, &by)) return;
    const auto moved = [&](float value, size_t which, float least, float most) {
      return std::clamp(value + static_cast<float>(by[which]), least, most);
    };
    overlay->scale_x = moved(overlay->scale_x, 0, 1 / kMostScale, kMostScale);
    overlay->scale_y = moved(overlay->scale_y, 1, 1 / kMostScale, kMostScale);
    overlay->shift_x = moved(overlay->shift_x, 2, -kMostShift, kMostShift);
    overlay->shift_y = moved(overlay->shift_y, 3, -kMostShift, kMostShift);
    overlay->gain = moved(overlay->gain, 4, 0.2F, 4);
    overlay->light = moved(overlay->light, 5, -300, 300);
    overlay->bend = moved(overlay->bend, 6, -1, 1);
    if (std::abs(by[0]) + std::abs(by[1]) + std::abs(by[2]) + std::abs(by[3]) < kEnough) return;
  }
}

// What is left under the overlay: see Likeness.
Likeness Measure(const Grid& from, const Grid& to, const Overlay& overlay) {
  Likeness likeness{.overlay = overlay};
  const int side = to.side;
  std::vector<float> beyond(static_cast<size_t>(side * side));
  int common = 0;
  for (int cell_y = 0; cell_y < side; ++cell_y) {
    const float v = CellOf(overlay.scale_y * Middle(cell_y, side) + overlay.shift_y, side);
    if (!IsWithin(v, side)) continue;
    for (int cell_x = 0; cell_x < side; ++cell_x) {
      const float u = CellOf(overlay.scale_x * Middle(cell_x, side) + overlay.shift_x, side);
      if (!IsWithin(u, side)) continue;
      ++common;
      const float value = SampleAt(from, u, v).value;
      const float residual = to.at(cell_x, cell_y) - InLight(overlay, value);
      float least = 255, most = 0;
      const int near_x = static_cast<int>(u + 0.5F), near_y = static_cast<int>(v + 0.5F);
      for (int dy = -1; dy <= 1; ++dy) {
        for (int dx = -1; dx <= 1; ++dx) {
          const float around = from.at(near_x + dx, near_y + dy);
          least = std::min(least, around);
          most = std::max(most, around);
        }
      }
      const float gain = std::abs(overlay.gain + 2 * overlay.bend * value / 255);
      const float left = std::abs(residual) - kEdgeShare * gain * (most - least);
      if (left <= 0) continue;
      beyond[static_cast<size_t>(cell_y * side + cell_x)] = residual < 0 ? -left : left;
    }
  }
  likeness.common = static_cast<float>(common) / static_cast<float>(side * side);
  for (int y = 0; y + 1 < side; ++y) {
    for (int x = 0; x + 1 < side; ++x) {
      const float* upper = beyond.data() + y * side + x;
      const float* lower = upper + side;
      likeness.difference =
          std::max(likeness.difference, std::abs(upper[0] + upper[1] + lower[0] + lower[1]) / 4);
    }
  }
  return likeness;
}

}  // namespace

Likeness Compare(const media::LumaGrid& from, const media::LumaGrid& to) {
  const Grid from_32 = GridOf(from), to_32 = GridOf(to);
  // A camera that stands still, before which nothing moved: most duplicates are that.
  if (const Likeness still = Measure(from_32, to_32, {}); AreDuplicates(still)) return still;
  const Grid from_16 = Half(from_32), to_16 = Half(to_32);
  Overlay overlay;
  Refine(Half(from_16), Half(to_16), kCoarseSteps, &overlay);
  Refine(from_16, to_16, kCoarseSteps, &overlay);
  const Likeness coarse = Measure(from_16, to_16, overlay);
  if (coarse.difference > kHopeless) return coarse;
  Refine(from_32, to_32, kFineSteps, &overlay);
  return Measure(from_32, to_32, overlay);
}

bool AreDuplicates(const Likeness& likeness) {
  return likeness.common >= kLeastCommon && likeness.difference <= kMostDifference;
}

}  // namespace gleaner::cloud
