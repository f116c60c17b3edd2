#include "cloud/media/worker/picture.h"

#include <fmt/format.h>
#include <unistd.h>

#include "cloud/media/worker/jpeg.h"
#include "cloud/media/worker/track_decoder.h"
#include "cloud/media/worker_protocol.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

using v1::MediaCheck;

class PictureDecoder {
 public:
  PictureDecoder(const v1::VideoTrack& track, int64_t pts) : track_(track), pts_(pts) {}

  std::optional<Fault> Run(std::string* jpeg) {
    int64_t keyframe = 0;
    if (auto fault = FindKeyframe(&keyframe)) return fault;
    if (auto fault = Decode(keyframe)) return fault;
    // A recovery point is marked as a keyframe, too, and pictures are whole only some time after
    // it.
    if (keyframe > 0 && !whole_) {
      if (auto fault = Decode(0)) return fault;
    }
    if (!whole_ && !damaged_) {
      return Fault{MediaCheck::REASON_UNDECODABLE,
                   fmt::format("the frame at {} doesn't decode", pts_)};
    }
    auto made = std::move(whole_ ? jpeg_ : damaged_jpeg_);
    *jpeg = std::move(made);
    return std::nullopt;
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
      const bool here = packet->pts == pts_;
      if (key && packet->pts <= pts_) *keyframe = n;
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
    if (frame.best_effort_timestamp < pts_) return;
    done_ = true;
    if (frame.best_effort_timestamp != pts_) return;
    if (frame.width != static_cast<int>(track_.width()) ||
        frame.height != static_cast<int>(track_.height())) {
      fault_ = Fault{MediaCheck::REASON_MISMATCH,
                     fmt::format("the frame has {}x{} pixels, the manifest says {}x{}", frame.width,
                                 frame.height, track_.width(), track_.height())};
      return;
    }
    auto made = MakePicture(frame, turn_);
    if (!made.ok()) {
      fault_ = Fault{MediaCheck::REASON_TOO_LARGE, std::string(Message(made.status()))};
      return;
    }
    const bool whole = frame.decode_error_flags == 0 && (frame.flags & AV_FRAME_FLAG_CORRUPT) == 0;
    (whole ? whole_ : damaged_) = true;
    (whole ? jpeg_ : damaged_jpeg_) = *std::move(made);
  }

  const v1::VideoTrack& track_;
  const int64_t pts_;
  Turn turn_;
  bool done_ = false;
  bool whole_ = false, damaged_ = false;
  std::string jpeg_, damaged_jpeg_;
  std::optional<Fault> fault_;
};

}  // namespace

std::optional<Fault> DecodePicture(const v1::VideoTrack& track, int64_t pts, std::string* jpeg) {
  av_log_set_level(AV_LOG_QUIET);
  return PictureDecoder(track, pts).Run(jpeg);
}

}  // namespace gleaner::cloud::media
