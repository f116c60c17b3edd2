// One opening of a camera's input: FFmpeg's demuxer, fenced in.
//
// What may be opened is listed in source.cpp: protocols, containers and codecs. Streams other than
// the first video stream are discarded in the demuxer. No decoder is opened where the container
// already says all that a clip needs (MP4, AVI), so that opening a file takes
// milliseconds.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/camera/camera_address.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/packet.h"
#include "edge/camera/rtsp_session.h"
#include "edge/camera/v4l2_modes.h"

namespace gleaner::edge {

// True for the codecs that a camera may deliver; nothing else is ever decoded.
bool IsReadableCodec(AVCodecID codec);

// INVALID_ARGUMENT, for people, where a picture is beyond the bounds of common/limits.h.
absl::Status CheckPicture(std::string_view who, int width, int height);

// Called from the thread that opens or reads a source.
struct SourceHooks {
  // Asked while the input blocks; true ends the wait with CANCELLED.
  std::function<bool()> interrupted;
  // Live: something has come, be it a part of a frame only.
  std::function<void()> arrived = [] {};
  // Live: a frame has come that can't be decoded, because the first keyframe is still to come.
  std::function<void()> before_keyframe = [] {};
};

// Not thread-safe.
class Source {
 public:
  // INVALID_ARGUMENT: opened, but it isn't video that Gleaner reads, and never will be.
  //
  // A live source is open once its first keyframe is there, however long that takes.
  static absl::StatusOr<std::unique_ptr<Source>> OpenFile(const std::string& path,
                                                          std::function<bool()> interrupted);
  // Sets the device to `mode` first. `device` stands in for V4L2's demuxer in tests.
  static absl::StatusOr<std::unique_ptr<Source>> OpenV4l2(const std::string& path,
                                                          const V4l2Mode& mode, SourceHooks hooks,
                                                          const AVInputFormat* device = nullptr);
  // Of a session that plays; `shown` names the camera in errors. Waiting is the session's, which
  // has hooks of its own: of these only `before_keyframe` counts.
  static absl::StatusOr<std::unique_ptr<Source>> OpenRtsp(std::unique_ptr<RtspSession> session,
                                                          const std::string& shown,
                                                          SourceHooks hooks = {});
  ~Source();

  const VideoFormat& format() const { return format_; }
  // The camera or file has sound as well, which is left out.
  bool has_audio() const { return has_audio_; }
  // RTSP: its session; null for anything else.
  const RtspSession* session() const { return session_.get(); }
  // The video stream's declared end in its own ticks; AV_NOPTS_VALUE if it has none.
  int64_t end() const { return end_; }

  // The next packet of the video stream, stamped in the source's own ticks; pts and dts may be
  // missing. Null at the end. What was damaged on its way is left out; DATA_LOSS when a file ends
  // with it, in the middle of a frame.
  absl::StatusOr<AvPtr<AVPacket>> Read();
  // Each packet is handed out when the first part of the next one has come: FFmpeg's parser looks
  // for the end of a picture.
  bool one_behind() const;
  // Packets that were left out so far because they were damaged.
  uint64_t damaged() const { return damaged_; }

 private:
  Source(SourceKind kind, std::string name) : kind_(kind), name_(std::move(name)) {}
  // `format` null: to be found out. Takes `options`.
  absl::Status Open(const std::string& address, const AVInputFormat* format, AVDictionary* options);
  absl::Status FindVideo();
  absl::Status FindLivePicture();
  bool Interrupted();
  AvPtr<AVIOContext> PacketIo();
  // Of the session, as FFmpeg wants it: a size or an AVERROR.
  int ReadRtp(uint8_t* data, int size);

  const SourceKind kind_;
  const std::string name_;  // for errors
  std::unique_ptr<RtspSession> session_;
  AvPtr<AVIOContext> description_io_;  // RTSP: reads the session's description, while it is opened
  AvPtr<AVIOContext> packet_io_;       // RTSP: reads and writes the session's packets
  SourceHooks hooks_;
  bool was_interrupted_ = false;
  absl::Status lost_;         // RTSP: why there is nothing more from the session
  size_t picture_bytes_ = 0;  // RTSP: that came since FFmpeg handed out a packet
  AVFormatContext* context_ = nullptr;
  int stream_ = -1;
  VideoFormat format_;
  bool has_audio_ = false;
  int64_t end_ = AV_NOPTS_VALUE;
  uint64_t damaged_ = 0;
  int damaged_run_ = 0;       // the last ones, with nothing sound since
  AvPtr<AVPacket> keyframe_;  // a live source's first, until it is handed out
  // What the file's edit list doesn't show is handed out only once something shown follows: at the
  // end of a file it is nothing, before that frames may depend on it.
  std::deque<AvPtr<AVPacket>> unshown_;
  size_t ready_ = 0;  // how many at the front of unshown_ may go
};

}  // namespace gleaner::edge
