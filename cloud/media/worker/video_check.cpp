#include "cloud/media/worker/video_check.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/status/status.h"
#include "cloud/media/worker/ffmpeg.h"
#include "cloud/media/worker/thumbnail.h"
#include "cloud/media/worker_protocol.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

constexpr int64_t kMaxPixels = 4096 * 2304;
constexpr int kIoBufferBytes = 64 << 10;
constexpr char kCodecs[] = "h264,hevc,mpeg4,mjpeg";
constexpr int kMaxStreams = 2;

int ReadVideo(void*, uint8_t* buffer, int size) {
  const ssize_t got = ::read(kVideoFd, buffer, static_cast<size_t>(size));
  if (got < 0) return AVERROR(errno);
  return got == 0 ? AVERROR_EOF : static_cast<int>(got);
}

int64_t SeekVideo(void*, int64_t offset, int whence) {
  if (whence == AVSEEK_SIZE) {
    const off_t here = ::lseek(kVideoFd, 0, SEEK_CUR);
    const off_t size = ::lseek(kVideoFd, 0, SEEK_END);
    ::lseek(kVideoFd, here, SEEK_SET);
    return size;
  }
  const off_t at = ::lseek(kVideoFd, offset, whence & ~AVSEEK_FORCE);
  return at < 0 ? AVERROR(errno) : at;
}

// An MP4 may name other files; none is ever opened.
int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

class VideoChecker {
 public:
  VideoChecker(const v1::VideoTrack& track, size_t thumbnails)
      : track_(track),
        thumbnails_wanted_(std::min<size_t>({thumbnails, kMaxThumbnails, track.frame_count()})),
        next_pts_(track.first_pts()) {}

  absl::Status Run() {
    RETURN_IF_ERROR(OpenFile());
    RETURN_IF_ERROR(OpenDecoder());
    RETURN_IF_ERROR(DecodeAll());
    if (frames_ != track_.frame_count()) {
      return Wrong("the video has {} frames, the manifest says {}", frames_, track_.frame_count());
    }
    return absl::OkStatus();
  }

  uint32_t frames() const { return frames_; }
  std::vector<std::string> TakeThumbnails() { return std::move(thumbnails_); }

 private:
  template <typename... Args>
  static absl::Status Wrong(fmt::format_string<Args...> format, Args&&... args) {
    return absl::DataLossError(fmt::format(format, std::forward<Args>(args)...));
  }

  absl::Status OpenFile() {
    io_.reset(avio_alloc_context(static_cast<uint8_t*>(av_malloc(kIoBufferBytes)), kIoBufferBytes,
                                 0, nullptr, ReadVideo, nullptr, SeekVideo));
    AVFormatContext* format = avformat_alloc_context();
    format->pb = io_.get();
    format->flags |= AVFMT_FLAG_CUSTOM_IO;
    format->io_open = RefuseToOpen;
    format->max_streams = kMaxStreams;
    AVDictionary* options = nullptr;
    av_dict_set(&options, "codec_whitelist", kCodecs, 0);
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    // The demuxer is named, so nothing is guessed; it frees the context when it fails.
    const int error = avformat_open_input(&format, nullptr, av_find_input_format("mp4"), &options);
    av_dict_free(&options);
    if (error < 0) return Wrong("not an MP4 file: {}", ErrorText(error));
    format_.reset(format);
    if (format->nb_streams != 1 || format->streams[0]->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) {
      return Wrong("the file has {} streams where one video track belongs", format->nb_streams);
    }
    stream_ = format->streams[0];
    const AVCodecParameters& parameters = *stream_->codecpar;
    if (avcodec_get_name(parameters.codec_id) != track_.codec()) {
      return Wrong("the video is {}, the manifest says {}", avcodec_get_name(parameters.codec_id),
                   track_.codec());
    }
    const AVRational base = stream_->time_base;
    if (int64_t{base.num} * track_.time_base_denominator() !=
        int64_t{base.den} * track_.time_base_numerator()) {
      return Wrong("the file counts ticks of {}/{} s, the manifest of {}/{} s", base.num, base.den,
                   track_.time_base_numerator(), track_.time_base_denominator());
    }
    return absl::OkStatus();
  }

  absl::Status OpenDecoder() {
    // By name: the plain software decoder, none that talks to a device.
    const AVCodec* codec = avcodec_find_decoder_by_name(track_.codec().c_str());
    if (codec == nullptr || (("," + std::string(kCodecs) + ",").find("," + track_.codec() + ",") ==
                             std::string::npos)) {
      return Wrong("the codec {} is not one that is decoded here", track_.codec());
    }
    decoder_.reset(avcodec_alloc_context3(codec));
    avcodec_parameters_to_context(decoder_.get(), stream_->codecpar);
    decoder_->pkt_timebase = stream_->time_base;
    decoder_->thread_count = 1;
    decoder_->max_pixels = kMaxPixels;
    decoder_->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
    const int error = avcodec_open2(decoder_.get(), codec, nullptr);
    return error < 0 ? Wrong("the decoder refuses the video: {}", ErrorText(error))
                     : absl::OkStatus();
  }

  absl::Status DecodeAll() {
    const Owned<AVPacket> packet(av_packet_alloc());
    bool first = true;
    for (;;) {
      const int read = av_read_frame(format_.get(), packet.get());
      if (read == AVERROR_EOF) break;
      if (read < 0)
        return Wrong("the file breaks off after frame {}: {}", frames_, ErrorText(read));
      if (first && (packet->flags & AV_PKT_FLAG_KEY) == 0) {
        return Wrong("the video does not start at a keyframe");
      }
      first = false;
      const int sent = avcodec_send_packet(decoder_.get(), packet.get());
      av_packet_unref(packet.get());
      if (sent < 0) return Undecodable(sent);
      RETURN_IF_ERROR(TakeFrames());
    }
    // The demuxer ends quietly where a file was cut off; its reader knows.
    if (io_->error < 0) return Wrong("the file can't be read: {}", ErrorText(io_->error));
    if (const int sent = avcodec_send_packet(decoder_.get(), nullptr); sent < 0) {
      return Undecodable(sent);
    }
    return TakeFrames();
  }

  absl::Status Undecodable(int error) const {
    if (error == AVERROR(ENOMEM)) {
      return Wrong("decoding frame {} needs more memory than a worker may have", frames_);
    }
    return Wrong("frame {} does not decode: {}", frames_, ErrorText(error));
  }

  absl::Status TakeFrames() {
    const Owned<AVFrame> frame(av_frame_alloc());
    for (;;) {
      const int got = avcodec_receive_frame(decoder_.get(), frame.get());
      if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) return absl::OkStatus();
      if (got < 0) return Undecodable(got);
      RETURN_IF_ERROR(CheckFrame(*frame));
      av_frame_unref(frame.get());
    }
  }

  absl::Status CheckFrame(const AVFrame& frame) {
    if (frames_ >= track_.frame_count()) {
      return Wrong("the video has more than the {} frames that the manifest says",
                   track_.frame_count());
    }
    if (frames_ == 0 && !frame.key_frame) return Wrong("the video does not start at a keyframe");
    if (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0) {
      return Wrong("frame {} is damaged", frames_);
    }
    if (frame.width != static_cast<int>(track_.width()) ||
        frame.height != static_cast<int>(track_.height())) {
      return Wrong("frame {} has {}x{} pixels, the manifest says {}x{}", frames_, frame.width,
                   frame.height, track_.width(), track_.height());
    }
    if (frame.best_effort_timestamp != next_pts_) {
      return Wrong("frame {} is shown at tick {}, the manifest says {}", frames_,
                   frame.best_effort_timestamp, next_pts_);
    }
    if (static_cast<int>(frames_) < track_.pts_delta_size()) {
      next_pts_ += track_.pts_delta(static_cast<int>(frames_));
    }
    // The middle of each of `thumbnails_wanted_` equal parts.
    const size_t made = thumbnails_.size();
    if (made < thumbnails_wanted_ &&
        frames_ == (2 * made + 1) * track_.frame_count() / (2 * thumbnails_wanted_)) {
      ASSIGN_OR_RETURN(std::string jpeg, MakeThumbnail(frame));
      thumbnails_.push_back(std::move(jpeg));
    }
    ++frames_;
    return absl::OkStatus();
  }

  const v1::VideoTrack& track_;
  const size_t thumbnails_wanted_;
  int64_t next_pts_;
  uint32_t frames_ = 0;
  std::vector<std::string> thumbnails_;
  Owned<AVIOContext> io_;  // outlives format_
  Owned<AVFormatContext> format_;
  AVStream* stream_ = nullptr;
  Owned<AVCodecContext> decoder_;
};

}  // namespace

VideoFindings CheckVideo(const v1::VideoTrack& track, size_t thumbnails) {
  av_log_set_level(AV_LOG_QUIET);
  VideoChecker checker(track, thumbnails);
  const absl::Status status = checker.Run();
  VideoFindings findings;
  findings.thumbnails = checker.TakeThumbnails();
  findings.verdict.set_state(status.ok() ? v1::MediaCheck::STATE_OK : v1::MediaCheck::STATE_FAILED);
  findings.verdict.set_problem(std::string(Message(status)));
  findings.verdict.set_decoded_frames(checker.frames());
  findings.verdict.set_thumbnails(static_cast<uint32_t>(findings.thumbnails.size()));
  return findings;
}

}  // namespace gleaner::cloud::media
