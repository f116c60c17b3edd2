// One file from the server, whole and right or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/client.h"

namespace gleaner::cli {

struct Download {
  std::string from;  // its path on the server
  std::string to;    // its path here
  uint64_t size_bytes = 0;
  std::string sha256;  // 32 bytes
};

enum class Outcome { kFetched, kWasThere };

// By way of `to`.part, so that what has its own name is always whole and has the right SHA-256. An
// earlier attempt that broke off is gone on with where it stopped.
//
// A file that is there already and right stays as it is. One that is something else is
// ALREADY_EXISTS, unless `overwrite`. DATA_LOSS for another length or digest than said; then
// nothing is left behind. `progress` is told of the bytes that are here.
absl::StatusOr<Outcome> Fetch(Client& client, const Download& file, bool overwrite,
                              const std::function<void(uint64_t done_bytes)>& progress);

// The same of bytes that are here.
absl::StatusOr<Outcome> Put(const std::string& path, const std::string& bytes, bool overwrite);

}  // namespace gleaner::cli
