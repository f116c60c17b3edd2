// The audit: who changed what, when, and on what. Append-only, which the database itself sees to.
//
// Whoever offers people a change writes its row in the transaction of the change, so that there is
// no change without a row and no row without a change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/rpc/principal.h"
#include "common/clock.h"
#include "gleaner/v1/access.pb.h"

namespace gleaner::cloud {

// Within a room's transaction. `what`: the call or the route ("JobsService/CancelJob", "POST
// /login"); `subject`: on what ("job 17"), may come from outside, is kept bounded. May throw
// SqlError.
void WriteAudit(Sql& sql, const Principal& who, std::string_view what, std::string_view subject,
                int64_t now_ns);

// The same as an operation for a transaction: for a call, in whose name it came. UNAUTHENTICATED,
// and nothing is changed, where it came in nobody's. `clock` must outlive it.
Database::Operation Audited(const grpc::ServerContextBase& context, std::string_view what,
                            std::string subject, Clock& clock);

// INVALID_ARGUMENT for a page token that isn't one.
absl::StatusOr<v1::ListAuditResponse> ListAudit(Database& database,
                                                const v1::ListAuditRequest& request);

}  // namespace gleaner::cloud
