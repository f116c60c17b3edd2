#include "cloud/media/worker/measures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include "cloud/media/worker/scaling.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

// Noise and compression stay below this.
constexpr int kCellNoise = 10;
constexpr int kLinesOfACell = 8;
constexpr int kMeasuredWidth = 640;
constexpr double kUsualSharpness = 100;
constexpr int kTilesAcross = 16;
constexpr int kTilesDown = 12;
// Standard deviation within a tile that shows something.
constexpr double kTileDetail = 4;
constexpr int kDarkest = 4;
constexpr int kBrightest = 251;
constexpr int kHashSide = 8;

// The luma of a frame where it lies, or a copy of it where that isn't 8 bits a sample.
struct Luma {
  const uint8_t* data = nullptr;
  int stride = 0, width = 0, height = 0;
  bool full_range = false;
  std::vector<uint8_t> copy;
};

bool HasPlainLuma(int format) {
  switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_GRAY8:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<Luma> LumaOf(const AVFrame& frame) {
  Luma luma{.data = frame.data[0],
            .stride = frame.linesize[0],
            .width = frame.width,
            .height = frame.height,
            .full_range = IsFullRange(frame)};
  if (HasPlainLuma(frame.format)) return luma;
  const Owned<SwsContext> converter(sws_getContext(
      frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), frame.width,
      frame.height, AV_PIX_FMT_GRAY8, SWS_POINT, nullptr, nullptr, nullptr));
  if (converter == nullptr) return absl::InvalidArgumentError("a frame has no luma");
  sws_setColorspaceDetails(converter.get(), sws_getCoefficients(SWS_CS_ITU601),
                           luma.full_range ? 1 : 0, sws_getCoefficients(SWS_CS_ITU601), 1, 0,
                           1 << 16, 1 << 16);
  luma.copy.resize(static_cast<size_t>(frame.width) * static_cast<size_t>(frame.height));
  uint8_t* to[] = {luma.copy.data()};
  const int strides[] = {frame.width};
  if (sws_scale(converter.get(), frame.data, frame.linesize, 0, frame.height, to, strides) !=
      frame.height) {
    return absl::InvalidArgumentError("a frame has no luma");
  }
  luma.data = luma.copy.data();
  luma.stride = frame.width;
  luma.full_range = true;
  return luma;
}

uint8_t ToFull(double value, bool full_range) {
  if (!full_range) value = (value - 16) * 255 / 219;
  return static_cast<uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
}

// The luma in full range at about kMeasuredWidth: means of squares of pixels.
Luma Reduce(const Luma& from) {
  const int side = std::max(1, (from.width + kMeasuredWidth / 2) / kMeasuredWidth);
  Luma to{.width = std::max(1, from.width / side),
          .height = std::max(1, from.height / side),
          .full_range = true};
  to.stride = to.width;
  to.copy.resize(static_cast<size_t>(to.width) * static_cast<size_t>(to.height));
  std::array<uint8_t, 256> full{};
  for (int v = 0; v < 256; ++v) full[static_cast<size_t>(v)] = ToFull(v, from.full_range);
  std::vector<uint32_t> sums(static_cast<size_t>(from.width));
  const auto area = static_cast<uint32_t>(std::min(side, from.width) * std::min(side, from.height));
  for (int y = 0; y < to.height; ++y) {
    std::fill(sums.begin(), sums.end(), area / 2 / static_cast<uint32_t>(side));
    for (int line = 0; line < std::min(side, from.height); ++line) {
      const uint8_t* row = from.data + static_cast<ptrdiff_t>(y * side + line) * from.stride;
      for (int x = 0; x < from.width; ++x) sums[static_cast<size_t>(x)] += row[x];
    }
    uint8_t* out = to.copy.data() + static_cast<size_t>(y) * static_cast<size_t>(to.width);
    for (int x = 0; x < to.width; ++x) {
      uint32_t sum = 0;
      for (int i = 0; i < side; ++i) {
        sum += sums[static_cast<size_t>(std::min(x * side + i, from.width - 1))];
      }
      out[x] = full[std::min<uint32_t>(sum / area, 255)];
    }
  }
  to.data = to.copy.data();
  return to;
}

double VarianceOfLaplacian(const Luma& luma) {
  if (luma.width < 3 || luma.height < 3) return 0;
  int64_t sum = 0, squares = 0;
  for (int y = 1; y + 1 < luma.height; ++y) {
    const uint8_t* row = luma.data + static_cast<ptrdiff_t>(y) * luma.stride;
    const uint8_t* above = row - luma.stride;
    const uint8_t* below = row + luma.stride;
    int32_t line_sum = 0;
    int64_t line_squares = 0;
    for (int x = 1; x + 1 < luma.width; ++x) {
      const int value = above[x] + below[x] + row[x - 1] + row[x + 1] - 4 * row[x];
      line_sum += value;
      line_squares += value * value;
    }
    sum += line_sum;
    squares += line_squares;
  }
  const auto count = static_cast<double>((luma.width - 2) * int64_t{luma.height - 2});
  const double mean = static_cast<double>(sum) / count;
  return std::max(0.0, static_cast<double>(squares) / count - mean * mean);
}

bool ShowsNothing(const Luma& luma, int tile_x, int tile_y) {
  const int left = tile_x * luma.width / kTilesAcross;
  const int right = std::max(left + 1, (tile_x + 1) * luma.width / kTilesAcross);
  const int top = tile_y * luma.height / kTilesDown;
  const int bottom = std::max(top + 1, (tile_y + 1) * luma.height / kTilesDown);
  int64_t sum = 0, squares = 0;
  for (int y = top; y < bottom; ++y) {
    const uint8_t* row = luma.data + static_cast<ptrdiff_t>(y) * luma.stride;
    for (int x = left; x < right; ++x) {
      sum += row[x];
      squares += row[x] * row[x];
    }
  }
  const auto count = static_cast<double>((right - left) * (bottom - top));
  const double mean = static_cast<double>(sum) / count;
  return static_cast<double>(squares) / count - mean * mean < kTileDetail * kTileDetail;
}

}  // namespace

absl::StatusOr<LumaGrid> GridOf(const AVFrame& frame, Turn turn) {
  ASSIGN_OR_RETURN(const Luma luma, LumaOf(frame));
  LumaGrid grid{};
  std::vector<uint32_t> sums(static_cast<size_t>(luma.width));
  for (int cell_y = 0; cell_y < kGridSide; ++cell_y) {
    const int top = cell_y * luma.height / kGridSide;
    const int bottom = std::max(top + 1, (cell_y + 1) * luma.height / kGridSide);
    std::fill(sums.begin(), sums.end(), 0);
    // A few lines of each cell say as much of it as all.
    const int step = std::max(1, (bottom - top) / kLinesOfACell);
    int lines = 0;
    for (int y = top; y < bottom; y += step, ++lines) {
      const uint8_t* row = luma.data + static_cast<ptrdiff_t>(y) * luma.stride;
      for (int x = 0; x < luma.width; ++x) sums[static_cast<size_t>(x)] += row[x];
    }
    for (int cell_x = 0; cell_x < kGridSide; ++cell_x) {
      const int left = cell_x * luma.width / kGridSide;
      const int right = std::max(left + 1, (cell_x + 1) * luma.width / kGridSide);
      const uint64_t sum = std::accumulate(sums.begin() + left, sums.begin() + right, uint64_t{0});
      const double mean = static_cast<double>(sum) / static_cast<double>((right - left) * lines);
      grid[static_cast<size_t>(cell_y * kGridSide + cell_x)] = ToFull(mean, luma.full_range);
    }
  }
  if (turn.upright()) return grid;
  LumaGrid upright{};
  TurnPlane(turn, grid.data(), kGridSide, kGridSide, kGridSide, upright.data(), kGridSide);
  return upright;
}

float ShareChanged(const LumaGrid& a, const LumaGrid& b) {
  std::array<int, 512> histogram{};
  for (size_t i = 0; i < a.size(); ++i) ++histogram[static_cast<size_t>(a[i] - b[i] + 255)];
  // Most of the picture stays what it is: its median change is the light's.
  size_t shift = 0;
  for (int below = 0; below + histogram[shift] <= static_cast<int>(a.size() / 2); ++shift) {
    below += histogram[shift];
  }
  int changed = 0;
  for (size_t d = 0; d < histogram.size(); ++d) {
    const int off = static_cast<int>(d) - static_cast<int>(shift);
    if (off > kCellNoise || off < -kCellNoise) changed += histogram[d];
  }
  return static_cast<float>(changed) / static_cast<float>(a.size());
}

uint64_t PerceptualHash(const LumaGrid& grid) {
  // DCT-II of the lowest frequencies but the mean's own row and column.
  std::array<std::array<double, kGridSide>, kHashSide> wave{};
  for (int f = 0; f < kHashSide; ++f) {
    for (int x = 0; x < kGridSide; ++x) {
      wave[static_cast<size_t>(f)][static_cast<size_t>(x)] =
          std::cos(std::numbers::pi * (2 * x + 1) * (f + 1) / (2.0 * kGridSide));
    }
  }
  std::array<int64_t, size_t{kHashSide} * kHashSide> amounts{};
  for (size_t v = 0; v < kHashSide; ++v) {
    std::array<double, kGridSide> down{};
    for (size_t y = 0; y < kGridSide; ++y) {
      for (size_t x = 0; x < kGridSide; ++x) down[x] += wave[v][y] * grid[y * kGridSide + x];
    }
    for (size_t u = 0; u < kHashSide; ++u) {
      double amount = 0;
      for (size_t x = 0; x < kGridSide; ++x) amount += wave[u][x] * down[x];
      // Whole numbers: what is nothing but rounding is nothing.
      amounts[v * kHashSide + u] = std::llround(amount);
    }
  }
  auto sorted = amounts;
  std::sort(sorted.begin(), sorted.end());
  // Between the two in the middle, times two so that it stays whole.
  const int64_t median = sorted[sorted.size() / 2 - 1] + sorted[sorted.size() / 2];
  uint64_t hash = 0;
  for (size_t i = 0; i < amounts.size(); ++i) {
    hash |= static_cast<uint64_t>(2 * amounts[i] > median ? 1 : 0) << i;
  }
  return hash;
}

absl::StatusOr<Quality> QualityOf(const AVFrame& frame) {
  ASSIGN_OR_RETURN(const Luma whole, LumaOf(frame));
  const Luma luma = Reduce(whole);
  Quality quality;
  const double variance = VarianceOfLaplacian(luma);
  quality.sharpness = static_cast<float>(variance / (variance + kUsualSharpness));
  std::array<uint32_t, 256> histogram{};
  for (const uint8_t value : luma.copy) ++histogram[value];
  uint64_t sum = 0, clipped = 0;
  for (size_t v = 0; v < histogram.size(); ++v) {
    sum += v * histogram[v];
    if (v <= kDarkest || v >= kBrightest) clipped += histogram[v];
  }
  const auto pixels = static_cast<double>(luma.copy.size());
  quality.exposure = static_cast<float>(static_cast<double>(sum) / pixels / 255);
  quality.clipped = static_cast<float>(static_cast<double>(clipped) / pixels);
  int nothing = 0;
  if (luma.width >= kTilesAcross && luma.height >= kTilesDown) {
    for (int y = 0; y < kTilesDown; ++y) {
      for (int x = 0; x < kTilesAcross; ++x) nothing += ShowsNothing(luma, x, y) ? 1 : 0;
    }
  }
  quality.blocked = static_cast<float>(nothing) / (kTilesAcross * kTilesDown);
  return quality;
}

}  // namespace gleaner::cloud::media
