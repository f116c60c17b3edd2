#include "edge/trigger/stream_watcher.h"

extern "C" {
#include <libavutil/frame.h>
}

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

// A camera with longer groups of pictures than this is decoded as it goes, so that catching up
// takes neither long nor much memory.
constexpr size_t kMaxPending = 300;
constexpr size_t kMaxPendingBytes = 16 << 20;

// What the decoder had to make up would look like motion, and worse.
bool IsDamaged(const AVFrame& picture) {
  return picture.decode_error_flags != 0 || (picture.flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

// The picture, shared, with nothing left behind.
std::shared_ptr<const AVFrame> Share(AVFrame& picture) {
  AVFrame* shared = av_frame_alloc();
  av_frame_move_ref(shared, &picture);
  return {shared, [](AVFrame* frame) { av_frame_free(&frame); }};
}

}  // namespace

StreamWatcher::StreamWatcher(std::string camera, std::vector<std::unique_ptr<Detector>> detectors,
                             SampleSink& samples)
    : camera_(std::move(camera)), samples_(samples) {
  for (auto& detector : detectors) detectors_.push_back({std::move(detector)});
}

void StreamWatcher::OnFormat(const VideoFormat& format) {
  format_ = format;
  decodable_ = false;
  started_ = false;
  decoder_.reset();
  DropPending();
  sizes_.Reset();
  for (Watching& watching : detectors_) {
    watching.given_ns = kNever;
    watching.detector->OnFormat(format, sizes_);
  }
  if (!format.Remuxable() || detectors_.empty()) return;
  auto decoder = PacketDecoder::Open(format);
  decodable_ = decoder.ok();
  if (!decodable_) {
    LOG_ERROR("camera {}: no detector will see anything: {}", camera_, Message(decoder.status()));
  }
}

void StreamWatcher::DropPending() {
  pending_.clear();
  pending_bytes_ = 0;
}

Need::Pictures StreamWatcher::Neediest() const {
  Need::Pictures neediest = Need::Pictures::kNone;
  for (const Watching& watching : detectors_) {
    neediest = std::max(neediest, watching.detector->need().pictures);
  }
  return neediest;
}

void StreamWatcher::OnPacket(const Packet& packet) {
  ++stats_.packets;
  if (!decodable_ || (!started_ && !packet.keyframe)) return;
  started_ = true;
  // As of the packet before: what is asked for from this one on starts at a keyframe.
  if (packet.keyframe && Neediest() != Need::Pictures::kEvery) {
    DropPending();
    decoder_.reset();
  }
  const WatchedPacket watched{packet, sizes_.IsSuspicious(packet)};
  for (const Watching& watching : detectors_) watching.detector->OnPacket(watched);
  pending_.push_back(packet);
  pending_bytes_ += packet.size_bytes;
  if (packet.keyframe && Neediest() == Need::Pictures::kKeyframes && IsKeyframeDue(packet)) {
    DecodeAlone(packet);
  }
  if (Neediest() == Need::Pictures::kEvery || pending_.size() > kMaxPending ||
      pending_bytes_ > kMaxPendingBytes) {
    CatchUp();
  }
  for (const Watching& watching : detectors_) {
    watching.detector->OnPacketDone(packet.monotonic_ns);
  }
  PassTime(packet.monotonic_ns);
}

void StreamWatcher::CatchUp() {
  if (decoder_ == nullptr) {
    auto decoder = PacketDecoder::Open(format_);
    if (!decoder.ok())
      return;  // it did open before: for lack of memory; the next packet tries again
    decoder_ = *std::move(decoder);
  }
  const Packet newest = pending_.back();
  const double tick_ns = 1e9 * format_.time_base.numerator / format_.time_base.denominator;
  for (const Packet& packet : pending_) {
    decoder_->Decode(packet, [&](AVFrame& picture) {
      ++stats_.decoded_frames;
      const auto age_ns =
          static_cast<int64_t>(static_cast<double>(newest.pts - picture.pts) * tick_ns);
      Give(picture, newest.monotonic_ns - age_ns, /*alone=*/false);
    });
  }
  DropPending();
}

void StreamWatcher::DecodeAlone(const Packet& keyframe) {
  auto decoder = PacketDecoder::Open(format_);
  if (!decoder.ok()) return;
  const auto give = [&](AVFrame& picture) {
    ++stats_.decoded_frames;
    Give(picture, keyframe.monotonic_ns, /*alone=*/true);
  };
  (*decoder)->Decode(keyframe, give);
  (*decoder)->Finish(give);
}

void StreamWatcher::OnFrame(const Frame& frame) {
  if (!IsDamaged(*frame.data)) Give(frame, /*alone=*/false);
  PassTime(frame.monotonic_ns);
}

void StreamWatcher::PassTime(int64_t now_ns) {
  newest_ns_ = std::max(newest_ns_, now_ns);
  samples_.OnTime(now_ns);
}

void StreamWatcher::Finish() {
  int64_t slowest_ns = 0;
  for (const Watching& watching : detectors_) {
    watching.detector->Finish();
    if (const auto report = watching.detector->report()) {
      slowest_ns = std::max(slowest_ns, report->declared_ns);
    }
  }
  // No rule need wait for what is to be said of it.
  if (slowest_ns > 0 && newest_ns_ != kNever) samples_.OnTime(newest_ns_ + slowest_ns + 1);
}

std::vector<DetectorReport> StreamWatcher::reports() const {
  std::vector<DetectorReport> all;
  for (const Watching& watching : detectors_) {
    if (auto report = watching.detector->report()) all.push_back(*std::move(report));
  }
  return all;
}

void StreamWatcher::Give(AVFrame& picture, int64_t monotonic_ns, bool alone) {
  if (IsDamaged(picture)) return;
  const bool wanted =
      std::any_of(detectors_.begin(), detectors_.end(), [&](const Watching& watching) {
        return IsDue(watching, watching.detector->need(), monotonic_ns);
      });
  if (!wanted) return;
  const int64_t pts = picture.pts;
  Give(Frame{Share(picture), pts, monotonic_ns}, alone);
}

bool StreamWatcher::IsKeyframeDue(const Packet& keyframe) const {
  return std::any_of(detectors_.begin(), detectors_.end(), [&](const Watching& watching) {
    const Need need = watching.detector->need();
    return need.pictures == Need::Pictures::kKeyframes &&
           IsDue(watching, need, keyframe.monotonic_ns);
  });
}

bool StreamWatcher::IsDue(const Watching& watching, const Need& need, int64_t monotonic_ns) const {
  if (need.pictures == Need::Pictures::kNone) return false;
  // A picture from before the last one is of another run of the camera's clock.
  return watching.given_ns == kNever || monotonic_ns < watching.given_ns ||
         monotonic_ns - watching.given_ns >= need.interval_ns;
}

void StreamWatcher::Give(const Frame& frame, bool alone) {
  std::vector<std::pair<PictureSize, LumaPicture>> made;
  for (Watching& watching : detectors_) {
    const Need need = watching.detector->need();
    if (!IsDue(watching, need, frame.monotonic_ns)) continue;
    auto luma = std::find_if(made.begin(), made.end(),
                             [&](const auto& pair) { return pair.first == need.size; });
    if (luma == made.end()) {
      made.emplace_back(need.size, ReducerTo(need.size).Reduce(frame.data));
      luma = made.end() - 1;
    }
    if (luma->second.empty()) continue;
    watching.given_ns = frame.monotonic_ns;
    watching.detector->OnPicture({frame, luma->second, alone});
  }
  const bool looked_at =
      std::any_of(made.begin(), made.end(), [](const auto& pair) { return !pair.second.empty(); });
  stats_.looked_at += looked_at ? 1 : 0;
}

LumaReducer& StreamWatcher::ReducerTo(PictureSize size) {
  for (LumaReducer& reducer : reducers_) {
    if (reducer.most() == size) return reducer;
  }
  return reducers_.emplace_back(size);
}

}  // namespace gleaner::edge
