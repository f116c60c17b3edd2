#include "common/tuf/fetch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <vector>

#include "common/file.h"
#include "common/status.h"
#include "common/tuf/refusal.h"

namespace gleaner::tuf {

absl::StatusOr<std::string> FetchWhole(Fetcher& fetcher, const std::string& path,
                                       size_t max_bytes) {
  std::string whole;
  const absl::Status status = fetcher.Fetch(path, [&](std::string_view piece) -> absl::Status {
    if (piece.size() > max_bytes - whole.size()) {
      return Refuse(Refusal::kEndlessData,
                    fmt::format("{} is longer than the {} bytes allowed", path, max_bytes));
    }
    whole += piece;
    return absl::OkStatus();
  });
  if (status.ok()) return whole;
  if (absl::IsNotFound(status) && !RefusalOf(status).has_value()) {
    return Refuse(Refusal::kMissing, fmt::format("{} is not in the repository", path));
  }
  return status;
}

absl::Status FolderFetcher::Fetch(const std::string& path, const Sink& sink) {
  // A pipe would be waited on for ever.
  ASSIGN_OR_RETURN(const Fd file, OpenFile(folder_ + "/" + path, O_RDONLY | O_NONBLOCK));
  struct stat about;
  if (::fstat(file.get(), &about) != 0) {
    return ErrnoStatus(errno, fmt::format("{}/{}", folder_, path));
  }
  if (!S_ISREG(about.st_mode)) {
    return absl::FailedPreconditionError(fmt::format("{}/{} is no file", folder_, path));
  }
  std::vector<char> piece(64 * 1024);
  for (;;) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, fmt::format("read {}/{}", folder_, path));
    if (got == 0) return absl::OkStatus();
    RETURN_IF_ERROR(sink({piece.data(), static_cast<size_t>(got)}));
  }
}

}  // namespace gleaner::tuf
