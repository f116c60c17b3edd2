// One run of gleaner-media on one video: a check of all of it, a picture of one frame, or its
// packets as they are.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/media/packet_reader.h"
#include "cloud/media/worker_answer.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

// Starts `program` with nothing but `video_fd` (read-only) and waits for its answer. It may use
// `cpu_ns` of processor time, and ten times as long by the clock, so that a busy machine fails no
// good clip; then it is killed with all it may have started.
//
// Whatever the worker does, the outcome is an answer: one that crashes, hangs, is stopped by its
// sandbox or talks nonsense makes a STATE_FAILED verdict with a reason and a sentence that say so.
// An error means that no verdict on the clip is possible: UNAVAILABLE (the program can't be
// started, or could not begin), ABORTED (somebody else killed it: an operator, or the kernel for
// want of memory), CANCELLED (`stop`).
absl::StatusOr<WorkerAnswer> RunWorker(const std::string& program, int video_fd,
                                       const Question& question, int64_t cpu_ns,
                                       const std::stop_token& stop);

// The frame at `pts`, which is one of the track's, as JPEG at full size, upright.
// FAILED_PRECONDITION with a sentence where that can't be had, whatever the worker did; else errors
// as RunWorker.
absl::StatusOr<std::string> RunForPicture(const std::string& program, int video_fd,
                                          const v1::VideoTrack& track, int64_t pts, int64_t cpu_ns,
                                          const std::stop_token& stop);

// Several frames in one pass over the video: those of `times` (ascending, at most
// kMaxPicturesAtOnce) that can be had, upright and of at most `max_side`. Errors as RunForPicture,
// where none can be had.
absl::StatusOr<std::vector<FoundPicture>> RunForPictures(const std::string& program, int video_fd,
                                                         const v1::VideoTrack& track,
                                                         const std::vector<int64_t>& times,
                                                         uint32_t max_side, int64_t cpu_ns,
                                                         const std::stop_token& stop);

// All packets of a video of `video_bytes`, in the order in which they are coded. Holds one. An
// error from `each` ends it; else errors as RunForPicture, but DEADLINE_EXCEEDED where the machine
// was too busy: another time it may go.
absl::Status RunForPackets(const std::string& program, int video_fd, const v1::VideoTrack& track,
                           uint64_t video_bytes, int64_t cpu_ns, const std::stop_token& stop,
                           const std::function<absl::Status(const Packet&)>& each);

}  // namespace gleaner::cloud::media
