// Frames of clips as a room of the server: room.h.
#pragma once

#include <cstdint>
#include <string>

#include "cloud/frames/pictures.h"
#include "cloud/room.h"
#include "cloud/server_config.h"

namespace gleaner::cloud {

RoomEntry FramesRoom();

// As this server decodes pictures, for each room that does: `folder` is one of its own below the
// data folder.
Pictures::Options PictureOptions(const ServerConfig& config, size_t at_once,
                                 const std::string& folder, uint64_t cache_bytes);

}  // namespace gleaner::cloud
