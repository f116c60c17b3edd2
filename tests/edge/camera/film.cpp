#include "tests/edge/camera/film.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "common/digest.h"
#include "fmt/format.h"
#include "tests/data/paths.h"

extern "C" {
#include <libavutil/imgutils.h>
}

namespace gleaner::edge {
namespace {

constexpr int kBits = 16;

// The side of a binary digit's cell in a picture of this width.
int CellWidth(int width) { return std::max(4, width * 6 / 320); }
int CellHeight(int width) { return CellWidth(width) * 4 / 3; }

void Check(int result, const std::string& what) {
  if (result < 0) throw std::runtime_error(AvStatus(result, what).ToString());
}

// A file opened for reading its first video stream.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    Check(avformat_open_input(&context_, path.c_str(), nullptr, nullptr), path);
    Check(avformat_find_stream_info(context_, nullptr), path);
    stream_ = av_find_best_stream(context_, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
    Check(stream_, path);
  }
  ~Reader() { avformat_close_input(&context_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  const AVStream& stream() const { return *context_->streams[stream_]; }
  // Null at the end.
  AvPtr<AVPacket> Next() {
    for (;;) {
      AvPtr<AVPacket> packet = NewPacket();
      if (av_read_frame(context_, packet.get()) < 0) return nullptr;
      if (packet->stream_index == stream_) return packet;
    }
  }

 private:
  const std::string path_;
  AVFormatContext* context_ = nullptr;
  int stream_ = -1;
};

// The NAL units of an access unit in Annex B framing.
std::vector<std::string> SplitNals(const uint8_t* data, int size) {
  std::vector<std::string> nals;
  const std::string bytes(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
  const std::string start("\0\0\1", 3);
  for (size_t at = bytes.find(start); at != std::string::npos;) {
    const size_t begin = at + start.size();
    at = bytes.find(start, begin);
    std::string nal = bytes.substr(begin, at == std::string::npos ? at : at - begin);
    while (!nal.empty() && nal.back() == '\0') nal.pop_back();  // of a longer start code
    if (!nal.empty()) nals.push_back(std::move(nal));
  }
  return nals;
}

enum class NalKind { kParameterSet, kDelimiter, kOther };

NalKind KindOf(const std::string& nal, bool hevc) {
  const auto first = static_cast<uint8_t>(nal[0]);
  const int type = hevc ? first >> 1 & 63 : first & 31;
  const int delimiter = hevc ? 35 : 9;
  const bool set = hevc ? type >= 32 && type <= 34 : type == 7 || type == 8;
  return set ? NalKind::kParameterSet : type == delimiter ? NalKind::kDelimiter : NalKind::kOther;
}

std::string PixelsDigest(const AVFrame& frame) {
  const int size = av_image_get_buffer_size(static_cast<AVPixelFormat>(frame.format), frame.width,
                                            frame.height, 1);
  std::string bytes(static_cast<size_t>(std::max(0, size)), '\0');
  av_image_copy_to_buffer(reinterpret_cast<uint8_t*>(bytes.data()), size, frame.data,
                          frame.linesize, static_cast<AVPixelFormat>(frame.format), frame.width,
                          frame.height, 1);
  return std::string(AsBytes(Sha256::Of(bytes)));
}

}  // namespace

std::string MakeFilm(const FilmOptions& o) {
  namespace fs = std::filesystem;
  const int cell_width = CellWidth(o.width);
  const int cell_height = CellHeight(o.width);
  const std::string source = fmt::format("r={}:d={}", o.frames_per_s, o.seconds);
  const std::string arguments = fmt::format(
      "-f lavfi -i smptebars=s={0}x{1}:{2} -f lavfi -i color=white:s={3}x{3}:{2} "
      "-f lavfi -i color=black:s={4}x{5}:{2} -filter_complex \""
      "[2]geq=lum='16+219*mod(floor(N/pow(2,floor(X/{6}))),2)':cb=128:cr=128[n];"
      "[0][1]overlay=x='mod(t*{7},{0})':y={8}:enable='gte(t,{9})*lt(t,{10})'[m];"
      "[m][n]overlay=0:0{11}\" {12}",
      o.width, o.height, source, o.height / 3, kBits * cell_width, cell_height, cell_width,
      o.width / 2, o.height / 2, o.moves_from_s, o.moves_to_s,
      o.filter.empty() ? "" : "," + o.filter, o.encode);
  const fs::path folder = fs::path(BinDir()).parent_path() / "films";
  const fs::path film =
      folder / fmt::format("{:016x}.{}", std::hash<std::string>()(arguments), o.extension);
  if (fs::exists(film)) return film;
  fs::create_directories(folder);
  // Several tests may want it at once; the last one to finish wins, and all are the same.
  const fs::path partial =
      folder / fmt::format("{}.{}.{}", film.stem().string(), getpid(), o.extension);
  const std::string command =
      fmt::format("ffmpeg -v error -nostdin -y -threads 1 {} {}", arguments, partial.string());
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  fs::rename(partial, film);
  return film;
}

int FrameNumber(const AVFrame& picture) {
  const int width = CellWidth(picture.width);
  const int row = CellHeight(picture.width) / 2;
  if (picture.width < kBits * width || picture.height <= row) return -1;
  const uint8_t* luma = picture.data[0] + ptrdiff_t{row} * picture.linesize[0];
  int number = 0;
  for (int bit = 0; bit < kBits; ++bit) {
    if (luma[bit * width + width / 2] > 127) number |= 1 << bit;
  }
  return number;
}

std::vector<ShownFrame> ShowFile(const std::string& path, int* errors, AVRational* time_base) {
  Reader reader(path);
  if (time_base != nullptr) *time_base = reader.stream().time_base;
  AvPtr<AVCodecContext> decoder(
      avcodec_alloc_context3(avcodec_find_decoder(reader.stream().codecpar->codec_id)));
  avcodec_parameters_to_context(decoder.get(), reader.stream().codecpar);
  decoder->thread_count = 1;
  Check(avcodec_open2(decoder.get(), nullptr, nullptr), path);
  std::vector<ShownFrame> shown;
  AvPtr<AVFrame> frame = NewFrame();
  auto drain = [&] {
    while (avcodec_receive_frame(decoder.get(), frame.get()) == 0) {
      if (frame->decode_error_flags != 0) ++*errors;
      shown.push_back({frame->pts, FrameNumber(*frame), PixelsDigest(*frame)});
    }
  };
  while (AvPtr<AVPacket> packet = reader.Next()) {
    if (avcodec_send_packet(decoder.get(), packet.get()) < 0) ++*errors;
    drain();
  }
  avcodec_send_packet(decoder.get(), nullptr);
  drain();
  return shown;
}

Film Film::Load(const std::string& path) {
  Reader reader(path);
  const AVStream& stream = reader.stream();
  Film film;
  film.codec = avcodec_get_name(stream.codecpar->codec_id);
  const bool hevc = film.codec == "hevc";

  AvPtr<AVBSFContext> annex_b;
  if (film.codec != "mjpeg") {
    AVBSFContext* context = nullptr;
    Check(av_bsf_alloc(av_bsf_get_by_name((film.codec + "_mp4toannexb").c_str()), &context), path);
    annex_b.reset(context);
    Check(avcodec_parameters_copy(annex_b->par_in, stream.codecpar), path);
    Check(av_bsf_init(annex_b.get()), path);
  }

  int64_t first = INT64_MAX;
  int64_t last = INT64_MIN;
  while (AvPtr<AVPacket> packet = reader.Next()) {
    if (annex_b != nullptr) {
      Check(av_bsf_send_packet(annex_b.get(), packet.get()), path);
      Check(av_bsf_receive_packet(annex_b.get(), packet.get()), path);
    }
    Picture picture;
    picture.pts = av_rescale_q(packet->pts, stream.time_base, {1, 90'000});
    picture.keyframe = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    if (annex_b == nullptr) {
      picture.nals.emplace_back(reinterpret_cast<const char*>(packet->data),
                                static_cast<size_t>(packet->size));
    }
    for (std::string& nal :
         annex_b == nullptr ? std::vector<std::string>() : SplitNals(packet->data, packet->size)) {
      const NalKind kind = KindOf(nal, hevc);
      if (kind == NalKind::kOther) {
        picture.nals.push_back(std::move(nal));
      } else if (kind == NalKind::kParameterSet && film.pictures.empty()) {
        film.parameter_sets.push_back(std::move(nal));
      }
    }
    first = std::min(first, picture.pts);
    last = std::max(last, picture.pts);
    film.pictures.push_back(std::move(picture));
  }
  for (Picture& picture : film.pictures) picture.pts -= first;
  const auto frames = static_cast<int64_t>(film.pictures.size());
  film.length = frames > 1 ? (last - first) * frames / (frames - 1) : 3600;
  return film;
}

}  // namespace gleaner::edge
