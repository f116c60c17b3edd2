// `gleaner-edge status`: how the device is, as the daemon says it, and what its spool holds.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "edge/config.h"
#include "gleaner/v1/status.pb.h"

namespace gleaner::edge {

// Asks the daemon that runs on this configuration's spool and reads the spool's ledger, neither of
// which disturbs it. Without a daemon, or one that gives no answer, that is a problem in the status
// and the ledger is what is left. NOT_FOUND where there is neither, PERMISSION_DENIED for a user
// who may not look.
absl::StatusOr<v1::DeviceStatus> ReadDeviceStatus(const Config& config, const Clock& clock);

// For people, a page of text.
std::string ToText(const v1::DeviceStatus& status);

}  // namespace gleaner::edge
