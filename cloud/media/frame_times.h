// When the frames of a track are.
#pragma once

#include <cstdint>
#include <vector>

#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

// All presentation times of a track, ascending; empty for one without frames.
std::vector<int64_t> FrameTimes(const v1::VideoTrack& track);

// So many ticks of the track's own clock, and the other way round.
int64_t TicksOf(const v1::VideoTrack& track, int64_t ns);
int64_t NsOf(const v1::VideoTrack& track, int64_t ticks);

// How long the track is on the device's monotonic time, from its first frame to its last one.
int64_t SpanNs(const v1::VideoTrack& track, int64_t first_pts, int64_t last_pts);

// Where one of `times`, which are the track's, is on the device's monotonic time.
int64_t MonotonicOf(const v1::VideoTrack& track, const std::vector<int64_t>& times, int64_t pts);

}  // namespace gleaner::cloud::media
