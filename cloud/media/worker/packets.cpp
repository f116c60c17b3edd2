#include "cloud/media/worker/packets.h"

#include <fmt/format.h>

extern "C" {
#include <libavcodec/bsf.h>
}

#include <memory>
#include <string>

#include "cloud/media/worker/track_decoder.h"

namespace gleaner::cloud::media {
namespace {

using v1::MediaCheck;

struct FreeFilter {
  void operator()(AVBSFContext* filter) const { av_bsf_free(&filter); }
};
using Filter = std::unique_ptr<AVBSFContext, FreeFilter>;

Fault Unreadable(std::string_view what, int error) {
  return Fault{MediaCheck::REASON_UNREADABLE, fmt::format("{}: {}", what, ErrorText(error))};
}

std::optional<Fault> OpenFilter(const v1::VideoTrack& track, const VideoFile& file,
                                Filter& filter) {
  const std::string name = track.codec() + "_mp4toannexb";
  const AVBitStreamFilter* found = av_bsf_get_by_name(name.c_str());
  if (found == nullptr) {
    return Fault{MediaCheck::REASON_UNDECODABLE,
                 fmt::format("{} is not taken apart here", track.codec())};
  }
  AVBSFContext* made = nullptr;
  if (const int error = av_bsf_alloc(found, &made); error < 0)
    return Unreadable("no filter", error);
  filter.reset(made);
  if (const int error = avcodec_parameters_copy(made->par_in, file.stream().codecpar); error < 0) {
    return Unreadable("the video's parameters", error);
  }
  made->time_base_in = file.stream().time_base;
  if (const int error = av_bsf_init(made); error < 0) {
    return Unreadable("the video's parameter sets", error);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Fault> ReadPackets(
    const v1::VideoTrack& track,
    const std::function<bool(const PacketHead& head, std::string_view bytes)>& write) {
  av_log_set_level(AV_LOG_QUIET);
  VideoFile file;
  if (auto fault = OpenTrack(track, file)) return fault;
  Filter filter;
  if (auto fault = OpenFilter(track, file, filter)) return fault;
  const Owned<AVPacket> packet(av_packet_alloc());
  while (file.Read(packet.get())) {
    // One goes in, one comes out; the filter takes the packet's bytes over.
    if (const int error = av_bsf_send_packet(filter.get(), packet.get()); error < 0) {
      return Unreadable("a packet can't be taken apart", error);
    }
    int error = 0;
    while ((error = av_bsf_receive_packet(filter.get(), packet.get())) >= 0) {
      const PacketHead head{.pts = packet->pts,
                            .keyframe = (packet->flags & AV_PKT_FLAG_KEY) != 0 ? 1u : 0u,
                            .reserved = 0};
      if (packet->size <= 0 || packet->size > static_cast<int>(kMaxPacketBytes)) {
        return Fault{MediaCheck::REASON_TOO_LARGE, "a packet is too large"};
      }
      if (!write(head, {reinterpret_cast<const char*>(packet->data),
                        static_cast<size_t>(packet->size)})) {
        return Fault{MediaCheck::REASON_UNREADABLE, "nobody reads the packets"};
      }
      av_packet_unref(packet.get());
    }
    if (error != AVERROR(EAGAIN) && error != AVERROR_EOF) {
      return Unreadable("a packet can't be taken apart", error);
    }
  }
  return file.broken();
}

}  // namespace gleaner::cloud::media
