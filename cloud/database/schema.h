// Tables: which a room has, and how they came to be.
//
// A room's migrations are scripts, entry n takes its tables from version n to version n + 1. They
// are SQL that both databases understand but for six words:
//
//   NUMBERED      a key that the database counts up from 1 and never uses twice
//   BYTES         binary data
//   TEXT          text, compared byte by byte
//   BIGINT        the only kind of number; truths are 0 and 1
//   APPEND_ONLY t;  rows of the table t, whose key is `number NUMBERED`, are never changed, removed
//                 or replaced from here on: the database itself refuses it
//   HAS_HMAC_NUMBER;  from here on SQL may call hmac_number, see hmac_number.h
//
// Never change a migration that was released: add one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/database/sql.h"

namespace gleaner::cloud {

struct RoomTables {
  std::string_view room;
  std::span<const std::string_view> migrations;
  // Tables whose column `blob` names blobs of the store, each indexed by it: nothing that one of
  // them names is removed, and every change of their number of rows is told to CountNames
  // (cloud/store/blob_names.h).
  std::span<const std::string_view> naming = {};
  // What a backup goes without: a script that is run on its copy.
  std::string_view left_out = "";
};

enum class Dialect { kSqlite, kPostgres };

// The script in the words of one database, without comments.
std::string InDialect(std::string_view script, Dialect dialect);

// How far the tables of `room` are; 0 if it has none. May throw SqlError, as all here.
uint64_t RoomVersion(Sql& sql, std::string_view room);

// A number for people and file names that grows with every migration of any room; 0 for a database
// without tables.
uint64_t SchemaNumber(Sql& sql, std::span<const RoomTables> rooms);

// Whether one of `rooms` needs a migration.
bool NeedsMigration(Sql& sql, std::span<const RoomTables> rooms);

// FAILED_PRECONDITION if a newer version of the program wrote one of the rooms.
absl::Status CheckVersions(Sql& sql, std::span<const RoomTables> rooms);

// Brings every room's tables to this program's version, in the order of `rooms`, each migration in
// a transaction of its own; also while other servers do the same. Errors as CheckVersions.
absl::Status Migrate(Sql& sql, std::span<const RoomTables> rooms);

}  // namespace gleaner::cloud
