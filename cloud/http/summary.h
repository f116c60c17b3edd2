// The numbers on top of the page, from all rooms.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/fleet/devices.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud {

absl::StatusOr<v1::GetSummaryResponse> ReadSummary(Database& database, const Devices& devices,
                                                   int64_t now_unix_ns);

}  // namespace gleaner::cloud
