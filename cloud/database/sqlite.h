// A connection to an SQLite file, by SQLiteCpp.
#pragma once

#include <memory>
#include <string>

#include "cloud/database/connection.h"
#include "cloud/database/sql.h"

namespace gleaner::cloud {

enum class SqliteMode {
  kWrite,    // the one that writes, and checkpoints
  kRead,     // beside it in one process; can change nothing and never checkpoints (see the
             // WAL-reset bug of SQLite before 3.51.3: one connection writes and checkpoints)
  kBeside,   // the same in another process: nor does it checkpoint as the last one to leave
  kInspect,  // as kBeside, for a short look; where nobody is at work it makes no file either
  kAlone,    // a file that nobody else has open, left without a log beside it
};

// Durable: a commit of kWrite or kAlone is on the disk when it returns (synchronous=FULL). Throws
// SqlError.
std::unique_ptr<Connection> ConnectSqlite(const std::string& path, SqliteMode mode);

inline Sql OpenSqlite(const std::string& path, SqliteMode mode) {
  return Sql(ConnectSqlite(path, mode));
}

}  // namespace gleaner::cloud
