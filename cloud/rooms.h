// Every room of the server.
#pragma once

#include <vector>

#include "cloud/room.h"
#include "cloud/store/blob_names.h"

namespace gleaner::cloud {

// In the order in which they are opened: each after those whose tables it builds on. A new room is
// a line in rooms.cpp.
const std::vector<RoomEntry>& Rooms();

// Their tables, as the store needs to know them.
const StoreRooms& AllRooms();

}  // namespace gleaner::cloud
