// Selections as a room of the server: room.h.
#pragma once

#include "cloud/room.h"

namespace gleaner::cloud {

RoomEntry CurateRoom();

}  // namespace gleaner::cloud
