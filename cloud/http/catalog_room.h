// What people read of the catalogue, as a room of the server: room.h.
#pragma once

#include "cloud/room.h"

namespace gleaner::cloud {

RoomEntry CatalogRoom();

}  // namespace gleaner::cloud
