#include "edge/trigger/detector/change_meter.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
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

bool ChangeMeter::Due(int64_t monotonic_ns) const {
  return recent_.empty() || monotonic_ns - recent_.back().monotonic_ns >= kLookNs;
}

double ChangeMeter::Look(cv::Mat luma, int64_t monotonic_ns) {
  // The newest picture that is old enough, or else the oldest.
  while (recent_.size() > 1 && monotonic_ns - recent_[1].monotonic_ns >= kDistanceNs) {
    recent_.pop_front();
  }
  const double fraction = recent_.empty() ? 0 : Compare(recent_.front().luma, luma);
  recent_.push_back({std::move(luma), monotonic_ns});
  return fraction;
}

double ChangeMeter::LookFromAfar(const cv::Mat& luma) {
  return background_.empty() ? 0 : Compare(background_, luma);
}

void ChangeMeter::SetBackground(cv::Mat luma) { background_ = std::move(luma); }

void ChangeMeter::SettleBackground() {
  if (!recent_.empty()) background_ = recent_.back().luma;
}

double ChangeMeter::threshold() const {
  return std::clamp(kNoiseFactor * noise_, kLeastThreshold, kMostThreshold);
}

double ChangeMeter::Compare(const cv::Mat& a, const cv::Mat& b) {
  if (a.size() != b.size()) return 1;
  cv::absdiff(a, b, difference_);
  cv::threshold(difference_, changed_, threshold(), 1, cv::THRESH_BINARY);
  const double fraction = cv::sum(changed_)[0] / static_cast<double>(changed_.total());
  if (fraction < kQuietFraction) {
    noise_ += kNoiseGain * (cv::mean(difference_)[0] - noise_);
  }
  return fraction;
}

}  // namespace gleaner::edge
