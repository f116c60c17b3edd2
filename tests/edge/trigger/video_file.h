// Reads a video file into the packets that a camera would deliver, without the camera.
#pragma once

extern "C" {
#include <libavformat/avformat.h>
}

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/clock.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

struct VideoFile {
  VideoFormat format;
  std::vector<Packet> packets;  // in decode order; monotonic_ns is the time since the first frame

  explicit VideoFile(const std::string& path) {
    AVFormatContext* open = nullptr;
    if (avformat_open_input(&open, path.c_str(), nullptr, nullptr) < 0) {
      throw std::runtime_error("can't open " + path);
    }
    const std::unique_ptr<AVFormatContext, void (*)(AVFormatContext*)> input(
        open, [](AVFormatContext* context) { avformat_close_input(&context); });
    avformat_find_stream_info(input.get(), nullptr);
    const int index = av_find_best_stream(input.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
    if (index < 0) throw std::runtime_error("no video in " + path);
    const AVStream& stream = *input->streams[index];
    const std::shared_ptr<AVCodecParameters> parameters(
        avcodec_parameters_alloc(), [](AVCodecParameters* p) { avcodec_parameters_free(&p); });
    avcodec_parameters_copy(parameters.get(), stream.codecpar);
    format = {.codec = avcodec_get_name(stream.codecpar->codec_id),
              .width = stream.codecpar->width,
              .height = stream.codecpar->height,
              .time_base = {stream.time_base.num, stream.time_base.den},
              .frames_per_s = av_q2d(stream.avg_frame_rate),
              .parameters = parameters};
    const int64_t start = stream.start_time == AV_NOPTS_VALUE ? 0 : stream.start_time;
    while (true) {
      const std::shared_ptr<AVPacket> packet(av_packet_alloc(),
                                             [](AVPacket* p) { av_packet_free(&p); });
      if (av_read_frame(input.get(), packet.get()) < 0) break;
      if (packet->stream_index != index) continue;
      packet->pts -= start;
      packet->dts -= start;
      packets.push_back({.data = packet,
                         .pts = packet->pts,
                         .dts = packet->dts,
                         .monotonic_ns = av_rescale_q(packet->pts, stream.time_base,
                                                      {1, static_cast<int>(kNanosPerSecond)}),
                         .size_bytes = static_cast<size_t>(packet->size),
                         .keyframe = (packet->flags & AV_PKT_FLAG_KEY) != 0});
    }
  }
};

}  // namespace gleaner::edge
