#include "common/tuf/copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "common/file.h"
#include "common/status.h"
#include "common/tuf/bounds.h"

namespace gleaner::tuf {

absl::Status CopyTarget(const std::string& file, const std::string& folder, Target* target) {
  ASSIGN_OR_RETURN(const Fd from, OpenFile(file, O_RDONLY));
  struct stat info {};
  if (::fstat(from.get(), &info) != 0) return ErrnoStatus(errno, fmt::format("stat {}", file));
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(fmt::format("{} is not a file", file));
  }
  const std::string temporary = folder + "/.new";
  ASSIGN_OR_RETURN(const Fd to, OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  Sha256 hash;
  target->length = 0;
  std::vector<char> piece(1 << 20);
  for (;;) {
    const ssize_t got = ::read(from.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, fmt::format("read {}", file));
    if (got == 0) break;
    const auto size = static_cast<size_t>(got);
    if (target->length + size > kMaxTargetBytes) {
      return absl::ResourceExhaustedError(
          fmt::format("{} is longer than the {} bytes allowed", file, kMaxTargetBytes));
    }
    RETURN_IF_ERROR(Annotate(WriteAt(to.get(), piece.data(), size, target->length), temporary));
    hash.Update(piece.data(), size);
    target->length += size;
  }
  target->sha256 = hash.Finish();
  if (::fsync(to.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync {}", temporary));
  const std::string path = folder + "/" + target->RemotePath();
  const std::string parent = std::filesystem::path(path).parent_path().string();
  RETURN_IF_ERROR(MakeDirectories(parent, 0755));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, fmt::format("rename {} to {}", temporary, path));
  }
  return SyncDirectory(parent);
}

}  // namespace gleaner::tuf
