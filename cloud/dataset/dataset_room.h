// Datasets as a room of the server: room.h.
#pragma once

#include "cloud/room.h"

namespace gleaner::cloud {

RoomEntry DatasetRoom();

}  // namespace gleaner::cloud
