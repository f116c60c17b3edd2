#include "cloud/media/worker/track_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "common/clock.h"
#include "common/limits.h"

namespace gleaner::cloud::media {
namespace {

using v1::MediaCheck;

bool IsDecodable(const std::string& codec) {
  return ("," + std::string(kDecoders) + ",").find("," + codec + ",") != std::string::npos;
}

}  // namespace

std::optional<Fault> OpenTrack(const v1::VideoTrack& track, VideoFile& file) {
  if (auto fault = file.Open()) return fault;
  const AVCodecParameters& parameters = *file.stream().codecpar;
  if (avcodec_get_name(parameters.codec_id) != track.codec()) {
    return Fault{MediaCheck::REASON_MISMATCH,
                 fmt::format("the video is {}, the manifest says {}",
                             avcodec_get_name(parameters.codec_id), track.codec())};
  }
  const AVRational base = file.stream().time_base;
  if (int64_t{base.num} * track.time_base_denominator() !=
      int64_t{base.den} * track.time_base_numerator()) {
    return Fault{MediaCheck::REASON_MISMATCH,
                 fmt::format("the file counts ticks of {}/{} s, the manifest of {}/{} s", base.num,
                             base.den, track.time_base_numerator(), track.time_base_denominator())};
  }
  if (file.turn().degrees() != static_cast<int>(track.rotation_degrees())) {
    return Fault{MediaCheck::REASON_MISMATCH,
                 fmt::format("the file is turned by {} degrees, the manifest says {}",
                             file.turn().degrees(), track.rotation_degrees())};
  }
  return std::nullopt;
}

std::optional<Fault> OpenDecoder(const v1::VideoTrack& track, const VideoFile& file,
                                 Owned<AVCodecContext>& decoder) {
  // By name: the plain software decoder, none that talks to a device.
  const AVCodec* codec = avcodec_find_decoder_by_name(track.codec().c_str());
  if (codec == nullptr || !IsDecodable(track.codec())) {
    return Fault{MediaCheck::REASON_UNDECODABLE,
                 fmt::format("the codec {} is not one that is decoded here", track.codec())};
  }
  const AVCodecParameters& parameters = *file.stream().codecpar;
  // The file doesn't say it for every codec; the manifest's is compared with each frame.
  const auto width = std::max(static_cast<uint32_t>(parameters.width), track.width());
  const auto height = std::max(static_cast<uint32_t>(parameters.height), track.height());
  if (!PictureFits(width, height)) {
    return Fault{MediaCheck::REASON_TOO_LARGE,
                 fmt::format("a picture of {}x{} is larger than is decoded here", width, height)};
  }
  decoder.reset(avcodec_alloc_context3(codec));
  avcodec_parameters_to_context(decoder.get(), &parameters);
  decoder->pkt_timebase = file.stream().time_base;
  decoder->thread_count = 1;
  decoder->max_pixels = kMaxPicturePixels;
  decoder->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
  const int error = avcodec_open2(decoder.get(), codec, nullptr);
  if (error >= 0) return std::nullopt;
  return Fault{MediaCheck::REASON_UNDECODABLE,
               fmt::format("the decoder refuses the video: {}", ErrorText(error))};
}

int64_t CpuNs() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec * kNanosPerSecond + used.tv_nsec;
}

}  // namespace gleaner::cloud::media
