#include "cloud/label/label_room.h"

#include "cloud/label/label_tables.h"

namespace gleaner::cloud {

RoomEntry LabelRoom() { return {.tables = LabelTables()}; }

}  // namespace gleaner::cloud
