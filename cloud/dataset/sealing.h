// Frames are sealed in the transaction that records them.
#pragma once

#include "cloud/media/checked_frames.h"

namespace gleaner::cloud {

// As WithCheck (media/checked_frames.h), after the room of frames has written its rows.
void SealChecked(Sql& sql, const CheckedClip& clip);

}  // namespace gleaner::cloud
