// What people read of the catalog, as a room of the server: room.h.
#pragma once

#include "cloud/room.h"

namespace gleaner::cloud {

RoomEntry CatalogRoom();

}  // namespace gleaner::cloud
