// The tables of earlier versions, whose SQLite catalog was one list of migrations; and how that
// is left behind: brought to its last version, which is each room's first.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "cloud/database/sql.h"

namespace gleaner::cloud {

// The version of a catalog of the one list; 0 for one that is none (any more).
uint64_t LegacyVersion(Sql& sql);

// Nothing happens to a database of another kind. Repeatable after a crash.
absl::Status LeaveLegacySchema(Sql& sql);

}  // namespace gleaner::cloud
