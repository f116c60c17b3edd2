// How a client comes by a repository's files: over any transport, piece by piece.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::tuf {

// Takes the next piece of a file; an error ends the transfer, which hands it on.
using Sink = std::function<absl::Status(std::string_view piece)>;

class Fetcher {
 public:
  virtual ~Fetcher() = default;

  // Hands the file at `path` ("3.root.json", "targets/models/…") to `sink` from its beginning to
  // its end. NOT_FOUND if the repository has no such file; any other error means that the
  // repository can't be reached now. It must not gather more than it hands on: the sink is who
  // knows how long the file may be.
  virtual absl::Status Fetch(const std::string& path, const Sink& sink) = 0;
};

// The whole file if it has at most `max_bytes`; else kEndlessData, and the transfer is broken off
// at the first byte beyond them. kMissing, not NOT_FOUND, if there is none.
absl::StatusOr<std::string> FetchWhole(Fetcher& fetcher, const std::string& path, size_t max_bytes);

// A repository in a folder, as on a disk that was carried there.
class FolderFetcher : public Fetcher {
 public:
  explicit FolderFetcher(std::string folder) : folder_(std::move(folder)) {}
  absl::Status Fetch(const std::string& path, const Sink& sink) override;

 private:
  std::string folder_;
};

}  // namespace gleaner::tuf
