#include "cloud/media/packet_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "cloud/media/frame_times.h"
#include "cloud/media/worker_answer.h"
#include "cloud/media/worker_protocol.h"
#include "cloud/sandbox/process.h"
#include "common/status.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud::media {
namespace {

absl::Status Nonsense(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("the worker's answer makes no sense: {}", what));
}

}  // namespace

PacketReader::PacketReader(const v1::VideoTrack& track, uint64_t video_bytes,
                           std::function<absl::Status(const Packet&)> each)
    : track_(track),
      // Start codes take no more room than lengths did; parameter sets come again and again.
      max_bytes_(2 * video_bytes + (uint64_t{track.frame_count()} + 1) * 64 * 1024),
      each_(std::move(each)),
      times_(FrameTimes(track)) {}

absl::Status PacketReader::Take(std::string_view piece) {
  taken_ += piece.size();
  if (taken_ > max_bytes_) return Nonsense("it has no end");
  held_ += piece;
  size_t at = 0;
  FrameHead head;
  while (held_.size() - at >= sizeof(head)) {
    if (ended_) return Nonsense("something after the verdict");
    std::memcpy(&head, held_.data() + at, sizeof(head));
    if (head.bytes > sizeof(PacketHead) + kMaxPacketBytes) return Nonsense("a packet is too long");
    if (held_.size() - at < sizeof(head) + head.bytes) break;
    RETURN_IF_ERROR(Frame(static_cast<uint32_t>(head.kind),
                          std::string_view(held_).substr(at + sizeof(head), head.bytes)));
    at += sizeof(head) + head.bytes;
  }
  held_.erase(0, at);
  return absl::OkStatus();
}

absl::Status PacketReader::Frame(uint32_t kind, std::string_view payload) {
  switch (static_cast<FrameKind>(kind)) {
    case FrameKind::kPacket: {
      PacketHead head;
      if (payload.size() <= sizeof(head)) return Nonsense("a packet breaks off");
      std::memcpy(&head, payload.data(), sizeof(head));
      // Said so that no number overflows, whatever the worker makes of it.
      const bool lead_in = !times_.empty() && head.pts < times_.front() &&
                           head.pts >= times_.front() - int64_t{track_.lead_in_ticks()};
      if (!lead_in && !std::binary_search(times_.begin(), times_.end(), head.pts)) {
        return Nonsense("a packet that the video hasn't got");
      }
      if (head.keyframe > 1) return Nonsense("a packet that may be a keyframe");
      return each_(
          {.pts = head.pts, .keyframe = head.keyframe == 1, .bytes = payload.substr(sizeof(head))});
    }
    case FrameKind::kVerdict: {
      v1::MediaCheck verdict;
      if (payload.size() > kMaxVerdictBytes ||
          !verdict.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
        return Nonsense("the verdict can't be parsed");
      }
      ended_ = true;
      if (verdict.state() == v1::MediaCheck::STATE_OK) return absl::OkStatus();
      if (verdict.problem().empty()) return Nonsense("no packets, and no reason");
      ending_ = absl::FailedPreconditionError(sandbox::PlainText(verdict.problem()));
      return absl::OkStatus();
    }
    case FrameKind::kTrouble:
      ended_ = true;
      ending_ = absl::UnavailableError(sandbox::PlainText(payload));
      return absl::OkStatus();
    default:
      return Nonsense("an unknown frame");
  }
}

absl::Status PacketReader::End() const {
  if (!ended_) return Nonsense("it breaks off");
  return held_.empty() ? ending_ : Nonsense("something after the verdict");
}

}  // namespace gleaner::cloud::media
