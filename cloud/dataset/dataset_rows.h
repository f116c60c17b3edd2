// The room's tables, and versions as rows.
//
// A version's row is written when everything of it is on stable storage, in the transaction that
// ends its job, and the database itself refuses to change or remove it. Its frozen list is a file
// in the object store (parts.h), under the owner ListOwner().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"

namespace gleaner::cloud {

RoomTables DatasetTables();

struct VersionRow {
  uint64_t number = 0;
  std::string name, schema, filter, root, card, made_by;
  uint64_t frames = 0, picture_bytes = 0;
  int64_t made_ns = 0;
};

inline std::string ListOwner(uint64_t version) { return "list " + std::to_string(version); }
inline std::string FileOwner(uint64_t export_number, std::string_view name) {
  return "export " + std::to_string(export_number) + " " + std::string(name);
}

// --- within a transaction; may throw SqlError

absl::StatusOr<VersionRow> ReadVersion(Sql& sql, std::string_view name);
bool HasVersion(Sql& sql, std::string_view name);
uint64_t InsertVersion(Sql& sql, const VersionRow& row);
// Newest first, `limit` of them below `before`. Without cards.
std::vector<VersionRow> ReadVersions(Sql& sql, int64_t before, size_t limit);

struct ExportFile {
  std::string name, content_type, sha256;  // sha256 in hex
  uint64_t bytes = 0;
};

struct ExportRow {
  uint64_t number = 0, version = 0;
  std::string format, splits;  // "train,test"
  uint64_t shard_bytes = 0;
  int64_t made_ns = 0;
  std::vector<ExportFile> files;
};

std::optional<ExportRow> FindExport(Sql& sql, uint64_t version, std::string_view format,
                                    std::string_view splits, uint64_t shard_bytes);
std::optional<ExportRow> ReadExport(Sql& sql, uint64_t number);
// Newest first.
std::vector<ExportRow> ReadExports(Sql& sql, uint64_t version);
uint64_t InsertExport(Sql& sql, const ExportRow& row);
// All but the newest `keep` of all versions; their files become rubbish.
void ForgetExports(Sql& sql, size_t keep);

}  // namespace gleaner::cloud
