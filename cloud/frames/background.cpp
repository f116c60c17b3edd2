#include "cloud/frames/background.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace gleaner::cloud {
namespace {

using media::LumaGrid;

// Noise and compression stay below this, in the mean of a cell.
constexpr int kCellNoise = 6;
// So many cells may differ, in a thousand: a spot, no thing.
constexpr int kBearable = 5;
constexpr double kQuietMotion = 0.005;
constexpr double kCovered = 0.9;
constexpr double kPitchDark = 0.03;

// The median of differences between two pictures is that of the light.
int ShiftOfLight(const LumaGrid& picture, const LumaGrid& of) {
  std::array<int, 511> histogram{};
  for (size_t i = 0; i < picture.size(); ++i) {
    ++histogram[static_cast<size_t>(picture[i] - of[i] + 255)];
  }
  size_t at = 0;
  for (int below = histogram[0]; below <= static_cast<int>(picture.size() / 2);) {
    below += histogram[++at];
  }
  return static_cast<int>(at) - 255;
}

}  // namespace

Background::Background(std::string_view bytes) {
  const size_t count = std::min(bytes.size() / sizeof(LumaGrid), kMost);
  for (size_t i = 0; i < count; ++i) {
    LumaGrid& grid = samples_.emplace_back();
    std::memcpy(grid.data(), bytes.data() + i * sizeof(LumaGrid), sizeof(LumaGrid));
  }
  Settle();
}

std::string Background::Serialize() const {
  std::string bytes;
  for (const LumaGrid& grid : samples_) {
    bytes.append(reinterpret_cast<const char*>(grid.data()), grid.size());
  }
  return bytes;
}

v1::Frame::Background Background::Judge(const LumaGrid& grid) const {
  if (samples_.size() < kLeast) return v1::Frame::BACKGROUND_UNSPECIFIED;
  const int shift = ShiftOfLight(grid, median_);
  int different = 0;
  for (size_t i = 0; i < grid.size(); ++i) {
    const int off = std::abs(grid[i] - median_[i] - shift);
    different += off > kCellNoise + 2 * spread_[i] ? 1 : 0;
  }
  return different * 1000 <= kBearable * static_cast<int>(grid.size()) ? v1::Frame::BACKGROUND_YES
                                                                       : v1::Frame::BACKGROUND_NO;
}

void Background::Learn(const LumaGrid& grid) {
  if (samples_.size() == kMost) samples_.erase(samples_.begin());
  samples_.push_back(grid);
  Settle();
}

void Background::Settle() {
  if (samples_.empty()) return;
  // All in the light of the newest.
  std::vector<int> shifts;
  for (const LumaGrid& sample : samples_) shifts.push_back(ShiftOfLight(samples_.back(), sample));
  std::vector<int> values(samples_.size());
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  for (size_t cell = 0; cell < median_.size(); ++cell) {
    for (size_t i = 0; i < samples_.size(); ++i) values[i] = samples_[i][cell] + shifts[i];
    std::nth_element(values.begin(), middle, values.end());
    const int median = *middle;
    for (int& value : values) value = std::abs(value - median);
    std::nth_element(values.begin(), middle, values.end());
    median_[cell] = static_cast<uint8_t>(std::clamp(median, 0, 255));
    spread_[cell] = static_cast<uint8_t>(std::min(*middle, 255));
  }
}

bool IsQuiet(const media::ChosenFrame& frame) {
  return frame.motion <= kQuietMotion && frame.blocked < kCovered && frame.exposure > kPitchDark;
}

std::vector<v1::Frame::Background> JudgeClip(const std::vector<media::ChosenFrame>& frames,
                                             bool learn, Background& background) {
  std::vector<v1::Frame::Background> judged;
  for (const media::ChosenFrame& frame : frames) judged.push_back(background.Judge(frame.grid));
  if (!learn) return judged;
  const auto first = std::find_if(frames.begin(), frames.end(), IsQuiet);
  if (first == frames.end()) return judged;
  const auto last = std::find_if(frames.rbegin(), frames.rend(), IsQuiet);
  background.Learn(first->grid);
  if (&*last != &*first) background.Learn(last->grid);
  return judged;
}

}  // namespace gleaner::cloud
