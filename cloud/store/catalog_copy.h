// Copies of a catalog: before it is migrated, and for a backup; and how one takes another's
// place.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/sql.h"
#include "common/clock.h"

namespace gleaner::cloud {

// A copy of the SQLite file `from` as of one moment, also while a server writes it. `change` (may
// be empty) is run on the copy, in one transaction, before it is checked and takes its name: `to`,
// which it replaces, is always a whole and durable copy or not there. Both in the same file system
// or not. DATA_LOSS if `from` or the copy is damaged.
absl::Status CopyCatalog(const std::string& from, const std::string& to,
                         const std::function<absl::Status(Sql&)>& change = nullptr);

// Whether it has a log, in which a part of it may be.
bool HasCatalogLog(const std::string& catalog);

// The catalog gets a second name, which is returned (catalog.db.before-WHAT-…; empty if there was
// none), and its log goes with it: one that was left would be taken for the new catalog's.
// Durable on return.
absl::StatusOr<std::string> SetCatalogAside(const std::string& catalog, std::string_view what,
                                            Clock& clock);
// `next`, which has no log, takes the name `catalog`. Durable on return.
absl::Status InstallCatalog(const std::string& next, const std::string& catalog);

}  // namespace gleaner::cloud
