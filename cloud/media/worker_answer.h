// Reads what a worker answered, as hostile input: a decoder that was taken over writes what its
// attacker likes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/media/frame_choice.h"
#include "cloud/media/worker_protocol.h"
#include "gleaner/v1/catalog.pb.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

// What a worker is asked about a video.
struct Question {
  const v1::VideoTrack& track;
  size_t thumbnails = 0;
  FramePlan frames = {};
};

// A frame that was taken out of a video on the way; what is measured goes from 0 to 1, see
// worker/measures.h.
struct ChosenFrame {
  int64_t pts = 0;       // one of the track's
  uint32_t reasons = 0;  // of ReasonBit
  uint64_t phash = 0;
  double sharpness = 0;
  double exposure = 0;
  double clipped = 0;
  double blocked = 0;
  double motion = 0;
  LumaGrid grid{};
  std::string thumbnail;  // JPEG
};

struct WorkerAnswer {
  v1::MediaCheck verdict;
  std::vector<std::string> thumbnails;
  std::vector<ChosenFrame> frames;  // in the order of their times; none of a video that failed
};

// A STATE_FAILED verdict that no worker gave.
WorkerAnswer Failed(v1::MediaCheck::Reason reason, std::string problem);

// INVALID_ARGUMENT if the answer breaks any rule of worker_protocol.h or contradicts what was
// asked; UNAVAILABLE if the worker says that it could not begin. On success every thumbnail is
// framed as a JPEG of at most the agreed size, frames are such as were asked for, and the verdict's
// text is plain.
absl::StatusOr<WorkerAnswer> ParseAnswer(std::string_view bytes, const Question& question);

// The same of a picture: framed as a JPEG of the track's upright size. FAILED_PRECONDITION with a
// sentence if the worker says that it can't be had.
absl::StatusOr<std::string> ParsePicture(std::string_view bytes, const v1::VideoTrack& track);

struct FoundPicture {
  int64_t pts = 0;
  std::string jpeg;
};

// The same of several pictures, of at most `max_side`: those that could be had, in the order of
// their times. `times`: ascending. FAILED_PRECONDITION where none can be had.
absl::StatusOr<std::vector<FoundPicture>> ParsePictures(std::string_view bytes,
                                                        const v1::VideoTrack& track,
                                                        const std::vector<int64_t>& times,
                                                        uint32_t max_side);

// The longest that an answer can be.
size_t MaxAnswerBytes(const Question& question);

}  // namespace gleaner::cloud::media
