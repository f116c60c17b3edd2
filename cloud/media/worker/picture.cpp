#include "cloud/media/worker/picture.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "cloud/media/worker/jpeg.h"
#include "cloud/media/worker/track_decoder.h"
#include "cloud/media/worker_protocol.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

using v1::MediaCheck;

class PictureDecoder {
 public:
  PictureDecoder(const v1::VideoTrack& track, const PictureWish& wish)
      : track_(track), wish_(wish), times_(wish.times.begin(), wish.times.end()) {}

  std::optional<Fault> Run(std::map<int64_t, std::string>* jpegs) {
    int64_t keyframe = 0;
    if (auto fault = FindKeyframe(&keyframe)) return fault;
    if (auto fault = Decode(keyframe)) return fault;
    // A recovery point is marked as a keyframe, too, and pictures are whole only some time after
    // it.
    if (keyframe > 0 && !AllWhole()) {
      if (auto fault = Decode(0)) return fault;
    }
    std::optional<Fault> missing;
    for (const int64_t pts : times_) {
      if (const auto found = made_.find(pts); found != made_.end()) {
        (*jpegs)[pts] = std::move(found->second.jpeg);
      } else if (!missing) {
        missing = Fault{MediaCheck::REASON_UNDECODABLE,
                        fmt::format("the frame at {} doesn't decode", pts)};
      }
    }
    return missing;
  }

 private:
  std::optional<Fault> Open(VideoFile& file) {
    if (::lseek(kVideoFd, 0, SEEK_SET) != 0) {
      return Fault{MediaCheck::REASON_UNREADABLE, "the file can't be read from its beginning"};
    }
    return OpenTrack(track_, file);
  }

  // The number of the packet from which on to decode.
  std::optional<Fault> FindKeyframe(int64_t* keyframe) {
    VideoFile file;
    if (auto fault = Open(file)) return fault;
    const Owned<AVPacket> packet(av_packet_alloc());
    for (int64_t n = 0; file.Read(packet.get()); ++n) {
      const bool key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
      const bool here = packet->pts == *times_.begin();
      if (key && packet->pts <= *times_.begin()) *keyframe = n;
      av_packet_unref(packet.get());
      if (here) break;
    }
    return std::nullopt;
  }

  std::optional<Fault> Decode(int64_t from) {
    VideoFile file;
    if (auto fault = Open(file)) return fault;
    Owned<AVCodecContext> decoder;
    if (auto fault = OpenDecoder(track_, file, decoder)) return fault;
    turn_ = file.turn();
    const Owned<AVPacket> packet(av_packet_alloc());
    for (int64_t n = 0; !done_ && file.Read(packet.get()); ++n) {
      if (n >= from) Send(*decoder, packet.get());
      av_packet_unref(packet.get());
    }
    if (!done_) Send(*decoder, nullptr);
    done_ = false;
    return fault_;
  }

  void Send(AVCodecContext& decoder, const AVPacket* packet) {
    (void)avcodec_send_packet(&decoder, packet);
    const Owned<AVFrame> frame(av_frame_alloc());
    while (!done_ && avcodec_receive_frame(&decoder, frame.get()) >= 0) {
      Look(*frame);
      av_frame_unref(frame.get());
    }
  }

  void Look(const AVFrame& frame) {
    const int64_t pts = frame.best_effort_timestamp;
    if (pts >= *times_.rbegin()) done_ = true;
    if (!times_.contains(pts)) return;
    if (frame.width != static_cast<int>(track_.width()) ||
        frame.height != static_cast<int>(track_.height())) {
      done_ = true;
      fault_ = Fault{MediaCheck::REASON_MISMATCH,
                     fmt::format("the frame has {}x{} pixels, the manifest says {}x{}", frame.width,
                                 frame.height, track_.width(), track_.height())};
      return;
    }
    const auto before = made_.find(pts);
    if (before != made_.end() && before->second.whole) return;
    auto made = MakePicture(frame, turn_, wish_.max_side, wish_.max_bytes);
    if (!made.ok()) {
      done_ = true;
      fault_ = Fault{MediaCheck::REASON_TOO_LARGE, std::string(Message(made.status()))};
      return;
    }
    const bool whole = frame.decode_error_flags == 0 && (frame.flags & AV_FRAME_FLAG_CORRUPT) == 0;
    made_[pts] = {.whole = whole, .jpeg = *std::move(made)};
  }

  bool AllWhole() const {
    return std::all_of(times_.begin(), times_.end(), [this](int64_t pts) {
      const auto found = made_.find(pts);
      return found != made_.end() && found->second.whole;
    });
  }

  struct Made {
    bool whole = false;
    std::string jpeg;
  };

  const v1::VideoTrack& track_;
  const PictureWish& wish_;
  const std::set<int64_t> times_;  // one at least
  Turn turn_;
  bool done_ = false;
  std::map<int64_t, Made> made_;
  std::optional<Fault> fault_;
};

}  // namespace

std::optional<Fault> DecodePictures(const v1::VideoTrack& track, const PictureWish& wish,
                                    std::map<int64_t, std::string>* jpegs) {
  av_log_set_level(AV_LOG_QUIET);
  if (wish.times.empty()) return Fault{MediaCheck::REASON_MISMATCH, "no frame was asked for"};
  return PictureDecoder(track, wish).Run(jpegs);
}

}  // namespace gleaner::cloud::media
