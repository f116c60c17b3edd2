// Models as a room of the server: room.h.
#pragma once

#include "cloud/room.h"

namespace gleaner::cloud {

RoomEntry ModelRoom();

}  // namespace gleaner::cloud
