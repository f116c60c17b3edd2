// The room's tables: selections and their picks, as rows.
//
// Both are written in the transaction that ends the selection's job, and the database itself
// refuses to change or remove them: there is no half of a selection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "gleaner/v1/curate.pb.h"

namespace gleaner::cloud {

RoomTables CurateTables();

struct SelectionRow {
  uint64_t number = 0;
  v1::Selection selection;
};

// --- within a transaction; may throw SqlError

// NOT_FOUND names it.
absl::StatusOr<SelectionRow> ReadSelection(Sql& sql, std::string_view name);
bool HasSelection(Sql& sql, std::string_view name);
// Newest first, `limit` of them below `before`.
std::vector<SelectionRow> ReadSelections(Sql& sql, uint64_t before, size_t limit);
// In the order in which they were chosen, from `from` on.
std::vector<v1::SelectionPick> ReadPicks(Sql& sql, uint64_t selection, uint64_t from, size_t limit);
void InsertSelection(Sql& sql, const v1::Selection& selection,
                     const std::vector<v1::SelectionPick>& picks);

}  // namespace gleaner::cloud
