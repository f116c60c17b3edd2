// The gaps of the ledger: numbers that nobody could account for at the last report, less what
// arrived since. Kept as ranges, with roll-ups in the table tally that are right after every
// transaction: "gaps" counts numbers, by device and (under '') in all; "gap_ranges" counts rows, by
// device. So that what a list or a metric shows costs the same whatever a device has lost.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cloud/database/sql.h"
#include "cloud/ledger/ranges.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::cloud {

// Ranges kept a device. More than that is the same alarm, and neither a report nor a list may cost
// more for it.
inline constexpr uint64_t kMaxGapRanges = 4096;

// The gaps of one boot are `gaps`, in ascending order; of these the first, as many as the device
// may still have.
void ReplaceGaps(Sql& sql, std::string_view device, const std::string& boot_id,
                 std::vector<Range> gaps);

// `sequence` is a gap no more, if it was one.
void LeaveGap(Sql& sql, std::string_view device, const std::string& boot_id, uint64_t sequence);

// The first numbers of the device that are gaps, at most `limit`, by boot and number.
void ListGaps(Sql& sql, std::string_view device, int limit,
              google::protobuf::RepeatedPtrField<v1::ClipKey>* keys);

}  // namespace gleaner::cloud
