// The store as a room of the server: room.h.
#pragma once

#include "cloud/room.h"

namespace gleaner::cloud {

RoomEntry StoreRoom();

}  // namespace gleaner::cloud
