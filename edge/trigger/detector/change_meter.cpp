#include "edge/trigger/detector/change_meter.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace gleaner::edge {
namespace {

// Below this, compression itself makes cells differ.
constexpr double kLeastThreshold = 12;
constexpr double kMostThreshold = 48;
// Of the mean absolute difference. For normal noise that is 0.8 sigma, so this is six sigmas.
constexpr double kNoiseFactor = 7.5;
constexpr double kNoiseGain = 0.05;
// A picture that has changed more than this says nothing about noise.
constexpr double kQuietFraction = 0.02;

}  // namespace

void ChangeMeter::Reset() { *this = ChangeMeter(); }

double ChangeMeter::Look(LumaPicture luma, int64_t monotonic_ns) {
  // The newest picture that is old enough, or else the oldest.
  while (recent_.size() > 1 && monotonic_ns - recent_[1].monotonic_ns >= kDistanceNs) {
    recent_.pop_front();
  }
  const double fraction = recent_.empty() ? 0 : Compare(recent_.front().luma, luma);
  recent_.push_back({std::move(luma), monotonic_ns});
  return fraction;
}

double ChangeMeter::LookFromAfar(const LumaPicture& luma) {
  return background_.empty() ? 0 : Compare(background_, luma);
}

void ChangeMeter::SetBackground(LumaPicture luma) { background_ = std::move(luma); }

void ChangeMeter::SettleBackground() {
  if (!recent_.empty()) background_ = recent_.back().luma;
}

double ChangeMeter::threshold() const {
  return std::clamp(kNoiseFactor * noise_, kLeastThreshold, kMostThreshold);
}

double ChangeMeter::Compare(const LumaPicture& a, const LumaPicture& b) {
  if (a.width != b.width || a.height != b.height) return 1;
  const int least = static_cast<int>(threshold());
  int64_t changed = 0;
  int64_t sum = 0;
  for (int y = 0; y < a.height; ++y) {
    const uint8_t* row_a = a.row(y);
    const uint8_t* row_b = b.row(y);
    int row_sum = 0;
    int row_changed = 0;
    for (int x = 0; x < a.width; ++x) {
      const int difference = std::abs(row_a[x] - row_b[x]);
      row_sum += difference;
      row_changed += difference > least;
    }
    sum += row_sum;
    changed += row_changed;
  }
  const double cells = static_cast<double>(a.width) * a.height;
  const double fraction = static_cast<double>(changed) / cells;
  if (fraction < kQuietFraction) noise_ += kNoiseGain * (static_cast<double>(sum) / cells - noise_);
  return fraction;
}

}  // namespace gleaner::edge
