#include "cloud/store/catalog_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "cloud/store/sqlite_catalog.h"
#include "common/crash_point.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

absl::Status Fill(const std::string& from, const std::string& to,
                  const std::function<absl::Status(Sql&)>& change) {
  try {
    Sql(from, Sql::Mode::kBeside).Run("VACUUM INTO :path", In(to));
    Sql copy(to, Sql::Mode::kAlone);
    if (change) {
      copy.Begin();
      RETURN_IF_ERROR(change(copy));
      copy.Commit();
    }
    std::string result, first;
    copy.Query("PRAGMA quick_check(1)", In(), Out(result), [&] {
      if (first.empty()) first = result;
    });
    if (first != "ok") return DamagedCatalog(from, first);
  } catch (const soci::soci_error& error) {
    const absl::Status status = ToStatus(error);
    return absl::IsDataLoss(status) ? DamagedCatalog(from, error.what())
                                    : Annotate(status, fmt::format("copy {} to {}", from, to));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CopyCatalog(const std::string& from, const std::string& to,
                         const std::function<absl::Status(Sql&)>& change) {
  const std::string fresh = to + ".new";
  for (const char* suffix : {"", "-journal"}) ::unlink((fresh + suffix).c_str());
  if (const absl::Status filled = Fill(from, fresh, change); !filled.ok()) {
    ::unlink(fresh.c_str());
    return filled;
  }
  {
    ASSIGN_OR_RETURN(const Fd file, OpenFile(fresh, O_RDWR));
    if (::fchmod(file.get(), 0600) != 0) return ErrnoStatus(errno, fmt::format("chmod {}", fresh));
    if (::fsync(file.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync {}", fresh));
  }
  GLEANER_CRASH_POINT("catalog_copy.written");
  if (::rename(fresh.c_str(), to.c_str()) != 0) {
    return ErrnoStatus(errno, fmt::format("rename {} to {}", fresh, to));
  }
  return SyncDirectory(std::filesystem::path(to).parent_path().string());
}

absl::Status MakeBackupOf(Sql& sql, const std::string& history) {
  sql.Run("DELETE FROM object WHERE manifest IN (SELECT manifest FROM upload)", In());
  sql.Run("DELETE FROM manifest WHERE number IN (SELECT manifest FROM upload)", In());
  sql.Run("DELETE FROM upload", In());
  sql.Run("DELETE FROM rubbish", In());
  sql.Run("DELETE FROM kept", In());
  sql.Run(
      "UPDATE store SET history = :history, names = (SELECT COUNT(*) FROM object) + (SELECT "
      "COUNT(*) FROM thumbnail)",
      In(history));
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
