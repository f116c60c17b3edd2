#include "edge/trigger/detector/motion.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "edge/trigger/detector/registry.h"

namespace gleaner::edge {
namespace {

// A look that sees less than this sees nothing: it does not keep the detector awake.
constexpr double kQuietFraction = 0.003;
constexpr int64_t kStayAwakeNs = 1000 * kNanosPerMilli;
// For motion to grow out of what raised the question.
constexpr int64_t kDismissNs = 130 * kNanosPerMilli;
// After this long without a change, packets are quiet packets again.
constexpr int64_t kSettledNs = 300 * kNanosPerMilli;

constexpr IntRange kCheckRange = {kNanosPerSecond / 2, 60 * kNanosPerSecond};
constexpr int64_t kDistrustedCheckNs = 500 * kNanosPerMilli;
constexpr int64_t kDistrustNs = 60 * kNanosPerSecond;

constexpr double kSampleStep = 0.002;
constexpr int64_t kMovingSampleNs = 250 * kNanosPerMilli;
constexpr int64_t kQuietSampleNs = kNanosPerSecond;
constexpr int64_t kValidNs = 3 * kNanosPerSecond;

}  // namespace

MotionDetector::Options MotionDetector::Options::Read(ConfigReader& reader) {
  Options options;
  options.check_ns = reader.DurationNs("check", options.check_ns, kCheckRange);
  return options;
}

MotionDetector::MotionDetector(std::string_view camera, const Options& options, SampleSink& sink)
    : options_(options), sink_(sink) {
  sample_.name = SignalName(camera, kName);
  sample_.valid_ns = kValidNs;
}

void MotionDetector::OnFormat(const VideoFormat& /*format*/, PacketWatch& sizes) {
  sizes_ = &sizes;
  meter_.Reset();
  started_ = false;
  check_ = false;
  awake_ = false;
  distrust_until_ns_ = 0;
}

void MotionDetector::OnPacket(const WatchedPacket& watched) {
  const int64_t now_ns = watched.packet.monotonic_ns;
  check_ = false;
  if (!std::exchange(started_, true)) Wake(now_ns, /*questioned=*/false);
  if (awake_) {
    if (Quiet(now_ns)) sizes_->Learn();
  } else if (watched.suspicious) {
    Wake(now_ns, /*questioned=*/true);
  } else {
    sizes_->Learn();
    check_ = watched.packet.keyframe && CheckDue(now_ns);
  }
}

Need MotionDetector::need() const {
  return {.pictures = awake_   ? Need::Pictures::kEvery
                      : check_ ? Need::Pictures::kKeyframes
                               : Need::Pictures::kDecoded,
          .interval_ns = check_ ? 0 : meter_.IntervalNs(),
          .size = ChangeMeter::kSize};
}

void MotionDetector::OnPicture(const Picture& picture) {
  if (picture.alone) {
    Check(picture);
  } else {
    Look(picture);
  }
}

void MotionDetector::OnPacketDone(int64_t now_ns) {
  check_ = false;
  if (!awake_) {
    Write(0, now_ns);
  } else if (MayCool(now_ns)) {
    Cool(now_ns);
  }
}

bool MotionDetector::Quiet(int64_t now_ns) const {
  return !confirmed_ || now_ns >= changed_ns_ + kSettledNs;
}

bool MotionDetector::MayCool(int64_t now_ns) const {
  if (confirmed_) return now_ns >= changed_ns_ + kStayAwakeNs;
  // The whole distance, or else a decoder that gives no pictures.
  return now_ns >= woke_ns_ + kDismissNs &&
         (meter_.spans_distance() || now_ns >= woke_ns_ + kStayAwakeNs);
}

bool MotionDetector::CheckDue(int64_t now_ns) const {
  const bool trusted = sizes_->Trustworthy() && now_ns >= distrust_until_ns_;
  return now_ns >= checked_ns_ + (trusted ? options_.check_ns : kDistrustedCheckNs);
}

void MotionDetector::Wake(int64_t now_ns, bool questioned) {
  awake_ = true;
  questioned_ = questioned;
  confirmed_ = false;
  woke_ns_ = now_ns;
  meter_.Pause();
}

void MotionDetector::WakeUntold(int64_t now_ns) {
  if (sizes_->trained()) {
    sizes_->Missed();
    distrust_until_ns_ = now_ns + kDistrustNs;
  }
  Wake(now_ns, /*questioned=*/false);
}

void MotionDetector::Cool(int64_t now_ns) {
  awake_ = false;
  if (questioned_ && !confirmed_) sizes_->Answer(false);
  meter_.SettleBackground();
  checked_ns_ = now_ns;
}

void MotionDetector::Check(const Picture& keyframe) {
  const int64_t now_ns = keyframe.frame.monotonic_ns;
  checked_ns_ = now_ns;
  const double fraction = meter_.LookFromAfar(keyframe.luma);
  meter_.SetBackground(keyframe.luma);
  if (fraction < kQuietFraction) return;
  Write(fraction, now_ns);
  WakeUntold(now_ns);
}

void MotionDetector::Look(const Picture& picture) {
  const int64_t now_ns = picture.frame.monotonic_ns;
  const double afar = awake_ && !confirmed_ ? meter_.LookFromAfar(picture.luma) : 0;
  const double value = std::max(afar, meter_.Look(picture.luma, now_ns));
  Write(value, now_ns);
  if (!awake_) {
    // Shown because others asked for it, and as good as a check of its own.
    if (!started_) return;
    if (value >= kQuietFraction) return WakeUntold(now_ns);
    if (check_) meter_.SettleBackground();
    if (check_) checked_ns_ = now_ns;
    check_ = false;
    return;
  }
  if (value < kQuietFraction) return;
  changed_ns_ = now_ns;
  if (!std::exchange(confirmed_, true)) {
    if (questioned_) sizes_->Answer(true);
    meter_.SettleBackground();
  }
}

void MotionDetector::Write(double value, int64_t monotonic_ns) {
  const int64_t at_ns = std::max(monotonic_ns, sample_.monotonic_ns);
  if (written_ && std::abs(value - sample_.value.number()) < kSampleStep &&
      at_ns < sample_.monotonic_ns + (value > 0 ? kMovingSampleNs : kQuietSampleNs)) {
    return;
  }
  written_ = true;
  sample_.value = value;
  sample_.monotonic_ns = at_ns;
  sink_.OnSample(sample_);
}

}  // namespace gleaner::edge
