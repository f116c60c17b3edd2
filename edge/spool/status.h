// What a spool holds, read from its ledger alone, whether or not the daemon runs.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "gleaner/v1/status.pb.h"

namespace gleaner::edge {

// NOT_FOUND if the directory holds no spool; DATA_LOSS if its ledger can't be read. Doesn't write,
// lock or wait for the daemon.
absl::StatusOr<v1::SpoolStatus> ReadSpoolStatus(const std::string& directory,
                                                const Clock& clock = RealClock());

// A few lines for people, each with its end.
std::string ToText(const v1::SpoolStatus& status);

}  // namespace gleaner::edge
