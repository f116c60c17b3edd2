// Roll-ups and counters: numbers that are kept in the transactions that change what they count, so
// that a list or a metric never counts rows.
#pragma once

#include <cstdint>
#include <string_view>

#include "cloud/database/schema.h"
#include "cloud/database/sql.h"

namespace gleaner::cloud {

// The tables of this file.
RoomTables TallyTables();

// Adds to a roll-up of a dimension ("site") by value ("store-7"; "" where it has one number only).
void Tally(Sql& sql, std::string_view dimension, std::string_view value, int64_t clips,
           int64_t bytes = 0);
// How many it counts; `bytes` (may be null) gets the sum of their sizes.
uint64_t ReadTally(Sql& sql, std::string_view dimension, std::string_view value = "",
                   uint64_t* bytes = nullptr);

// Raises a named counter, which begins at 0. What it is then.
uint64_t CountUp(Sql& sql, std::string_view counter, uint64_t by);

}  // namespace gleaner::cloud
