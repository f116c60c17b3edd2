// Two selections beside each other: what they have in common, where they differ, and what became of
// each.
#pragma once

#include "cloud/curate/selection_rows.h"

namespace gleaner::cloud {

// Within a transaction; may throw SqlError.
v1::CompareSelectionsResponse CompareRows(Sql& sql, const SelectionRow& from,
                                          const SelectionRow& to);

}  // namespace gleaner::cloud
