// What is longer than memory should hold, for as long as one piece of work takes: a file without a
// name, which goes with the process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/file.h"

namespace gleaner::cloud {

class SpoolFile {
 public:
  // In `folder`, which is there.
  static absl::StatusOr<SpoolFile> Make(const std::string& folder);

  absl::Status Append(std::string_view bytes);
  // Nothing is appended after this.
  absl::Status End();
  uint64_t size() const { return size_; }
  // Up to `size` bytes from `offset`; empty at the end.
  absl::Status Read(uint64_t offset, size_t size, std::string* piece) const;

 private:
  explicit SpoolFile(Fd file) : file_(std::move(file)) {}

  Fd file_;
  std::string held_;
  uint64_t size_ = 0, written_ = 0;
};

}  // namespace gleaner::cloud
