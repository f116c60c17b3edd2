#include "cloud/media/worker_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "cloud/media/frame_times.h"
#include "cloud/media/picture_size.h"
#include "cloud/media/worker_protocol.h"
#include "cloud/sandbox/process.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

using sandbox::PlainText;

absl::Status Nonsense(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("the worker's answer makes no sense: {}", what));
}

struct JpegSize {
  uint32_t width, height;
};

// Walks the segments of a JPEG (ITU-T T.81, annex B) up to its scan: one frame header must be among
// them, and says the picture's size. Nothing for what is no such JPEG.
std::optional<JpegSize> SizeOfJpeg(std::string_view jpeg) {
  const auto byte = [&jpeg](size_t at) { return static_cast<unsigned char>(jpeg[at]); };
  const auto word = [&](size_t at) { return byte(at) << 8 | byte(at + 1); };
  if (jpeg.size() < 4 || word(0) != 0xffd8 || word(jpeg.size() - 2) != 0xffd9) return std::nullopt;
  std::optional<JpegSize> size;
  size_t at = 2;
  while (at + 4 <= jpeg.size() && byte(at) == 0xff) {
    const int marker = byte(at + 1);
    const size_t length = static_cast<size_t>(word(at + 2));
    if (length < 2 || at + 2 + length > jpeg.size()) return std::nullopt;
    if (marker == 0xda) return size;
    if (marker == 0xc0) {
      if (size || length < 8) return std::nullopt;
      size = JpegSize{.width = static_cast<uint32_t>(word(at + 7)),
                      .height = static_cast<uint32_t>(word(at + 5))};
    }
    at += 2 + length;
  }
  return std::nullopt;
}

bool IsThumbnail(std::string_view jpeg) {
  if (jpeg.size() > kMaxThumbnailBytes) return false;
  const auto size = SizeOfJpeg(jpeg);
  return size && size->width == kThumbnailWidth && size->height > 0 &&
         size->height <= kMaxThumbnailHeight;
}

bool IsPicture(std::string_view jpeg, size_t max_bytes, PictureSize wanted) {
  if (jpeg.size() > max_bytes) return false;
  const auto size = SizeOfJpeg(jpeg);
  return size && size->width == wanted.width && size->height == wanted.height;
}

bool IsShare(float value) { return value >= 0 && value <= 1; }  // NaN is neither

// Reads the chosen frames of one answer, one after another.
class ChosenReader {
 public:
  explicit ChosenReader(const Question& question) : question_(question) {}

  absl::Status Add(std::string_view payload, std::vector<ChosenFrame>* frames) {
    ChosenHead head;
    if (payload.size() < sizeof(head)) return Nonsense("a frame breaks off");
    std::memcpy(&head, payload.data(), sizeof(head));
    payload.remove_prefix(sizeof(head));
    if (!frames->empty() && head.pts <= frames->back().pts) return Nonsense("frames out of order");
    ChosenFrame frame{.pts = head.pts};
    ASSIGN_OR_RETURN(frame.reasons, WhyOf(head.pts));
    for (const float share :
         {head.sharpness, head.exposure, head.clipped, head.blocked, head.motion}) {
      if (!IsShare(share)) return Nonsense("a measure of a frame is no number from 0 to 1");
    }
    if (!IsThumbnail(payload)) return Nonsense("a frame's thumbnail is no such JPEG");
    frame.phash = head.phash;
    frame.sharpness = head.sharpness;
    frame.exposure = head.exposure;
    frame.clipped = head.clipped;
    frame.blocked = head.blocked;
    frame.motion = head.motion;
    frame.grid = head.grid;
    frame.thumbnail = payload;
    frames->push_back(std::move(frame));
    return absl::OkStatus();
  }

 private:
  // One that was asked for by its time, or a keyframe, of which there may be so many.
  absl::StatusOr<uint32_t> WhyOf(int64_t pts) {
    const auto& planned = question_.frames.frames;
    const auto at =
        std::lower_bound(planned.begin(), planned.end(), pts,
                         [](const PlannedFrame& frame, int64_t time) { return frame.pts < time; });
    if (at != planned.end() && at->pts == pts) return at->reasons;
    if (++keyframes_ > question_.frames.keyframes) return Nonsense("frames nobody asked for");
    if (times_.empty()) times_ = FrameTimes(question_.track);
    if (!std::binary_search(times_.begin(), times_.end(), pts)) {
      return Nonsense("a frame that the video hasn't got");
    }
    return ReasonBit(v1::Frame::REASON_KEYFRAME);
  }

  const Question& question_;
  uint32_t keyframes_ = 0;
  std::vector<int64_t> times_;  // read when a keyframe comes
};

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
      if (!answer.frames.empty()) return Nonsense("frames of a bad video");
      // Whether a worker died, or nobody asked one, is not a worker's to say.
      if (!v1::MediaCheck::Reason_IsValid(verdict.reason()) ||
          verdict.reason() == v1::MediaCheck::REASON_UNSPECIFIED ||
          verdict.reason() >= v1::MediaCheck::REASON_WORKER_DIED || verdict.problem().empty()) {
        return Nonsense("a bad video without a reason");
      }
      return absl::OkStatus();
    default:
      return Nonsense("no verdict");
  }
}

struct Piece {
  FrameKind kind;
  std::string_view payload;
};

// The next frame of an answer, which is taken off `bytes`.
absl::StatusOr<Piece> NextPiece(std::string_view& bytes) {
  sandbox::Piece piece;
  if (!sandbox::NextPiece(bytes, &piece)) return Nonsense("it breaks off");
  return Piece{static_cast<FrameKind>(piece.kind), piece.payload};
}

absl::StatusOr<v1::MediaCheck> ParseVerdict(std::string_view payload) {
  v1::MediaCheck verdict;
  if (payload.size() > kMaxVerdictBytes ||
      !verdict.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return Nonsense("the verdict can't be parsed");
  }
  return verdict;
}

}  // namespace

WorkerAnswer Failed(v1::MediaCheck::Reason reason, std::string problem) {
  WorkerAnswer answer;
  answer.verdict.set_state(v1::MediaCheck::STATE_FAILED);
  answer.verdict.set_reason(reason);
  answer.verdict.set_problem(std::move(problem));
  return answer;
}

absl::StatusOr<WorkerAnswer> ParseAnswer(std::string_view bytes, const Question& question) {
  WorkerAnswer answer;
  ChosenReader chosen(question);
  while (!bytes.empty()) {
    ASSIGN_OR_RETURN(const Piece piece, NextPiece(bytes));
    const std::string_view payload = piece.payload;
    switch (piece.kind) {
      case FrameKind::kThumbnail:
        if (answer.thumbnails.size() >= question.thumbnails) return Nonsense("too many thumbnails");
        if (!IsThumbnail(payload)) return Nonsense("a thumbnail is no such JPEG");
        answer.thumbnails.emplace_back(payload);
        break;
      case FrameKind::kChosen:
        RETURN_IF_ERROR(chosen.Add(payload, &answer.frames));
        break;
      case FrameKind::kVerdict: {
        if (!bytes.empty()) return Nonsense("something after the verdict");
        ASSIGN_OR_RETURN(const v1::MediaCheck verdict, ParseVerdict(payload));
        // Field by field: nothing else that it may carry goes on.
        answer.verdict.set_state(verdict.state());
        answer.verdict.set_problem(PlainText(verdict.problem()));
        answer.verdict.set_reason(verdict.reason());
        answer.verdict.set_decoded_frames(verdict.decoded_frames());
        answer.verdict.set_damaged_frames(verdict.damaged_frames());
        answer.verdict.set_thumbnails(verdict.thumbnails());
        if (absl::Status status = CheckVerdict(answer, question.track, question.thumbnails);
            !status.ok()) {
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

absl::StatusOr<std::string> ParsePicture(std::string_view bytes, const v1::VideoTrack& track) {
  ASSIGN_OR_RETURN(const Piece piece, NextPiece(bytes));
  if (!bytes.empty()) return Nonsense("something after the picture");
  switch (piece.kind) {
    case FrameKind::kPicture: {
      if (!IsPicture(piece.payload, kMaxPictureBytes, UprightSize(track, 0))) {
        return Nonsense("the picture is no such JPEG");
      }
      return std::string(piece.payload);
    }
    case FrameKind::kVerdict: {
      ASSIGN_OR_RETURN(const v1::MediaCheck verdict, ParseVerdict(piece.payload));
      if (verdict.problem().empty()) return Nonsense("no picture, and no reason");
      return absl::FailedPreconditionError(PlainText(verdict.problem()));
    }
    case FrameKind::kTrouble:
      return absl::UnavailableError(PlainText(piece.payload));
    default:
      return Nonsense("an unknown frame");
  }
}

absl::StatusOr<std::vector<FoundPicture>> ParsePictures(std::string_view bytes,
                                                        const v1::VideoTrack& track,
                                                        const std::vector<int64_t>& times,
                                                        uint32_t max_side) {
  const PictureSize wanted = UprightSize(track, max_side);
  std::vector<FoundPicture> pictures;
  size_t next = 0;  // of the times that may still come
  while (!bytes.empty()) {
    ASSIGN_OR_RETURN(const Piece piece, NextPiece(bytes));
    if (piece.kind == FrameKind::kTrouble) return absl::UnavailableError(PlainText(piece.payload));
    if (piece.kind == FrameKind::kVerdict) {
      if (!bytes.empty()) return Nonsense("something after the verdict");
      ASSIGN_OR_RETURN(const v1::MediaCheck verdict, ParseVerdict(piece.payload));
      if (!pictures.empty() || times.empty()) return pictures;
      if (verdict.problem().empty()) return Nonsense("no picture, and no reason");
      return absl::FailedPreconditionError(PlainText(verdict.problem()));
    }
    FoundPicture picture;
    if (piece.kind != FrameKind::kPictureAt) return Nonsense("an unknown frame");
    if (piece.payload.size() < sizeof(picture.pts)) return Nonsense("a picture breaks off");
    std::memcpy(&picture.pts, piece.payload.data(), sizeof(picture.pts));
    while (next < times.size() && times[next] != picture.pts) ++next;
    if (next++ >= times.size()) return Nonsense("pictures nobody asked for");
    picture.jpeg = piece.payload.substr(sizeof(picture.pts));
    if (!IsPicture(picture.jpeg, kMaxSmallPictureBytes, wanted)) {
      return Nonsense("a picture is no such JPEG");
    }
    pictures.push_back(std::move(picture));
  }
  return Nonsense("no verdict");
}

size_t MaxAnswerBytes(const Question& question) {
  const size_t frames = question.frames.frames.size() + question.frames.keyframes;
  return question.thumbnails * (sizeof(FrameHead) + kMaxThumbnailBytes) +
         frames * (sizeof(FrameHead) + sizeof(ChosenHead) + kMaxThumbnailBytes) +
         sizeof(FrameHead) + kMaxVerdictBytes;
}

}  // namespace gleaner::cloud::media
