// The real footage (tests/data/footage.h) as cameras of the field deliver it: encoded in hardware
// fashion (a keyframe a second, no B-frames, constant bit rate), with a sensor's noise, and with
// long quiet stretches between what happens.
#pragma once

#include <string>

namespace gleaner::edge {

// The path of a stream, made by ffmpeg on first use and kept in the build folder. Throws for an
// unknown name or when ffmpeg fails.
//
//   box-720p, cup-720p            a hand moves a product, all the time
//   box-rare-720p, cup-rare-720p  the same in pieces: ten seconds of noisy standstill before each
//   quiet-720p                    a minute of noisy standstill
//   vtest, tree                   pedestrians (768×576, 10 fps) and foliage (320×240, 15 fps)
//   box-rare-360p, quiet-360p     small, for unit tests; also box-rare-vbr-360p (constant quality),
//   box-rare-b-360p (with B-frames), box-rare-hevc-360p, box-rare-cbr-360p (filler to a constant
//   size)
std::string Stream(const std::string& name);

}  // namespace gleaner::edge
