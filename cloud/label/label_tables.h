// The tables of labels.
//
// Schemas, predictions and labels only ever come; the database refuses to change or remove one. The
// rest says how things stand: which label counts, who has which task.
#pragma once

#include "cloud/database/schema.h"

namespace gleaner::cloud {

RoomTables LabelTables();

}  // namespace gleaner::cloud
