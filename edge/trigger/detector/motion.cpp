#include "edge/trigger/detector/motion.h"

extern "C" {
#include <libavutil/frame.h>
}

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

// A look that sees less than this sees nothing: it does not keep the detector awake.
constexpr double kQuietFraction = 0.003;
constexpr int64_t kStayAwakeNs = 1000 * kNanosPerMilli;
// For motion to grow out of what raised the question.
constexpr int64_t kDismissNs = 130 * kNanosPerMilli;
// After this long without a change, packets are quiet packets again.
constexpr int64_t kSettledNs = 300 * kNanosPerMilli;

constexpr int64_t kCheckNs = 4000 * kNanosPerMilli;
constexpr int64_t kDistrustedCheckNs = 500 * kNanosPerMilli;
constexpr int64_t kDistrustNs = 60 * kNanosPerSecond;

constexpr double kSampleStep = 0.002;
constexpr int64_t kMovingSampleNs = 250 * kNanosPerMilli;
constexpr int64_t kQuietSampleNs = kNanosPerSecond;
constexpr int64_t kValidNs = 3 * kNanosPerSecond;

// A camera with longer groups of pictures than this is decoded as it goes, so that waking takes
// neither long nor much memory.
constexpr size_t kMaxPending = 300;
constexpr size_t kMaxPendingBytes = 16 << 20;

}  // namespace

MotionDetector::MotionDetector(std::string_view camera, SampleSink& sink)
    : camera_(camera), sink_(sink) {
  sample_.name = fmt::format("camera.{}.{}", camera, kName);
  sample_.valid_ns = kValidNs;
}

void MotionDetector::OnFormat(const VideoFormat& format) {
  format_ = format;
  decodable_ = false;
  decoder_.reset();
  watch_.Reset();
  meter_.Reset();
  DropPending();
  started_ = false;
  awake_ = false;
  distrust_until_ns_ = 0;
  if (!format.Remuxable()) return;
  auto decoder = PacketDecoder::Open(format);
  decodable_ = decoder.ok();
  if (!decodable_) {
    LOG_ERROR("camera {}: no motion will be seen: {}", camera_, Message(decoder.status()));
  }
}

void MotionDetector::DropPending() {
  pending_.clear();
  pending_bytes_ = 0;
}

void MotionDetector::OnPacket(const Packet& packet) {
  ++stats_.packets;
  if (!decodable_ || (!started_ && !packet.keyframe)) return;
  const int64_t now_ns = packet.monotonic_ns;
  const bool suspicious = watch_.IsSuspicious(packet);
  if (!started_) {
    started_ = true;
    Wake(now_ns, /*questioned=*/false);
  }
  if (packet.keyframe && !awake_) {
    DropPending();
    decoder_.reset();
  }
  pending_.push_back(packet);
  pending_bytes_ += packet.size_bytes;

  if (!awake_) {
    if (suspicious) {
      Wake(now_ns, /*questioned=*/true);
    } else {
      watch_.Learn();
      if (packet.keyframe && CheckDue(now_ns)) CheckKeyframe(packet);
    }
  } else if (Quiet(now_ns)) {
    watch_.Learn();
  }
  if (awake_ || pending_.size() > kMaxPending || pending_bytes_ > kMaxPendingBytes) CatchUp();
  if (awake_) {
    if (MayCool(now_ns)) Cool(now_ns);
  } else {
    Write(0, now_ns);
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
  const bool trusted = watch_.Trustworthy() && now_ns >= distrust_until_ns_;
  return now_ns >= checked_ns_ + (trusted ? kCheckNs : kDistrustedCheckNs);
}

void MotionDetector::Wake(int64_t now_ns, bool questioned) {
  awake_ = true;
  questioned_ = questioned;
  confirmed_ = false;
  woke_ns_ = now_ns;
  meter_.Pause();
}

void MotionDetector::Cool(int64_t now_ns) {
  awake_ = false;
  if (questioned_ && !confirmed_) watch_.Answer(false);
  meter_.SettleBackground();
  checked_ns_ = now_ns;
}

void MotionDetector::CatchUp() {
  if (decoder_ == nullptr) {
    auto decoder = PacketDecoder::Open(format_);
    if (!decoder.ok())
      return;  // it did open before: for lack of memory; the next packet tries again
    decoder_ = *std::move(decoder);
  }
  const Packet& newest = pending_.back();
  const double tick_ns = 1e9 * format_.time_base.numerator / format_.time_base.denominator;
  for (const Packet& packet : pending_) {
    decoder_->Decode(packet, [&](const AVFrame& picture) {
      ++stats_.decoded_frames;
      const auto age_ns =
          static_cast<int64_t>(static_cast<double>(newest.pts - picture.pts) * tick_ns);
      Look(picture, newest.monotonic_ns - age_ns);
    });
  }
  DropPending();
}

void MotionDetector::CheckKeyframe(const Packet& keyframe) {
  checked_ns_ = keyframe.monotonic_ns;
  auto decoder = PacketDecoder::Open(format_);
  if (!decoder.ok()) return;
  LumaPicture luma;
  const auto reduce = [&](const AVFrame& picture) {
    ++stats_.decoded_frames;
    reducer_.Reduce(picture, luma);
  };
  (*decoder)->Decode(keyframe, reduce);
  (*decoder)->Finish(reduce);
  if (luma.empty()) return;
  ++stats_.looked_at;
  const double fraction = meter_.LookFromAfar(luma);
  meter_.SetBackground(std::move(luma));
  if (fraction < kQuietFraction) return;
  Write(fraction, keyframe.monotonic_ns);
  if (watch_.trained()) {
    watch_.Missed();
    distrust_until_ns_ = keyframe.monotonic_ns + kDistrustNs;
  }
  Wake(keyframe.monotonic_ns, /*questioned=*/false);
}

void MotionDetector::OnFrame(const Frame& frame) { Look(*frame.data, frame.monotonic_ns); }

void MotionDetector::Look(const AVFrame& picture, int64_t monotonic_ns) {
  // What the decoder had to make up would look like motion.
  if (picture.decode_error_flags != 0 || (picture.flags & AV_FRAME_FLAG_CORRUPT) != 0) return;
  if (!meter_.Due(monotonic_ns)) return;
  LumaPicture luma;
  if (!reducer_.Reduce(picture, luma)) return;
  ++stats_.looked_at;
  const double afar = awake_ && !confirmed_ ? meter_.LookFromAfar(luma) : 0;
  const double value = std::max(afar, meter_.Look(std::move(luma), monotonic_ns));
  Write(value, monotonic_ns);
  if (!awake_ || value < kQuietFraction) return;
  changed_ns_ = monotonic_ns;
  if (!std::exchange(confirmed_, true)) {
    if (questioned_) watch_.Answer(true);
    meter_.SettleBackground();
  }
}

void MotionDetector::Write(double value, int64_t monotonic_ns) {
  const int64_t at_ns = std::max(monotonic_ns, sample_.monotonic_ns);
  if (written_ && std::abs(value - sample_.value) < kSampleStep &&
      at_ns < sample_.monotonic_ns + (value > 0 ? kMovingSampleNs : kQuietSampleNs)) {
    return;
  }
  written_ = true;
  sample_.value = value;
  sample_.monotonic_ns = at_ns;
  sink_.OnSample(sample_);
}

}  // namespace gleaner::edge
