#include "cloud/store/sql.h"

#include <fmt/format.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

// The primary code: extended ones have more in the upper bits.
int SqliteCode(const soci::soci_error& error) {
  const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  return sqlite == nullptr ? 0 : sqlite->result() & 0xff;
}

// SQLite makes a log and its index even for whoever only reads. Where there is no log to be read,
// nobody is at work, and the file can be taken as one that doesn't change.
std::string NameToInspect(const std::string& path) {
  struct stat info;
  const bool has_log = ::stat((path + "-wal").c_str(), &info) == 0 && info.st_size > 0;
  if (has_log || sqlite_api::sqlite3_compileoption_used("USE_URI") == 0) return path;
  std::string uri = "file:";
  for (const char c : path) {
    uri += std::string_view("%?#").find(c) == std::string_view::npos ? std::string(1, c)
                                                                     : fmt::format("%{:02x}", c);
  }
  return uri + "?immutable=1";
}

std::string ConnectionTo(const std::string& path, Sql::Mode mode) {
  if (mode == Sql::Mode::kInspect) {
    return fmt::format("dbname=\"{}\" timeout=10 readonly=true", NameToInspect(path));
  }
  return fmt::format("dbname=\"{}\" timeout=10{}", path,
                     mode == Sql::Mode::kBeside ? " readonly=true" : "");
}

}  // namespace

Sql::Sql(const std::string& path, Mode mode) : session_(soci::sqlite3, ConnectionTo(path, mode)) {
  if (mode == Mode::kAlone) {
    Script("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; PRAGMA foreign_keys=1;");
    return;
  }
  if (mode == Mode::kInspect || mode == Mode::kBeside) {
    Script("PRAGMA wal_autocheckpoint=0;");
    return;
  }
  if (mode == Mode::kRead) {
    Script("PRAGMA query_only=1; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-16384;");
    return;
  }
  // A checkpoint every 16 MiB of log: each page that many commits touched is copied once.
  Script(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=1;"
      "PRAGMA wal_autocheckpoint=4096; PRAGMA cache_size=-32768;");
}

void Sql::Script(std::string_view statements) {
  while (!statements.empty()) {
    const size_t end = statements.find(';');
    const std::string_view one = statements.substr(0, end);
    if (one.find_first_not_of(" \n\t") != std::string_view::npos) session_ << std::string(one);
    statements.remove_prefix(end == std::string_view::npos ? statements.size() : end + 1);
  }
}

soci::statement& Sql::Prepared(std::string_view text) {
  auto& statement = statements_[std::string(text)];
  if (statement == nullptr) {
    auto made = std::make_unique<soci::statement>(session_);
    made->alloc();
    made->prepare(std::string(text));
    statement = std::move(made);
  }
  return *statement;
}

absl::Status ToStatus(const soci::soci_error& error) {
  const std::string message = fmt::format("catalogue: {}", error.what());
  switch (SqliteCode(error)) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

bool IsIoError(const soci::soci_error& error) { return SqliteCode(error) == SQLITE_IOERR; }

}  // namespace gleaner::cloud
