#include "cloud/store/catalog_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "cloud/database/database.h"
#include "cloud/database/sqlite.h"
#include "common/crash_point.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

absl::Status Fill(const std::string& from, const std::string& to,
                  const std::function<absl::Status(Sql&)>& change) {
  try {
    OpenSqlite(from, SqliteMode::kBeside).Run("VACUUM INTO :path", In(to));
    Sql copy = OpenSqlite(to, SqliteMode::kAlone);
    if (change) {
      copy.connection().BeginWriting();
      RETURN_IF_ERROR(change(copy));
      copy.connection().Commit();
    }
    std::string result, first;
    copy.Query("PRAGMA quick_check(1)", In(), Out(result), [&] {
      if (first.empty()) first = result;
    });
    if (first != "ok") return DamagedDatabase(from, first);
  } catch (const SqlError& error) {
    const absl::Status status = ToStatus(error);
    return absl::IsDataLoss(status) ? DamagedDatabase(from, error.what())
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

bool HasCatalogLog(const std::string& catalog) {
  struct stat info;
  return ::stat((catalog + "-wal").c_str(), &info) == 0 && info.st_size > 0;
}

absl::StatusOr<std::string> SetCatalogAside(const std::string& catalog, std::string_view what,
                                            Clock& clock) {
  const std::time_t now = clock.WallNs() / kNanosPerSecond;
  struct tm utc;
  std::array<char, 32> when;
  ::gmtime_r(&now, &utc);
  ::strftime(when.data(), when.size(), "%Y%m%dT%H%M%SZ", &utc);
  std::string aside = fmt::format("{}.before-{}-{}", catalog, what, when.data());
  bool moved = false;
  while (!(moved = ::link(catalog.c_str(), aside.c_str()) == 0) && errno == EEXIST) aside += "+";
  if (!moved && errno != ENOENT) {
    return ErrnoStatus(errno, fmt::format("link {} to {}", catalog, aside));
  }
  if (::rename((catalog + "-wal").c_str(), (aside + "-wal").c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, fmt::format("rename {}-wal to {}-wal", catalog, aside));
  }
  ::unlink((catalog + "-shm").c_str());
  RETURN_IF_ERROR(SyncDirectory(std::filesystem::path(catalog).parent_path().string()));
  return moved ? aside : "";
}

absl::Status InstallCatalog(const std::string& next, const std::string& catalog) {
  if (::rename(next.c_str(), catalog.c_str()) != 0) {
    return ErrnoStatus(errno, fmt::format("rename {} to {}", next, catalog));
  }
  return SyncDirectory(std::filesystem::path(catalog).parent_path().string());
}

}  // namespace gleaner::cloud
