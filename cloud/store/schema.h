// The tables of the catalogue, as a list of migrations: entry n takes a database from version n to
// version n + 1. Written so that PostgreSQL needs only another spelling of the types.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "cloud/store/sql.h"

namespace gleaner::cloud {

// What this program writes, and the highest that it reads.
inline constexpr uint64_t kSchemaVersion = 7;
// Since then it says which store it is the catalogue of.
inline constexpr uint64_t kIdentitySchemaVersion = 6;

// 0 for a database without tables. May throw soci::soci_error, as all here.
uint64_t ReadSchemaVersion(Sql& sql);

// FAILED_PRECONDITION if a newer version of the program wrote it.
absl::Status CheckSchemaVersion(uint64_t version);

// Brings the database to this version's schema, each migration in one transaction; errors as
// CheckSchemaVersion. Whoever has data in there copies it first: see data_folder.h.
absl::Status Migrate(Sql& sql);

}  // namespace gleaner::cloud
