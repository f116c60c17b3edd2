// Packets of a video, as if whoever sent it had taken over the worker that takes it apart.
#include <cstring>

#include "cloud/media/packet_reader.h"
#include "cloud/media/worker_protocol.h"
#include "common/status.h"
#include "gleaner/v1/catalog.pb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/quiet_protobuf.h"

namespace gleaner::fuzz {
namespace {

using cloud::media::FrameKind;

constexpr int64_t kFrames = 20;
constexpr uint64_t kVideoBytes = 1'000;

std::string Frame(FrameKind kind, const std::string& payload) {
  const cloud::media::FrameHead head{kind, static_cast<uint32_t>(payload.size())};
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + payload;
}
std::string PacketFrame(int64_t pts, uint32_t keyframe) {
  const cloud::media::PacketHead head{.pts = pts, .keyframe = keyframe, .reserved = 0};
  return Frame(FrameKind::kPacket,
               std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + "packet");
}
std::string VerdictFrame(v1::MediaCheck::State state, const std::string& problem) {
  v1::MediaCheck verdict;
  verdict.set_state(state);
  verdict.set_problem(problem);
  return Frame(FrameKind::kVerdict, verdict.SerializeAsString());
}

v1::VideoTrack Track() {
  v1::VideoTrack track;
  track.set_frame_count(kFrames);
  for (int64_t i = 1; i < kFrames; ++i) track.add_pts_delta(10);
  track.set_lead_in_ticks(20);
  return track;
}

}  // namespace

// The first byte says in which pieces the answer comes.
std::vector<std::string> Seeds() {
  const std::string packets = PacketFrame(-10, 0) + PacketFrame(0, 1) + PacketFrame(10, 0);
  return {"\x01" + packets + VerdictFrame(v1::MediaCheck::STATE_OK, ""),
          "\xff" + packets + VerdictFrame(v1::MediaCheck::STATE_FAILED, "the file breaks off"),
          "\x10" + packets + Frame(FrameKind::kTrouble, "no memory")};
}

}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  if (size == 0) return 0;
  const size_t step = data[0] + 1;
  const auto bytes = fuzz::AsText(data + 1, size - 1);
  const v1::VideoTrack track = fuzz::Track();
  const auto read = [&](size_t piece, std::vector<int64_t>* times) {
    cloud::media::PacketReader reader(
        track, fuzz::kVideoBytes, [&](const cloud::media::Packet& packet) {
          REQUIRE(packet.pts >= -20 && packet.pts < 10 * fuzz::kFrames);
          REQUIRE(packet.pts < 0 || packet.pts % 10 == 0);
          REQUIRE(!packet.bytes.empty());
          times->push_back(packet.pts);
          return absl::OkStatus();
        });
    absl::Status status;
    for (size_t at = 0; at < bytes.size() && status.ok(); at += piece) {
      status = reader.Take(bytes.substr(at, piece));
    }
    return status.ok() ? reader.End() : status;
  };
  std::vector<int64_t> times, again;
  const absl::Status status = read(step, &times);
  // It doesn't matter how it came.
  REQUIRE(read(bytes.size() + 1, &again).code() == status.code() && again == times);
  REQUIRE(status.ok() || absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status) ||
          absl::IsUnavailable(status));
  REQUIRE(fuzz::IsPlain(Message(status)));
  if (status.ok()) ++fuzz::accepted;
  return 0;
}
