// H.264 as a camera sends it, through what mends a clip that can't start at an IDR picture. The
// input is packets in Annex B, each with two bytes of length in front.
#include "edge/clip/open_start.h"

#include <cstring>
#include <memory>

#include "edge/camera/nal_units.h"
#include "edge/clip/encoder.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {
namespace {

using edge::AvDeleter;
using edge::AvPtr;
using edge::Bytes;

constexpr size_t kMaxPackets = 64;

std::string Sized(std::string_view packet) {
  const size_t size = std::min<size_t>(packet.size(), 0xffff);
  return std::string{static_cast<char>(size >> 8), static_cast<char>(size & 0xff)} +
         std::string(packet.substr(0, size));
}

std::shared_ptr<const AVCodecParameters> NoExtradata() {
  std::shared_ptr<AVCodecParameters> parameters(avcodec_parameters_alloc(), AvDeleter());
  parameters->codec_id = AV_CODEC_ID_H264;
  return parameters;
}

std::vector<std::shared_ptr<const AVPacket>> Packets(std::string_view bytes) {
  std::vector<std::shared_ptr<const AVPacket>> packets;
  while (bytes.size() >= 2 && packets.size() < kMaxPackets) {
    size_t size =
        static_cast<size_t>(static_cast<uint8_t>(bytes[0])) << 8 | static_cast<uint8_t>(bytes[1]);
    bytes.remove_prefix(2);
    size = std::min(size, bytes.size());
    AvPtr<AVPacket> packet = edge::NewPacket();
    REQUIRE(av_new_packet(packet.get(), static_cast<int>(size)) == 0);
    std::memcpy(packet->data, bytes.data(), size);
    packets.emplace_back(packet.release(), AvDeleter());
    bytes.remove_prefix(size);
  }
  return packets;
}

}  // namespace

// An encoder's pictures without the first one, which the others refer to: its parameter sets alone.
std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (const char* name : {"openh264", "libx264"}) {
    const edge::EncoderSettings settings{
        .width = 64, .height = 48, .frames_per_s = 10, .bits_per_s = 400'000};
    AvPtr<AVFrame> frame = edge::NewFrame();
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = 64;
    frame->height = 48;
    REQUIRE(av_frame_get_buffer(frame.get(), 0) == 0);
    for (int plane = 0; plane < 3; ++plane) {
      std::memset(frame->data[plane], 128, frame->linesize[plane] * (plane == 0 ? 48 : 24));
    }
    auto chosen = edge::ChooseEncoder({name}, settings, *frame, "fuzz");
    REQUIRE(chosen.ok());
    std::string seed;
    for (int i = 0; i < 6; ++i) {
      REQUIRE(av_frame_make_writable(frame.get()) == 0);
      std::memset(frame->data[0] + i * 8, 16 + 30 * i, 8);
      frame->pts = i;
      std::vector<AvPtr<AVPacket>> packets;
      REQUIRE(chosen->encoder->Encode(*frame, i == 0, &packets).ok());
      for (const auto& packet : packets) {
        std::vector<uint8_t> kept;
        edge::ForEachNalUnit({packet->data, static_cast<size_t>(packet->size)}, 0, [&](Bytes unit) {
          if ((unit[0] & 0x1f) != 5) edge::AppendNalUnit(unit, 0, &kept);
        });
        seed += Sized({reinterpret_cast<const char*>(kept.data()), kept.size()});
      }
    }
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  edge::OpenStart once(fuzz::NoExtradata());
  edge::OpenStart twice(fuzz::NoExtradata());
  for (const auto& packet : fuzz::Packets(fuzz::AsText(data, size))) {
    const auto mended = once.Mend(packet);
    REQUIRE(mended != nullptr && mended->data != nullptr);
    if (mended != packet) ++fuzz::accepted;
    // What is mended needs no mending.
    REQUIRE(twice.Mend(mended) == mended);
    if (once.done()) break;
  }
  return 0;
}
