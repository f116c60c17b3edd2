// A parsed filter as SQL over the table clip, every value a bound parameter.
#pragma once

#include <string>

#include "cloud/database/sql.h"
#include "cloud/search/filter.h"

namespace gleaner::cloud {

// A condition without WHERE, "1 = 1" for an empty filter; adds its values to `parameters` in order.
// Asks `sql` how many clips a term could name, where that decides how they are found.
std::string FilterCondition(Sql& sql, const Filter& filter, Parameters& parameters);

}  // namespace gleaner::cloud
