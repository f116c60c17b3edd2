// `gleaner-edge probe`: looks at a camera for some seconds and says what it is, to a person who is
// about to configure it or who wonders what is wrong with it.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "edge/probe/target.h"
#include "gleaner/v1/status.pb.h"

namespace gleaner::edge {

// Opens the camera as the daemon does, and reads it for `duration_ns` after its first keyframe, or
// to the end of a file. Nothing is kept or sent. It takes little more than that: a camera that
// sends nothing is given up after its stall timeout, one without a keyframe after two minutes.
//
// An error means that there was nothing to look at, and says what to do: PERMISSION_DENIED that the
// login was refused, UNAVAILABLE that nobody answers, NOT_FOUND that there is no such stream or
// file, INVALID_ARGUMENT that it is no video, ABORTED that another program has the device. Of a url
// nothing but scheme, host and port is told.
//
// `read` is called after each packet, for clocks that go by what comes.
absl::StatusOr<v1::CameraProbe> ProbeCamera(
    const ProbeTarget& target, int64_t duration_ns, Clock& clock, std::stop_token stop,
    const std::function<void()>& read = [] {});

}  // namespace gleaner::edge
