#include "cloud/media/worker/video_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "cloud/media/worker_protocol.h"

namespace gleaner::cloud::media {
namespace {

constexpr int kIoBufferBytes = 64 << 10;
// More than belong there, so that a file with another track is refused by its tracks.
constexpr int kMaxStreams = 8;

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

}  // namespace

std::optional<Fault> VideoFile::Open() {
  io_.reset(avio_alloc_context(static_cast<uint8_t*>(av_malloc(kIoBufferBytes)), kIoBufferBytes, 0,
                               nullptr, ReadVideo, nullptr, SeekVideo));
  AVFormatContext* format = avformat_alloc_context();
  format->pb = io_.get();
  format->flags |= AVFMT_FLAG_CUSTOM_IO;
  format->io_open = RefuseToOpen;
  format->max_streams = kMaxStreams;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "codec_whitelist", kDecoders, 0);
  av_dict_set(&options, "protocol_whitelist", "none", 0);
  // The demuxer is named, so nothing is guessed; it frees the context when it fails.
  const int error = avformat_open_input(&format, nullptr, av_find_input_format("mp4"), &options);
  av_dict_free(&options);
  if (error < 0) {
    return Fault{v1::MediaCheck::REASON_UNREADABLE,
                 fmt::format("not an MP4 file: {}", ErrorText(error))};
  }
  format_.reset(format);
  if (format->nb_streams != 1 || format->streams[0]->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) {
    return Fault{
        v1::MediaCheck::REASON_MISMATCH,
        fmt::format("the file has {} streams where one video track belongs", format->nb_streams)};
  }
  stream_ = format->streams[0];
  size_t size = 0;
  const uint8_t* matrix = av_stream_get_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (matrix != nullptr && size >= 9 * sizeof(int32_t)) {
    turn_ = TurnOf(reinterpret_cast<const int32_t*>(matrix));
  }
  return std::nullopt;
}

bool VideoFile::Read(AVPacket* packet) {
  const int read = av_read_frame(format_.get(), packet);
  // Where a file was cut off the demuxer gives half a packet, or ends quietly; its reader knows.
  if (read >= 0 && (packet->flags & AV_PKT_FLAG_CORRUPT) == 0) return true;
  const int error = read >= 0 ? AVERROR_EOF : read != AVERROR_EOF ? read : io_->error;
  if (error < 0) {
    broken_ = Fault{v1::MediaCheck::REASON_UNREADABLE,
                    fmt::format("the file breaks off: {}", ErrorText(error))};
  }
  return read >= 0;
}

}  // namespace gleaner::cloud::media
