// Copies of a catalogue: before it is migrated, and for a backup.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "cloud/store/sql.h"

namespace gleaner::cloud {

// A copy of the SQLite file `from` as of one moment, also while a server writes it. `change` (may
// be empty) is run on the copy, in one transaction, before it is checked and takes its name: `to`,
// which it replaces, is always a whole and durable copy or not there. Both in the same file system
// or not. DATA_LOSS if `from` or the copy is damaged.
absl::Status CopyCatalog(const std::string& from, const std::string& to,
                         const std::function<absl::Status(Sql&)>& change = nullptr);

// Takes out what a backup is without: uploads under way and what belongs to this disk alone, and
// gives it `history`, so that it can't be taken for the catalogue that went on without it.
absl::Status MakeBackupOf(Sql& sql, const std::string& history);

}  // namespace gleaner::cloud
