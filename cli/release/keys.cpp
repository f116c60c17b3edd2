#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "cli/json.h"
#include "cli/release/release.h"
#include "common/file.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/tuf/key.h"

namespace gleaner::cli {
namespace {

absl::Status WriteNew(const std::string& path, const std::string& contents, int mode) {
  {
    ASSIGN_OR_RETURN(const Fd file, OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, mode));
    // The umask may have taken more than was asked for, never given more.
    RETURN_IF_ERROR(Annotate(WriteAt(file.get(), contents.data(), contents.size(), 0), path));
    if (::fsync(file.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync {}", path));
  }
  const auto parent = std::filesystem::path(path).parent_path();
  return SyncDirectory(parent.empty() ? "." : parent.string());
}

}  // namespace

absl::Status GenerateKeys(const std::vector<std::string>& files, bool json) {
  for (const std::string& file : files) {
    for (const std::string& path : {file, file + ".pub"}) {
      struct stat info {};
      if (::lstat(path.c_str(), &info) == 0) {
        return absl::AlreadyExistsError(
            fmt::format("{} is there already, and no key is ever overwritten", Printable(path)));
      }
    }
  }
  Table table({{"KEY"}, {"PRIVATE"}, {"PUBLIC"}});
  nlohmann::ordered_json all{{"keys", nlohmann::ordered_json::array()}};
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const tuf::PrivateKey key, tuf::PrivateKey::Generate());
    RETURN_IF_ERROR(WriteNew(file, key.ToPem(), 0600));
    RETURN_IF_ERROR(WriteNew(file + ".pub", key.public_key().ToText(), 0644));
    table.Add({key.public_key().id, Printable(file), Printable(file) + ".pub"});
    all["keys"].push_back(
        {{"id", key.public_key().id}, {"privateKey", file}, {"publicKey", file + ".pub"}});
  }
  if (json) {
    PrintJson(all);
  } else {
    fmt::print("{}", table.Render());
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cli
