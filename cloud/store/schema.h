// The tables of the catalogue, as a list of migrations: entry n takes a database from version n to
// version n + 1. Written so that PostgreSQL needs only another spelling of the types.
#pragma once

#include "absl/status/status.h"
#include "cloud/store/sql.h"

namespace gleaner::cloud {

// Brings the database to this version's schema, each migration in one transaction.
// FAILED_PRECONDITION if a newer version of the program wrote it. May throw soci::soci_error.
absl::Status Migrate(Sql& sql);

}  // namespace gleaner::cloud
