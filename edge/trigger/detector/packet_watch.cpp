#include "edge/trigger/detector/packet_watch.h"

extern "C" {
#include <libavcodec/packet.h>
}

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/clock.h"

namespace gleaner::edge {
namespace {

constexpr size_t kKeyframeClass = 0;
constexpr size_t kReorderedClass = 1;
constexpr size_t kFirstPlaceClass = 2;

// A class with fewer packets than this isn't judged.
constexpr size_t kEnough = 5;
// Packets that must all be of a judged class before the watch calls itself trained: a few groups of
// pictures of most cameras.
constexpr uint64_t kTrainedRun = 64;

// Keeps a handful of bytes more or less on an empty packet from counting.
constexpr double kOffsetBytes = 64;
// Least deviation taken for one sigma, in octaves: 0.06 is 4 %.
constexpr float kLeastSigma = 0.06f;

// In sigmas, at strictness 1.
constexpr double kSingle = 4.5;
constexpr double kSingleDrop = -12;
constexpr double kCusum = 6;
constexpr double kCusumSlack = 1.5;
constexpr double kCusumStep = 5;

constexpr double kMostBlunt = 2;
constexpr double kBluntnessGain = 1.0 / 64;

constexpr double kMostStrict = 3;
constexpr double kLeastStrict = 0.5;
// Each false question makes the watch stricter by this factor, and quiet time less strict by and
// by, so that it settles where it asks one false question in about kFalseQuestionNs, whatever the
// encoder: a constant false alarm rate.
constexpr double kStricter = 1.25;
constexpr double kFalseQuestionNs = 30.0 * kNanosPerSecond;
constexpr double kLessStrict = 0.8;

float Median(float* values, size_t count) {
  std::nth_element(values, values + count / 2, values + count);
  return values[count / 2];
}

}  // namespace

size_t SignificantBytes(const uint8_t* data, size_t size) {
  constexpr size_t kLeastFiller = 16;
  size_t end = size;
  if (end > 0 && data[end - 1] == 0x80) --end;
  const size_t filler_end = end;
  while (end > 0 && data[end - 1] == 0xff) --end;
  return filler_end - end >= kLeastFiller ? end : size;
}

size_t PacketWatch::ClassOf(const Packet& packet) {
  const bool reordered = packet.pts < newest_pts_ && !packet.keyframe;
  if (packet.pts > newest_pts_ || packet.keyframe) {
    newest_pts_ = packet.pts;
    if (packet.monotonic_ns > newest_ns_ && newest_ns_ > 0) {
      const double elapsed_ns = static_cast<double>(packet.monotonic_ns - newest_ns_);
      Adapt(std::pow(kStricter, -elapsed_ns / kFalseQuestionNs));
    }
    newest_ns_ = packet.monotonic_ns;
  }
  if (packet.keyframe) {
    place_ = 0;
    return kKeyframeClass;
  }
  if (reordered) return kReorderedClass;
  ++place_;
  // 1, 2, 3, 4, 5–6, 7–8, 9–12, 13–16, 17–24, …: two classes an octave.
  if (place_ <= 4) return kFirstPlaceClass + place_ - 1;
  const auto octave = static_cast<size_t>(std::bit_width(place_ - 1));  // 3 for 5 to 8
  const size_t upper = (place_ - 1) >> (octave - 2) & 1;
  return std::min(kFirstPlaceClass + 4 + (octave - 3) * 2 + upper, kClasses - 1);
}

bool PacketWatch::IsSuspicious(const Packet& packet) {
  const size_t bytes = SignificantBytes(packet.data->data, packet.size_bytes);
  judged_class_ = ClassOf(packet);
  judged_log_size_ = static_cast<float>(std::log2(kOffsetBytes + static_cast<double>(bytes)));
  const SizeClass& size_class = classes_[judged_class_];
  if (size_class.count < kEnough) {
    untrained_run_ = kTrainedRun;
    return false;
  }
  if (untrained_run_ > 0) --untrained_run_;
  bluntness_ += kBluntnessGain * (kSingle * strictness_ * size_class.deviation - bluntness_);
  const double sigmas = (judged_log_size_ - size_class.median) / size_class.deviation;
  cusum_ = std::max(0.0, cusum_ + std::min(std::abs(sigmas), kCusumStep) - kCusumSlack);
  if (sigmas < kSingle * strictness_ && sigmas > kSingleDrop * strictness_ &&
      cusum_ < kCusum * strictness_) {
    return false;
  }
  cusum_ = 0;
  return true;
}

void PacketWatch::Learn() {
  SizeClass& size_class = classes_[judged_class_];
  size_class.log_sizes[size_class.count++ % kWindow] = judged_log_size_;
  const size_t count = std::min(size_class.count, kWindow);
  std::array<float, kWindow> values;
  std::copy_n(size_class.log_sizes.begin(), count, values.begin());
  size_class.median = Median(values.data(), count);
  for (size_t i = 0; i < count; ++i) values[i] = std::abs(values[i] - size_class.median);
  // 1.4826 × the median absolute deviation is sigma for a normal distribution.
  size_class.deviation = std::max(kLeastSigma, 1.4826f * Median(values.data(), count));
}

void PacketWatch::Answer(bool something_happened) {
  // The first guesses say more about the guessing than about the camera.
  if (!trained()) return;
  Adapt(something_happened ? kLessStrict : kStricter);
}

bool PacketWatch::Trustworthy() const { return trained() && bluntness_ < kMostBlunt; }

void PacketWatch::Missed() { Adapt(kLessStrict * kLessStrict); }

void PacketWatch::Adapt(double factor) {
  strictness_ = std::clamp(strictness_ * factor, kLeastStrict, kMostStrict);
}

}  // namespace gleaner::edge
