// What a stream's first keyframe says of it: parameter sets, the picture's size and format, how
// deep its frames are reordered. A live camera that doesn't announce them shows them there.
#pragma once

#include <string>
#include <string_view>

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {

// The parameter sets in a packet of H.264 or H.265, as they stand there; empty if there are none.
std::string ParameterSets(const AVCodecParameters& parameters, const AVPacket& keyframe);

// False when there is no memory for it.
bool SetExtradata(std::string_view bytes, AVCodecParameters* parameters);

// Takes the parameter sets of `keyframe` into `parameters`, where they lack any, and what FFmpeg
// learns from decoding it. `frames_per_s` is changed only where the stream says it. False when the
// packet doesn't tell the picture's size: it isn't decodable by itself.
bool LearnFromKeyframe(const AVPacket& keyframe, AVCodecParameters* parameters,
                       double* frames_per_s);

}  // namespace gleaner::edge
