// Copies of a catalogue: before it is migrated, and for a backup.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "cloud/database/sql.h"

namespace gleaner::cloud {

// A copy of the SQLite file `from` as of one moment, also while a server writes it. `change` (may
// be empty) is run on the copy, in one transaction, before it is checked and takes its name: `to`,
// which it replaces, is always a whole and durable copy or not there. Both in the same file system
// or not. DATA_LOSS if `from` or the copy is damaged.
absl::Status CopyCatalog(const std::string& from, const std::string& to,
                         const std::function<absl::Status(Sql&)>& change = nullptr);

}  // namespace gleaner::cloud
