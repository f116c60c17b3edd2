// The frames that a filter finds, counted by the values of words.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/sql.h"
#include "cloud/search/filter.h"
#include "cloud/search/vocabulary.h"
#include "gleaner/v1/filter.pb.h"

namespace gleaner::cloud {

// Of more than so many the newest are counted.
inline constexpr uint64_t kMaxCountedFrames = 10'000;
inline constexpr size_t kMaxFacetValues = 100;

// One query a word, whatever its values. `keys`: only these; empty: all that can be counted.
// INVALID_ARGUMENT for a key that can't be, or as FilterCondition. Within a transaction; may throw
// SqlError.
absl::StatusOr<v1::GetFrameFacetsResponse> CountFrames(Sql& sql, const Filter& filter,
                                                       const std::vector<std::string>& keys,
                                                       const Vocabulary& words);

}  // namespace gleaner::cloud
