#include "tests/edge/trigger/full_decode.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <cstdlib>
#include <deque>

namespace gleaner::edge {
namespace {

constexpr int kDifferenceSteps = 12;
constexpr int64_t kDistanceNs = 200 * kNanosPerMilli;
constexpr int64_t kQuietNs = 500 * kNanosPerMilli;
constexpr int64_t kEventNs = 2 * kNanosPerSecond;

struct Picture {
  int64_t monotonic_ns;
  std::vector<uint8_t> luma;
};

double Changed(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  size_t changed = 0;
  for (size_t i = 0; i < a.size(); ++i) changed += std::abs(a[i] - b[i]) > kDifferenceSteps;
  return static_cast<double>(changed) / static_cast<double>(a.size());
}

std::vector<Span> WithHysteresis(const std::vector<FullDecode::Point>& points, double on,
                                 double off) {
  std::vector<Span> spans;
  bool active = false;
  int64_t above_ns = 0;
  for (const auto& point : points) {
    if (!active && point.fraction > on) {
      active = true;
      spans.push_back({point.monotonic_ns, point.monotonic_ns});
    }
    if (!active) continue;
    if (point.fraction > off) above_ns = point.monotonic_ns;
    spans.back().end_ns = above_ns;
    if (point.monotonic_ns - above_ns >= kQuietNs) active = false;
  }
  return spans;
}

}  // namespace

FullDecode DecodeFully(const VideoFile& file, double on, double off) {
  FullDecode result;
  const AVCodec* codec = avcodec_find_decoder(file.format.parameters->codec_id);
  AVCodecContext* context = avcodec_alloc_context3(codec);
  avcodec_parameters_to_context(context, file.format.parameters.get());
  context->thread_count = 1;
  avcodec_open2(context, codec, nullptr);
  const double scale = std::min(320.0 / file.format.width, 180.0 / file.format.height);
  const int width = static_cast<int>(file.format.width * scale);
  const int height = static_cast<int>(file.format.height * scale);
  SwsContext* scaler = nullptr;
  AVFrame* frame = av_frame_alloc();
  std::deque<Picture> recent;
  const double tick_ns = 1e9 * file.format.time_base.numerator / file.format.time_base.denominator;

  const auto receive = [&] {
    while (avcodec_receive_frame(context, frame) >= 0) {
      if (scaler == nullptr) {
        scaler =
            sws_getContext(frame->width, frame->height, static_cast<AVPixelFormat>(frame->format),
                           width, height, AV_PIX_FMT_GRAY8, SWS_AREA, nullptr, nullptr, nullptr);
      }
      Picture picture{
          static_cast<int64_t>(static_cast<double>(frame->best_effort_timestamp) * tick_ns),
          std::vector<uint8_t>(static_cast<size_t>(width) * height)};
      uint8_t* planes[4] = {picture.luma.data()};
      const int strides[4] = {width};
      sws_scale(scaler, frame->data, frame->linesize, 0, frame->height, planes, strides);
      while (recent.size() > 1 && picture.monotonic_ns - recent[1].monotonic_ns >= kDistanceNs) {
        recent.pop_front();
      }
      result.points.push_back(
          {picture.monotonic_ns, recent.empty() ? 0 : Changed(recent.front().luma, picture.luma)});
      recent.push_back(std::move(picture));
    }
  };
  for (const Packet& packet : file.packets) {
    if (avcodec_send_packet(context, packet.data.get()) >= 0) receive();
  }
  avcodec_send_packet(context, nullptr);
  receive();
  av_frame_free(&frame);
  sws_freeContext(scaler);
  avcodec_free_context(&context);
  result.activity = WithHysteresis(result.points, on, off);
  return result;
}

std::vector<Span> Events(const std::vector<Span>& activity) {
  std::vector<Span> events;
  for (const Span& span : activity) {
    for (int64_t start = span.start_ns; start <= span.end_ns; start += kEventNs) {
      events.push_back({start, std::min(start + kEventNs, std::max(span.end_ns, start + 1))});
    }
  }
  return events;
}

}  // namespace gleaner::edge
