// Reads what a worker answered, as hostile input: a decoder that was taken over writes what its
// attacker likes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gleaner/v1/catalog.pb.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

struct WorkerAnswer {
  v1::MediaCheck verdict;
  std::vector<std::string> thumbnails;
};

// A STATE_FAILED verdict that no worker gave.
WorkerAnswer Failed(v1::MediaCheck::Reason reason, std::string problem);

// INVALID_ARGUMENT if the answer breaks any rule of worker_protocol.h or contradicts what was
// asked; UNAVAILABLE if the worker says that it could not begin. On success every thumbnail is
// framed as a JPEG of at most the agreed size, and the verdict's text is plain.
absl::StatusOr<WorkerAnswer> ParseAnswer(std::string_view bytes, const v1::VideoTrack& track,
                                         size_t thumbnails_wanted);

// At most 300 bytes of printable text; what is not becomes "?".
std::string PlainText(std::string_view text);

}  // namespace gleaner::cloud::media
