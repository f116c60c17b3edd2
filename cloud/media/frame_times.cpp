#include "cloud/media/frame_times.h"

#include <algorithm>

#include "common/clock.h"

namespace gleaner::cloud::media {

std::vector<int64_t> FrameTimes(const v1::VideoTrack& track) {
  std::vector<int64_t> times;
  if (track.frame_count() == 0) return times;
  times.reserve(static_cast<size_t>(track.pts_delta_size()) + 1);
  int64_t pts = track.first_pts();
  times.push_back(pts);
  for (const uint32_t delta : track.pts_delta()) times.push_back(pts += delta);
  return times;
}

int64_t TicksOf(const v1::VideoTrack& track, int64_t ns) {
  const auto numerator = __int128{std::max(1u, track.time_base_numerator())};
  return static_cast<int64_t>(__int128{ns} * track.time_base_denominator() /
                              (numerator * kNanosPerSecond));
}

int64_t NsOf(const v1::VideoTrack& track, int64_t ticks) {
  return static_cast<int64_t>(__int128{ticks} * track.time_base_numerator() * kNanosPerSecond /
                              std::max(1u, track.time_base_denominator()));
}

int64_t SpanNs(const v1::VideoTrack& track, int64_t first_pts, int64_t last_pts) {
  // The camera's clock needn't run as the device's: see VideoTrack.last_frame_monotonic_ns.
  const int64_t span = track.last_frame_monotonic_ns() - track.first_frame_monotonic_ns();
  return span > 0 ? span : NsOf(track, last_pts - first_pts);
}

int64_t MonotonicOf(const v1::VideoTrack& track, const std::vector<int64_t>& times, int64_t pts) {
  const int64_t length = times.back() - times.front();
  const int64_t span = SpanNs(track, times.front(), times.back());
  const auto along = length == 0 ? __int128{0} : __int128{pts - times.front()} * span / length;
  return track.first_frame_monotonic_ns() + static_cast<int64_t>(along);
}

}  // namespace gleaner::cloud::media
