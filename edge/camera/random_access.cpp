#include "edge/camera/random_access.h"

#include <optional>

#include "edge/camera/bits.h"
#include "edge/camera/nal_units.h"

namespace gleaner::edge {
namespace {

// ITU-T H.264 table 7-1, H.265 table 7-1.
constexpr int kH264Slice = 1;
constexpr int kH264Idr = 5;
constexpr int kH264Sei = 6;
constexpr int kHevcFirstIrap = 16;
constexpr int kHevcIdrWithLeading = 19;
constexpr int kHevcIdr = 20;
constexpr int kHevcLastIrap = 23;
constexpr uint32_t kRecoveryPoint = 6;
// More than a sequence of the smallest frame numbers can count; a greater one is damage.
constexpr uint32_t kMaxRecoveryFrames = 1024;

// recovery_frame_cnt, if there is a recovery point in this SEI.
std::optional<uint32_t> RecoveryFrames(Bytes unit) {
  const std::vector<uint8_t> sei = Unescape(unit);
  size_t at = 1;
  const auto value = [&] {  // 7.3.2.3.1
    uint32_t sum = 0;
    while (at < sei.size() && sei[at] == 0xff) sum += 255, ++at;
    return at < sei.size() ? sum + sei[at++] : sum;
  };
  while (at + 2 < sei.size()) {
    const uint32_t type = value();
    const size_t size = std::min<size_t>(value(), sei.size() - at);
    if (type == kRecoveryPoint) {
      BitReader bits(Bytes(sei).subspan(at, size));
      const uint32_t frames = bits.Ue();
      if (bits.ok() && frames <= kMaxRecoveryFrames) return frames;
    }
    at += size;
  }
  return std::nullopt;
}

}  // namespace

RandomAccess LookAtKeyframe(const AVCodecParameters& parameters, const AVPacket& keyframe) {
  RandomAccess access;
  const bool h264 = parameters.codec_id == AV_CODEC_ID_H264;
  if (!h264 && parameters.codec_id != AV_CODEC_ID_HEVC) return access;
  bool seen = false;
  ForEachNalUnit({keyframe.data, static_cast<size_t>(keyframe.size)}, LengthBytes(parameters),
                 [&](Bytes unit) {
                   if (seen) return;
                   if (h264) {
                     const int type = unit[0] & 0x1f;
                     if (type == kH264Sei) {
                       if (const auto frames = RecoveryFrames(unit))
                         access.recovery_frames = *frames;
                     }
                     seen = type == kH264Slice || type == kH264Idr;
                     if (seen) access.clean = type == kH264Idr;
                   } else {
                     const int type = unit[0] >> 1 & 0x3f;
                     seen = type >= kHevcFirstIrap && type <= kHevcLastIrap;
                     if (seen) access.clean = type == kHevcIdr || type == kHevcIdrWithLeading;
                   }
                 });
  if (access.clean) access.recovery_frames = 0;
  return access;
}

bool IsReference(const AVCodecParameters& parameters, const AVPacket& packet) {
  bool reference = true;
  bool seen = false;
  if (parameters.codec_id != AV_CODEC_ID_H264) return reference;
  ForEachNalUnit({packet.data, static_cast<size_t>(packet.size)}, LengthBytes(parameters),
                 [&](Bytes unit) {
                   const int type = unit[0] & 0x1f;
                   if (seen || (type != kH264Slice && type != kH264Idr)) return;
                   seen = true;
                   reference = (unit[0] & 0x60) != 0;
                 });
  return reference;
}

}  // namespace gleaner::edge
