// Looking at a ledger from outside of the daemon that owns it: read-only, while the daemon goes on.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::edge {

// Opens PATH so that it can neither write nor checkpoint nor remove the log when it closes.
// NOT_FOUND if there is no ledger, FAILED_PRECONDITION if it is another version's.
absl::StatusOr<std::unique_ptr<SQLite::Database>> OpenLedgerReadOnly(const std::string& path);

// Runs `body` on one consistent view of the ledger. Keep it short: a view that stays open keeps the
// daemon's log from being reused.
absl::Status ReadView(SQLite::Database& db, const std::function<void()>& body);

}  // namespace gleaner::edge
