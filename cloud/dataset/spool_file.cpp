#include "cloud/dataset/spool_file.h"

#include <fcntl.h>

#include <algorithm>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kHeldBytes = 256 << 10;

}  // namespace

absl::StatusOr<SpoolFile> SpoolFile::Make(const std::string& folder) {
  ASSIGN_OR_RETURN(Fd file, OpenFile(folder, O_TMPFILE | O_RDWR));
  return SpoolFile(std::move(file));
}

absl::Status SpoolFile::Append(std::string_view bytes) {
  held_ += bytes;
  size_ += bytes.size();
  return held_.size() < kHeldBytes ? absl::OkStatus() : End();
}

absl::Status SpoolFile::End() {
  RETURN_IF_ERROR(WriteAt(file_.get(), held_.data(), held_.size(), written_));
  written_ += held_.size();
  held_.clear();
  return absl::OkStatus();
}

absl::Status SpoolFile::Read(uint64_t offset, size_t size, std::string* piece) const {
  piece->resize(std::min<uint64_t>(size, size_ - std::min(size_, offset)));
  return piece->empty() ? absl::OkStatus()
                        : ReadAt(file_.get(), piece->data(), piece->size(), offset);
}

}  // namespace gleaner::cloud
