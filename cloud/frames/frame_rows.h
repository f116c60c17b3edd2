// Frames as rows: what a check of a clip took out of its videos.
//
// Outside of this room a frame is (clip, camera, PTS), which means the same in any catalog. The
// tables name it by the clip's arrival and the video's position, which are shorter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cloud/database/database.h"
#include "cloud/media/checked_frames.h"
#include "cloud/store/blob_names.h"

namespace gleaner::cloud {

RoomTables FrameTables();
// The objects with thumbnails: one for each video that frames were taken out of.
NamingTable FrameThumbnailNames();

// Shares are kept in millionths.
inline constexpr double kWholeShare = 1e6;

// As WithCheck (media/checked_frames.h): the clip's frames before are replaced. May throw SqlError.
void RecordFrames(Sql& sql, const CheckedClip& clip);

}  // namespace gleaner::cloud
