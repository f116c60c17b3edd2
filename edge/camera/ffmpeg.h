// FFmpeg with owners and absl::Status, for every room that touches it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libavutil/mathematics.h>
#include <libswscale/swscale.h>
}

#include "absl/status/status.h"
#include "common/clock.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

struct AvDeleter {
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVCodecParserContext* p) const { av_parser_close(p); }
  void operator()(AVCodecParameters* p) const { avcodec_parameters_free(&p); }
  void operator()(AVBSFContext* p) const { av_bsf_free(&p); }
  void operator()(AVBufferRef* p) const { av_buffer_unref(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
  void operator()(AVIOContext* p) const {
    av_freep(&p->buffer);
    avio_context_free(&p);
  }
};
template <typename T>
using AvPtr = std::unique_ptr<T, AvDeleter>;

inline AvPtr<AVPacket> NewPacket() { return AvPtr<AVPacket>(av_packet_alloc()); }
inline AvPtr<AVFrame> NewFrame() { return AvPtr<AVFrame>(av_frame_alloc()); }
std::shared_ptr<AVCodecParameters> CopyParameters(const AVCodecParameters& parameters);

// Whether both are turned the same way for viewing.
bool SameTurn(const VideoFormat& a, const VideoFormat& b);

// "`what`: End of file", with the status code that fits `error` (a negative AVERROR).
absl::Status AvStatus(int error, std::string_view what);

// FFmpeg's own messages say nothing that a person could act on, and every error reaches the log by
// AvStatus, so they stay silent. Called before FFmpeg's first use; cheap, any number of times.
void QuietFfmpeg();

inline AVRational ToRational(TimeBase base) { return {base.numerator, base.denominator}; }
inline int64_t TicksToNs(int64_t ticks, TimeBase base) {
  return av_rescale_q(ticks, ToRational(base), {1, 1'000'000'000});
}
inline int64_t NsToTicks(int64_t ns, TimeBase base) {
  return av_rescale_q(ns, {1, 1'000'000'000}, ToRational(base));
}

}  // namespace gleaner::edge
