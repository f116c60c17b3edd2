// A parsed filter as SQL, every value a bound parameter.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cloud/database/sql.h"
#include "cloud/search/filter.h"

namespace gleaner::cloud {

// A condition without WHERE, "1 = 1" for an empty filter; adds its values to `parameters` in order.
// `of`: what it was parsed for; the tables are those of FilterWord::condition. Words may ask `sql`
// how many rows a term could name, where that decides how they are found. INVALID_ARGUMENT, with
// the column, for what fits no more or not yet: a frame that there isn't. May throw SqlError.
absl::StatusOr<std::string> FilterCondition(Sql& sql, const Filter& filter, FilterOf of,
                                            Parameters& parameters);

}  // namespace gleaner::cloud
