#include "edge/probe/stream_study.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "edge/camera/picture_order.h"
#include "edge/camera/random_access.h"
#include "edge/camera/stream_parameters.h"
#include "fmt/format.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace gleaner::edge {
namespace {

constexpr double kNsPerMs = 1e6;
// With fewer nothing is said of a camera's clock.
constexpr size_t kFewFrames = 20;
// Of a clock's rate.
constexpr double kSmallDoubt = 0.005;

// The value below which `share` of all lie; 0 of none.
int64_t Quantile(std::vector<int64_t> values, double share) {
  if (values.empty()) return 0;
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::string ProfileOf(const AVCodecParameters& parameters) {
  const char* name = avcodec_profile_name(parameters.codec_id, parameters.profile);
  if (name == nullptr) return "";
  const int level = parameters.level;
  if (parameters.codec_id == AV_CODEC_ID_H264 && level > 0) {
    return fmt::format("{}, level {}.{}", name, level / 10, level % 10);
  }
  if (parameters.codec_id == AV_CODEC_ID_HEVC && level > 0) {
    return fmt::format("{}, level {}.{}", name, level / 30, level % 30 / 3);
  }
  return name;
}

std::string PixelFormatOf(const AVCodecParameters& parameters) {
  const char* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(parameters.format));
  return name == nullptr ? "" : name;
}

std::string ColoursOf(const AVCodecParameters& parameters) {
  std::string text;
  if (parameters.color_space != AVCOL_SPC_UNSPECIFIED) {
    const char* name = av_color_space_name(parameters.color_space);
    text = name == nullptr ? "" : name;
  }
  if (parameters.color_range != AVCOL_RANGE_UNSPECIFIED) {
    text += text.empty() ? "" : ", ";
    text += parameters.color_range == AVCOL_RANGE_JPEG ? "full range" : "limited range";
  }
  return text;
}

}  // namespace

StreamStudy::StreamStudy(const VideoFormat& format, bool live)
    : format_(format), live_(live), stamps_(format, clock_), repair_(format) {
  findings_.codec = format.codec;
  findings_.width = format.width;
  findings_.height = format.height;
  findings_.declared_frames_per_s = format.frames_per_s;
  findings_.profile = ProfileOf(*format.parameters);
  findings_.pixel_format = PixelFormatOf(*format.parameters);
  findings_.colours = ColoursOf(*format.parameters);
}

void StreamStudy::Add(AvPtr<AVPacket> packet, int64_t arrival_ns) {
  if (full()) return;
  ++findings_.frames;
  bytes_ += static_cast<uint64_t>(packet->size);
  if (since_keyframe_ > 0) ++since_keyframe_;
  if ((packet->flags & AV_PKT_FLAG_KEY) != 0) StudyKeyframe(*packet);
  if (packet->pts == AV_NOPTS_VALUE) {
    // Of RTP FFmpeg leaves the first frame without one, whatever the camera says.
    if (!live_ || findings_.frames > 1) ++findings_.missing_stamps;
  } else if (live_) {
    pts_ns_.push_back(TicksToNs(packet->pts, format_.time_base));
    arrivals_ns_.push_back(arrival_ns);
  }
  if (live_) {
    stamps_.Push(std::move(packet), arrival_ns);
  } else {
    DropImpossibleNalUnits(*format_.parameters, packet.get());
    repair_.Push(std::move(packet));
  }
  TakeTimed();
}

void StreamStudy::StudyKeyframe(const AVPacket& packet) {
  if (findings_.keyframes++ == 0) LearnPicture(packet);
  if (since_keyframe_ > 0) {
    const uint64_t gop = since_keyframe_ - 1;
    findings_.longest_gop = std::max(findings_.longest_gop, gop);
    findings_.shortest_gop =
        findings_.shortest_gop == 0 ? gop : std::min(findings_.shortest_gop, gop);
  }
  since_keyframe_ = 1;
  const RandomAccess access = LookAtKeyframe(*format_.parameters, packet);
  if (access.clean) ++findings_.clean_keyframes;
  if (access.recovery_frames > 0) ++findings_.gradual_keyframes;
  if (!ParameterSets(*format_.parameters, packet).empty()) ++keyframes_with_sets_;
}

// Not every container says how pictures are coded; the first of them does.
void StreamStudy::LearnPicture(const AVPacket& keyframe) {
  const auto learned = CopyParameters(*format_.parameters);
  double frames_per_s = 0;
  if (!LearnFromKeyframe(keyframe, learned.get(), &frames_per_s)) return;
  findings_.profile = ProfileOf(*learned);
  findings_.pixel_format = PixelFormatOf(*learned);
  findings_.colours = ColoursOf(*learned);
}

// As camera.cpp does for the daemon.
void StreamStudy::TakeTimed() {
  if (live_) {
    while (auto next = stamps_.Pop()) {
      if (timed_frames_ == 0) {
        timeline_.Begin(format_.time_base, stamps_.frames_per_s(), stamps_.depth(), 0);
      } else if (next->jumped) {
        timeline_.Jump(next->monotonic_ns - last_ns_);
      }
      Keep(std::move(next->data), next->monotonic_ns);
    }
    return;
  }
  while (auto next = repair_.Pop()) {
    if (timed_frames_ == 0) {
      timeline_.Begin(format_.time_base, format_.frames_per_s, repair_.depth(), 0);
    }
    Keep(std::move(next), std::nullopt);
  }
}

void StreamStudy::NotePlace(int64_t pts) {
  // How many have come that are shown later.
  const auto later = std::upper_bound(newest_.begin(), newest_.end(), pts);
  findings_.reorder_depth =
      std::max(findings_.reorder_depth, static_cast<size_t>(newest_.end() - later));
  newest_.insert(later, pts);
  if (newest_.size() > PictureOrder::kMaxDepth) newest_.erase(newest_.begin());
}

void StreamStudy::Keep(AvPtr<AVPacket> packet, std::optional<int64_t> monotonic_ns) {
  const auto stamps = timeline_.Place(packet->pts, packet->dts, packet->duration);
  if (!stamps.ok()) return;
  packet->pts = stamps->pts;
  packet->dts = stamps->dts;
  packet->duration = stamps->duration;
  Packet kept;
  kept.pts = stamps->pts;
  kept.dts = stamps->dts;
  kept.monotonic_ns = monotonic_ns.value_or(TicksToNs(kept.pts, format_.time_base));
  kept.size_bytes = static_cast<size_t>(packet->size);
  kept.keyframe = (packet->flags & AV_PKT_FLAG_KEY) != 0;
  kept.data = std::shared_ptr<const AVPacket>(packet.release(), AvDeleter());
  NotePlace(kept.pts);
  if (!live_) pts_ns_.push_back(kept.monotonic_ns);
  if (timed_frames_++ == 0) first_ns_ = last_ns_ = kept.monotonic_ns;
  first_ns_ = std::min(first_ns_, kept.monotonic_ns);
  last_ns_ = std::max(last_ns_, kept.monotonic_ns);
  kept_bytes_ += kept.size_bytes;
  if (kept_bytes_ <= kMaxKeptBytes) packets_.push_back(std::move(kept));
}

void StreamStudy::StudySteps() {
  std::sort(pts_ns_.begin(), pts_ns_.end());
  std::vector<int64_t> steps, off;
  for (size_t i = 1; i < pts_ns_.size(); ++i) steps.push_back(pts_ns_[i] - pts_ns_[i - 1]);
  const int64_t usual = Quantile(steps, 0.5);
  for (const int64_t step : steps) off.push_back(std::abs(step - usual));
  findings_.usual_step_ms = static_cast<double>(usual) / kNsPerMs;
  findings_.step_spread_ms = static_cast<double>(Quantile(off, 0.95)) / kNsPerMs;
}

StreamFindings StreamStudy::Finish() {
  if (live_) {
    stamps_.Finish();
  } else {
    repair_.Finish();
  }
  TakeTimed();
  StudySteps();
  findings_.sets_in_stream = keyframes_with_sets_ > 0;
  findings_.sets_at_all_keyframes =
      keyframes_with_sets_ > 0 && keyframes_with_sets_ == findings_.keyframes;
  if (live_) StudyArrivals();
  // Cameras often begin with a burst of what they have kept, so that their own time says better
  // than that of arrival how many frames there are in a second.
  double seconds = 0;
  uint64_t frames = pts_ns_.size();
  if (pts_ns_.size() > 1 && StampsAreOfUse() && findings_.stamps.glitches == 0) {
    seconds = static_cast<double>(pts_ns_.back() - pts_ns_.front()) / kNanosPerSecond;
    if (findings_.clock_rate > 0) seconds /= findings_.clock_rate;
  } else {
    seconds = static_cast<double>(last_ns_ - first_ns_) / kNanosPerSecond;
    frames = timed_frames_;
  }
  if (seconds > 0) {
    findings_.frames_per_s = static_cast<double>(frames - 1) / seconds;
    findings_.bits_per_s = static_cast<double>(bytes_) * 8 / seconds;
  }
  return findings_;
}

bool StreamStudy::StampsAreOfUse() const {
  return findings_.usual_step_ms > 0 && (findings_.missing_stamps == 0 || !live_) &&
         !findings_.stamps.by_arrival && findings_.stamps.jumps == 0;
}

void StreamStudy::StudyArrivals() {
  findings_.stamps = stamps_.counts();
  if (!StampsAreOfUse() || pts_ns_.size() < kFewFrames) return;
  // Frames are sent evenly in decode order, whatever the order in which they are shown: the n-th
  // that comes is held against the n-th time.
  const auto late_ns = [this](size_t i) { return arrivals_ns_[i] - pts_ns_[i]; };
  const auto promptest = [&](size_t begin, size_t end) {
    size_t best = begin;
    for (size_t i = begin; i < end; ++i) {
      if (late_ns(i) < late_ns(best)) best = i;
    }
    return best;
  };
  const size_t n = pts_ns_.size();
  const size_t first = promptest(0, n / 4), last = promptest(n - n / 4, n);
  const auto camera_ns = static_cast<double>(pts_ns_[last] - pts_ns_[first]);
  const auto device_ns = static_cast<double>(arrivals_ns_[last] - arrivals_ns_[first]);
  if (camera_ns <= 0 || device_ns <= 0) return;
  const double rate = camera_ns / device_ns;
  std::vector<int64_t> late;
  for (size_t i = 0; i < n; ++i) {
    const auto due_ns = static_cast<double>(pts_ns_[i] - pts_ns_[first]) / rate;
    late.push_back(arrivals_ns_[i] - arrivals_ns_[first] - static_cast<int64_t>(due_ns));
  }
  const int64_t spread_ns = Quantile(late, 0.95) - Quantile(late, 0);
  findings_.lateness_ms = static_cast<double>(spread_ns) / kNsPerMs;
  // Delays that vary by so much could make a right clock look wrong by so much.
  const double doubt = static_cast<double>(spread_ns) / device_ns;
  if (clock_.sure()) {
    findings_.clock_rate = 1 / clock_.rate();
  } else if (doubt < kSmallDoubt || std::abs(rate - 1) > 2 * doubt) {
    findings_.clock_rate = rate;
  }
}

}  // namespace gleaner::edge
