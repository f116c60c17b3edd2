#include "cloud/media/worker_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "cloud/media/worker_protocol.h"

namespace gleaner::cloud::media {
namespace {

constexpr size_t kMaxProblemBytes = 300;

absl::Status Nonsense(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("the worker's answer makes no sense: {}", what));
}

// Walks the segments of a JPEG (ITU-T T.81, annex B) up to its scan: one frame header of the agreed
// size must be among them.
bool IsThumbnail(std::string_view jpeg) {
  const auto byte = [&jpeg](size_t at) { return static_cast<unsigned char>(jpeg[at]); };
  const auto word = [&](size_t at) { return byte(at) << 8 | byte(at + 1); };
  if (jpeg.size() < 4 || word(0) != 0xffd8 || word(jpeg.size() - 2) != 0xffd9) return false;
  bool sized = false;
  size_t at = 2;
  while (at + 4 <= jpeg.size() && byte(at) == 0xff) {
    const int marker = byte(at + 1);
    const size_t length = static_cast<size_t>(word(at + 2));
    if (length < 2 || at + 2 + length > jpeg.size()) return false;
    if (marker == 0xda) return sized;
    if (marker == 0xc0) {
      if (sized || length < 8) return false;
      const uint32_t height = static_cast<uint32_t>(word(at + 5));
      const uint32_t width = static_cast<uint32_t>(word(at + 7));
      if (width != kThumbnailWidth || height == 0 || height > kMaxThumbnailHeight) return false;
      sized = true;
    }
    at += 2 + length;
  }
  return false;
}

absl::Status CheckVerdict(const WorkerAnswer& answer, const v1::VideoTrack& track,
                          size_t thumbnails_wanted) {
  const v1::MediaCheck& verdict = answer.verdict;
  if (verdict.decoded_frames() > track.frame_count() ||
      verdict.damaged_frames() > track.frame_count()) {
    return Nonsense("more frames than there are");
  }
  if (verdict.thumbnails() != answer.thumbnails.size())
    return Nonsense("another number of thumbnails");
  const size_t wanted = std::min<size_t>(thumbnails_wanted, track.frame_count());
  if (!answer.thumbnails.empty() && answer.thumbnails.size() != wanted) {
    return Nonsense("thumbnails are missing");
  }
  const bool damaged = verdict.reason() == v1::MediaCheck::REASON_DAMAGED_FRAMES;
  switch (verdict.state()) {
    case v1::MediaCheck::STATE_OK:
      if (verdict.reason() != v1::MediaCheck::REASON_UNSPECIFIED && !damaged) {
        return Nonsense("a good video with a fault");
      }
      if (damaged == verdict.problem().empty() || damaged != (verdict.damaged_frames() > 0)) {
        return Nonsense("a problem with a good video");
      }
      if (verdict.decoded_frames() == 0) return Nonsense("a good video without a frame");
      if (answer.thumbnails.size() != wanted) return Nonsense("thumbnails are missing");
      return absl::OkStatus();
    case v1::MediaCheck::STATE_FAILED:
      // Whether a worker died is not the worker's to say.
      if (!v1::MediaCheck::Reason_IsValid(verdict.reason()) ||
          verdict.reason() == v1::MediaCheck::REASON_UNSPECIFIED ||
          verdict.reason() == v1::MediaCheck::REASON_WORKER_DIED || verdict.problem().empty()) {
        return Nonsense("a bad video without a reason");
      }
      return absl::OkStatus();
    default:
      return Nonsense("no verdict");
  }
}

}  // namespace

WorkerAnswer Failed(v1::MediaCheck::Reason reason, std::string problem) {
  WorkerAnswer answer;
  answer.verdict.set_state(v1::MediaCheck::STATE_FAILED);
  answer.verdict.set_reason(reason);
  answer.verdict.set_problem(std::move(problem));
  return answer;
}

std::string PlainText(std::string_view text) {
  std::string plain;
  for (const char c : text.substr(0, kMaxProblemBytes)) {
    plain += c >= ' ' && c <= '~' ? c : '?';
  }
  return plain;
}

absl::StatusOr<WorkerAnswer> ParseAnswer(std::string_view bytes, const v1::VideoTrack& track,
                                         size_t thumbnails_wanted) {
  WorkerAnswer answer;
  while (!bytes.empty()) {
    FrameHead head;
    if (bytes.size() < sizeof(head)) return Nonsense("it breaks off");
    std::memcpy(&head, bytes.data(), sizeof(head));
    bytes.remove_prefix(sizeof(head));
    if (head.bytes > bytes.size()) return Nonsense("it breaks off");
    const std::string_view payload = bytes.substr(0, head.bytes);
    bytes.remove_prefix(head.bytes);
    switch (head.kind) {
      case FrameKind::kThumbnail:
        if (answer.thumbnails.size() >= thumbnails_wanted) return Nonsense("too many thumbnails");
        if (payload.size() > kMaxThumbnailBytes || !IsThumbnail(payload)) {
          return Nonsense("a thumbnail is no such JPEG");
        }
        answer.thumbnails.emplace_back(payload);
        break;
      case FrameKind::kVerdict: {
        if (!bytes.empty()) return Nonsense("something after the verdict");
        v1::MediaCheck verdict;
        if (payload.size() > kMaxVerdictBytes ||
            !verdict.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
          return Nonsense("the verdict can't be parsed");
        }
        // Field by field: nothing else that it may carry goes on.
        answer.verdict.set_state(verdict.state());
        answer.verdict.set_problem(PlainText(verdict.problem()));
        answer.verdict.set_reason(verdict.reason());
        answer.verdict.set_decoded_frames(verdict.decoded_frames());
        answer.verdict.set_damaged_frames(verdict.damaged_frames());
        answer.verdict.set_thumbnails(verdict.thumbnails());
        if (absl::Status status = CheckVerdict(answer, track, thumbnails_wanted); !status.ok()) {
          return status;
        }
        return answer;
      }
      case FrameKind::kTrouble:
        return absl::UnavailableError(PlainText(payload));
      default:
        return Nonsense("an unknown frame");
    }
  }
  return Nonsense("no verdict");
}

}  // namespace gleaner::cloud::media
