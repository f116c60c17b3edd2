// Tar as POSIX.1-1988 has it (ustar), with nothing in it that isn't asked for: plain files, mode
// 0644, owner 0, modified at 0. Every reader knows it, and the same members are the same bytes.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "cloud/dataset/export/format.h"

namespace gleaner::cloud {

class TarWriter {
 public:
  // A file that was begun; it must outlive this.
  explicit TarWriter(ExportFiles& file) : file_(file) {}

  absl::Status Add(std::string_view path, std::string_view bytes);
  // The same of a long one, all of whose bytes are to come by Append.
  absl::Status Begin(std::string_view path, uint64_t bytes);
  absl::Status Append(std::string_view bytes);
  absl::Status End();
  // The archive ends.
  absl::Status Finish();

  // What a member of so many bytes takes.
  static uint64_t SizeOf(uint64_t bytes) { return 512 + (bytes + 511) / 512 * 512; }

 private:
  ExportFiles& file_;
  uint64_t left_ = 0, size_ = 0;
};

}  // namespace gleaner::cloud
