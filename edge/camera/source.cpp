#include "edge/camera/source.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "common/limits.h"
#include "common/status.h"
#include "edge/camera/stream_parameters.h"
#include "fmt/format.h"

extern "C" {
#include <libavdevice/version_major.h>
#include <libavutil/dict.h>
#include <libavutil/time.h>
}

namespace gleaner::edge {
namespace {

// What may be opened. A new entry is a decision: it is code that reads bytes from outside.
constexpr char kFileProtocols[] = "file";
constexpr char kNoProtocols[] = "none";  // RTSP: the session brings the packets
constexpr char kFileFormats[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,h264,hevc,mjpeg,m4v";
constexpr char kRtspFormats[] = "sdp,mpegts";
constexpr char kV4l2Formats[] = "video4linux2,v4l2";
// Decoders that probing may open; the same list as below under the decoders' names.
constexpr char kDecoders[] =
    "h264,hevc,mjpeg,rawvideo,mpeg4,msmpeg4,msmpeg4v2,cinepak,mpeg1video,mpeg2video,vp8,vp9";
constexpr std::array kCodecs = {AV_CODEC_ID_H264,       AV_CODEC_ID_HEVC,    AV_CODEC_ID_MJPEG,
                                AV_CODEC_ID_RAWVIDEO,   AV_CODEC_ID_MPEG4,   AV_CODEC_ID_MSMPEG4V2,
                                AV_CODEC_ID_MSMPEG4V3,  AV_CODEC_ID_CINEPAK, AV_CODEC_ID_MPEG1VIDEO,
                                AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_VP8,     AV_CODEC_ID_VP9};

constexpr int kMaxStreams = 16;
constexpr int64_t kProbeBytes = 1 << 20;
constexpr int64_t kProbeUs = 1'000'000;
constexpr size_t kMaxUnshown = 1024;
// A file in which that much is damaged in one piece is given up.
constexpr int kMaxDamagedRun = 10'000;
constexpr int kMaxRtcpBytes = 4 << 10;
// Of RTP, for one picture. FFmpeg gathers what belongs to a picture for as long as no other one
// begins.
constexpr size_t kMaxPictureBytes = 32 << 20;
// How often a V4L2 device is asked for its next frame; it keeps those that come meanwhile.
constexpr unsigned kPollUs = 4'000;

// Debian's libavdevice pulls in SDL, OpenAL and X11: only a V4L2 camera pays for that.
absl::Status LoadDevices() {
  static const bool loaded = [] {
    const std::string library = fmt::format("libavdevice.so.{}", LIBAVDEVICE_VERSION_MAJOR);
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    auto* register_all = reinterpret_cast<void (*)()>(
        handle == nullptr ? nullptr : dlsym(handle, "avdevice_register_all"));
    if (register_all != nullptr) register_all();
    return register_all != nullptr;
  }();
  if (loaded) return absl::OkStatus();
  return absl::FailedPreconditionError("V4L2 cameras need libavdevice (package libavdevice59)");
}

// True where the container's header says all that a clip or a decoder needs. Matroska's doesn't: it
// has no DTS, and FFmpeg works them out only after a look at the frames.
bool HeaderSuffices(const AVFormatContext& context, const AVCodecParameters& parameters) {
  const std::string_view container = context.iformat->name;
  const bool device = container == kV4l2Formats;
  if (!container.starts_with("mov,") && container != "avi" && !device) {
    return false;
  }
  if (parameters.width <= 0 || parameters.height <= 0) return false;
  switch (parameters.codec_id) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
      return parameters.extradata_size > 0;
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_MSMPEG4V2:
    case AV_CODEC_ID_MSMPEG4V3:
    case AV_CODEC_ID_CINEPAK:
      return true;
    case AV_CODEC_ID_RAWVIDEO:
      return device;
    default:
      return false;
  }
}

// Reads `text` from memory, of which it keeps a copy.
AvPtr<AVIOContext> Reading(std::string_view text) {
  auto* buffer = static_cast<uint8_t*>(av_memdup(text.data(), text.size()));
  return AvPtr<AVIOContext>(avio_alloc_context(buffer, static_cast<int>(text.size()),
                                               /*write_flag=*/0, nullptr, nullptr, nullptr,
                                               nullptr));
}

int FirstVideoStream(const AVFormatContext& context) {
  for (unsigned i = 0; i < context.nb_streams; ++i) {
    const AVStream& stream = *context.streams[i];
    if (stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
        (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) == 0) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

}  // namespace

bool IsReadableCodec(AVCodecID codec) {
  return std::find(kCodecs.begin(), kCodecs.end(), codec) != kCodecs.end();
}

absl::Status CheckPicture(std::string_view who, int width, int height) {
  if (PictureFits(width, height)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{}: a picture of {}×{} is larger than Gleaner records ({} a side, {} million "
                  "pixels in all): choose a smaller stream of this camera",
                  who, width, height, kMaxPictureSide, kMaxPicturePixels / 1'000'000));
}

absl::StatusOr<std::unique_ptr<Source>> Source::OpenFile(const std::string& path,
                                                         std::function<bool()> interrupted) {
  std::unique_ptr<Source> source(new Source(SourceKind::kFile, path));
  source->hooks_.interrupted = std::move(interrupted);
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", kFileProtocols, 0);
  av_dict_set(&options, "format_whitelist", kFileFormats, 0);
  // With the protocol in front, no character of a path can choose another one.
  RETURN_IF_ERROR(source->Open("file:" + path, nullptr, options));
  return source;
}

absl::StatusOr<std::unique_ptr<Source>> Source::OpenV4l2(const std::string& path,
                                                         const V4l2Mode& mode, SourceHooks hooks,
                                                         const AVInputFormat* device) {
  if (device == nullptr) {
    RETURN_IF_ERROR(LoadDevices());
    device = av_find_input_format("v4l2");
  }
  std::unique_ptr<Source> source(new Source(SourceKind::kV4l2, path));
  source->hooks_ = std::move(hooks);
  AVDictionary* options = nullptr;
  av_dict_set(&options, "format_whitelist", kV4l2Formats, 0);
  if (!mode.format.empty()) {
    av_dict_set(&options, "input_format", std::string(FfmpegName(mode.format)).c_str(), 0);
  }
  if (mode.width > 0) {
    av_dict_set(&options, "video_size", fmt::format("{}x{}", mode.width, mode.height).c_str(), 0);
  }
  if (mode.frames_per_s > 0) {
    av_dict_set(&options, "framerate", fmt::format("{:.6g}", mode.frames_per_s).c_str(), 0);
  }
  RETURN_IF_ERROR(source->Open(path, device, options));
  return source;
}

absl::StatusOr<std::unique_ptr<Source>> Source::OpenRtsp(std::unique_ptr<RtspSession> session,
                                                         const std::string& shown,
                                                         SourceHooks hooks) {
  std::unique_ptr<Source> source(new Source(SourceKind::kRtsp, shown));
  source->hooks_.before_keyframe = std::move(hooks.before_keyframe);
  source->session_ = std::move(session);
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", kNoProtocols, 0);
  av_dict_set(&options, "format_whitelist", kRtspFormats, 0);
  av_dict_set(&options, "allowed_media_types", "video", 0);
  av_dict_set(&options, "sdp_flags", "custom_io", 0);
  // TCP keeps the order.
  if (source->session_->transport() == RtspTransport::kTcp) {
    av_dict_set_int(&options, "reorder_queue_size", 0, 0);
  }
  RETURN_IF_ERROR(source->Open("", av_find_input_format("sdp"), options));
  return source;
}

absl::Status Source::Open(const std::string& address, const AVInputFormat* format,
                          AVDictionary* options) {
  QuietFfmpeg();
  av_dict_set(&options, "codec_whitelist", kDecoders, 0);
  av_dict_set_int(&options, "max_streams", kMaxStreams, 0);
  av_dict_set_int(&options, "probesize", kProbeBytes, 0);
  av_dict_set_int(&options, "formatprobesize", 256 << 10, 0);
  av_dict_set_int(&options, "analyzeduration", kProbeUs, 0);
  context_ = avformat_alloc_context();
  // V4L2's demuxer blocks in the driver and never asks whether it is interrupted, so it must not
  // block at all. Others don't look at the flag.
  if (kind_ == SourceKind::kV4l2) context_->flags |= AVFMT_FLAG_NONBLOCK;
  context_->interrupt_callback = {
      [](void* self) { return static_cast<Source*>(self)->Interrupted() ? 1 : 0; }, this};
  if (session_ != nullptr) {
    description_io_ = Reading(session_->description().video);
    context_->pb = description_io_.get();
  }
  const int error = avformat_open_input(&context_, address.c_str(), format, &options);
  av_dict_free(&options);
  if (error < 0) {  // FFmpeg has freed the context
    if (kind_ == SourceKind::kFile && (error == AVERROR_EOF || error == AVERROR_INVALIDDATA ||
                                       error == AVERROR(EINVAL) || error == AVERROR(ENOSYS))) {
      return absl::InvalidArgumentError(
          fmt::format("{} isn't a video file that Gleaner reads, or is cut short: {}", name_,
                      Message(AvStatus(error, "open"))));
    }
    return AvStatus(error, fmt::format("can't open {}", name_));
  }
  if (session_ != nullptr) {
    packet_io_ = PacketIo();
    context_->pb = packet_io_.get();
  }
  return FindVideo();
}

AvPtr<AVIOContext> Source::PacketIo() {
  // For reading and writing at once FFmpeg wants a writing context: it then reads past the buffer,
  // a packet at a time, and gathers what it writes until that is one.
  auto* buffer = static_cast<uint8_t*>(av_malloc(kMaxRtcpBytes));
  return AvPtr<AVIOContext>(avio_alloc_context(
      buffer, kMaxRtcpBytes, /*write_flag=*/1, this,
      [](void* self, uint8_t* data, int size) {
        return static_cast<Source*>(self)->ReadRtp(data, size);
      },
      [](void* self, auto* data, int size) {  // const or not, by FFmpeg's version
        static_cast<Source*>(self)->session_->SendRtcp(
            {reinterpret_cast<const char*>(data), static_cast<size_t>(size)});
        return size;
      },
      nullptr));
}

int Source::ReadRtp(uint8_t* data, int size) {
  if (!lost_.ok()) return AVERROR(EIO);
  const auto got = session_->Receive({reinterpret_cast<char*>(data), static_cast<size_t>(size)});
  if (got.ok() && (picture_bytes_ += *got) <= kMaxPictureBytes) {
    return *got > 0 ? static_cast<int>(*got) : AVERROR(EAGAIN);
  }
  lost_ = got.ok()
              ? absl::DataLossError(fmt::format("{} sends more than {} MiB without a picture's end",
                                                name_, kMaxPictureBytes >> 20))
              : got.status();
  was_interrupted_ = absl::IsCancelled(lost_);
  return was_interrupted_ ? AVERROR_EXIT : AVERROR(EIO);
}

absl::Status Source::FindVideo() {
  stream_ = FirstVideoStream(*context_);
  if (stream_ < 0 || !HeaderSuffices(*context_, *context_->streams[stream_]->codecpar)) {
    if (kind_ == SourceKind::kFile) {
      const int error = avformat_find_stream_info(context_, nullptr);
      if (error < 0) return AvStatus(error, fmt::format("can't read {}", name_));
      stream_ = FirstVideoStream(*context_);
    } else {
      RETURN_IF_ERROR(FindLivePicture());
    }
  }
  if (stream_ < 0) {
    return absl::InvalidArgumentError(fmt::format("{} has no video stream", name_));
  }
  has_audio_ = session_ != nullptr && session_->description().audio_streams > 0;
  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    AVStream& other = *context_->streams[i];
    if (static_cast<int>(i) == stream_) continue;
    other.discard = AVDISCARD_ALL;
    has_audio_ = has_audio_ || other.codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
  }
  const AVStream& stream = *context_->streams[stream_];
  const AVCodecParameters& parameters = *stream.codecpar;
  const char* codec = avcodec_get_name(parameters.codec_id);
  if (!IsReadableCodec(parameters.codec_id)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: video codec {} is not one that Gleaner reads", name_, codec));
  }
  if (parameters.width <= 0 || parameters.height <= 0) {
    // A live stream may show its picture later; a file has shown all it has.
    RETURN_IF_ERROR(lost_);
    const std::string message = fmt::format("{}: no picture found in the stream", name_);
    return kind_ == SourceKind::kFile ? absl::InvalidArgumentError(message)
                                      : absl::UnavailableError(message);
  }
  RETURN_IF_ERROR(CheckPicture(name_, parameters.width, parameters.height));
  format_.codec = codec;
  format_.width = parameters.width;
  format_.height = parameters.height;
  format_.time_base = {stream.time_base.num, stream.time_base.den};
  const AVRational rate =
      stream.avg_frame_rate.num > 0 ? stream.avg_frame_rate : stream.r_frame_rate;
  format_.frames_per_s = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
  format_.parameters = CopyParameters(parameters);
  size_t size = 0;
  const uint8_t* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (matrix != nullptr && size == sizeof(std::array<int32_t, 9>)) {
    auto copy = std::make_shared<std::array<int32_t, 9>>();
    std::memcpy(copy->data(), matrix, size);
    format_.display_matrix = std::move(copy);
  }
  if (stream.duration > 0) {
    end_ = stream.duration + (stream.start_time == AV_NOPTS_VALUE ? 0 : stream.start_time);
  }
  return absl::OkStatus();
}

// With FFmpeg's own look at a stream a camera whose keyframes are far apart and that doesn't
// announce its parameter sets would be given up before its first keyframe.
absl::Status Source::FindLivePicture() {
  for (;;) {
    ASSIGN_OR_RETURN(AvPtr<AVPacket> packet, Read());
    if (packet == nullptr) {
      return absl::UnavailableError(fmt::format("{} ended before its first keyframe", name_));
    }
    AVStream& stream = *context_->streams[stream_];
    if (!IsReadableCodec(stream.codecpar->codec_id)) return absl::OkStatus();
    double frames_per_s = 0;
    if ((packet->flags & AV_PKT_FLAG_KEY) == 0 ||
        !LearnFromKeyframe(*packet, stream.codecpar, &frames_per_s)) {
      hooks_.before_keyframe();
      continue;
    }
    if (frames_per_s > 0) stream.avg_frame_rate = av_d2q(frames_per_s, 100'000);
    keyframe_ = std::move(packet);
    return absl::OkStatus();
  }
}

bool Source::Interrupted() {
  // A device that must not block has to be waited for here: FFmpeg, while it probes one that has no
  // frame yet, does nothing but ask.
  if (kind_ == SourceKind::kV4l2) av_usleep(kPollUs);
  was_interrupted_ = was_interrupted_ || (hooks_.interrupted && hooks_.interrupted());
  return was_interrupted_;
}

bool Source::one_behind() const {
  const AVCodecID codec = format_.parameters->codec_id;
  return kind_ == SourceKind::kRtsp &&
         (codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC || codec == AV_CODEC_ID_MPEG4);
}

Source::~Source() { avformat_close_input(&context_); }

absl::StatusOr<AvPtr<AVPacket>> Source::Read() {
  for (;;) {
    if (ready_ > 0) {
      --ready_;
      AvPtr<AVPacket> packet = std::move(unshown_.front());
      unshown_.pop_front();
      return packet;
    }
    // An interrupted read may still return what FFmpeg's parser held; there is no next one.
    if (was_interrupted_) return absl::CancelledError(name_);
    if (keyframe_ != nullptr) return std::move(keyframe_);
    AvPtr<AVPacket> packet = NewPacket();
    const int error = av_read_frame(context_, packet.get());
    if (error >= 0) picture_bytes_ = 0;
    if (error < 0 && was_interrupted_) return absl::CancelledError(name_);
    if (error == AVERROR_EOF) {
      if (kind_ == SourceKind::kFile && context_->pb != nullptr && context_->pb->error < 0) {
        return AvStatus(context_->pb->error, fmt::format("reading {}", name_));
      }
      if (kind_ != SourceKind::kFile || damaged_run_ == 0) return nullptr;
      return absl::DataLossError(fmt::format("{} ends in the middle of a frame", name_));
    }
    if (error < 0) RETURN_IF_ERROR(lost_);
    if (error == AVERROR(EAGAIN)) {  // there is no frame yet, or a corrupted one was skipped
      if (Interrupted()) return absl::CancelledError(name_);
      continue;
    }
    const bool damaged = error == AVERROR_INVALIDDATA && kind_ == SourceKind::kFile;
    if (error < 0 && !damaged) return AvStatus(error, fmt::format("reading {}", name_));
    if (stream_ < 0) stream_ = FirstVideoStream(*context_);
    if (!damaged && (packet->stream_index != stream_ || packet->size == 0)) continue;
    if (damaged || (packet->flags & AV_PKT_FLAG_CORRUPT) != 0) {
      if (++damaged_run_ < kMaxDamagedRun) continue;
      return absl::DataLossError(
          fmt::format("{}: {} damaged packets one after the other", name_, damaged_run_));
    }
    damaged_ += static_cast<uint64_t>(std::exchange(damaged_run_, 0));
    if (kind_ == SourceKind::kV4l2) hooks_.arrived();
    const bool shown = (packet->flags & AV_PKT_FLAG_DISCARD) == 0;
    if (shown && unshown_.empty()) return packet;
    unshown_.push_back(std::move(packet));
    if (shown || unshown_.size() == kMaxUnshown) ready_ = unshown_.size();
  }
}

}  // namespace gleaner::edge
