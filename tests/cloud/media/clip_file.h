// A fragmented MP4 from real footage, and the track that a truthful manifest would have for it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gleaner/v1/clip.pb.h"
#include "tests/data/footage.h"

namespace gleaner::cloud {

// Runs ffmpeg with `arguments` between the footage and `path`.
inline void MakeVideo(const std::string& footage, const std::string& arguments,
                      const std::string& path) {
  const std::string command = fmt::format("ffmpeg -nostdin -v error -y -i '{}' -an {} '{}'",
                                          Footage(footage), arguments, path);
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

inline constexpr char kFragmented[] = "-movflags +frag_keyframe+empty_moov+default_base_moof";

// Reads the packets' times without decoding, as a device's muxer knows them.
inline v1::VideoTrack TrackOf(const std::string& path) {
  AVFormatContext* format = nullptr;
  if (avformat_open_input(&format, path.c_str(), nullptr, nullptr) < 0 ||
      avformat_find_stream_info(format, nullptr) < 0) {
    throw std::runtime_error("can't open " + path);
  }
  const AVStream* stream = format->streams[0];
  v1::VideoTrack track;
  track.set_camera("front");
  track.set_codec(avcodec_get_name(stream->codecpar->codec_id));
  track.set_width(static_cast<uint32_t>(stream->codecpar->width));
  track.set_height(static_cast<uint32_t>(stream->codecpar->height));
  track.set_time_base_numerator(static_cast<uint32_t>(stream->time_base.num));
  track.set_time_base_denominator(static_cast<uint32_t>(stream->time_base.den));
  std::vector<int64_t> times;
  AVPacket* packet = av_packet_alloc();
  while (av_read_frame(format, packet) >= 0) {
    times.push_back(packet->pts);
    av_packet_unref(packet);
  }
  av_packet_free(&packet);
  avformat_close_input(&format);
  std::sort(times.begin(), times.end());
  track.set_frame_count(static_cast<uint32_t>(times.size()));
  track.set_first_pts(times.at(0));
  for (size_t i = 1; i < times.size(); ++i) {
    track.add_pts_delta(static_cast<uint32_t>(times[i] - times[i - 1]));
  }
  return track;
}

// Writes over the middle of these packets of a file, which decoders then stumble over.
inline void Damage(const std::string& path, const std::set<size_t>& frames) {
  std::vector<std::pair<int64_t, int>> places;
  AVFormatContext* format = nullptr;
  ASSERT_EQ(avformat_open_input(&format, path.c_str(), nullptr, nullptr), 0);
  AVPacket* packet = av_packet_alloc();
  for (size_t n = 0; av_read_frame(format, packet) >= 0; ++n) {
    if (frames.contains(n)) places.emplace_back(packet->pos, packet->size);
    av_packet_unref(packet);
  }
  av_packet_free(&packet);
  avformat_close_input(&format);
  ASSERT_EQ(places.size(), frames.size());
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (const auto& [at, size] : places) {
    // Behind the length and the first bytes of the slice's header.
    file.seekp(at + std::min(12, size / 2));
    file << std::string(static_cast<size_t>(size - std::min(12, size / 2)), '\xff');
  }
}

}  // namespace gleaner::cloud
