// Looks at cameras for tests: time passes as frames come, 25 a second, and not otherwise.
#pragma once

#include <string>
#include <utility>

#include "common/clock.h"
#include "edge/probe/probe.h"
#include "edge/probe/report.h"
#include "edge/probe/target.h"
#include "tests/edge/camera/camera_rig.h"
#include "tests/edge/camera/rtsp_camera.h"

namespace gleaner::edge {

class ProbeRig : public CameraRig {
 protected:
  static constexpr int64_t kFrameNs = 40 * kNanosPerMilli;

  static ProbeTarget At(const std::string& url) {
    ProbeArguments arguments;
    arguments.target = url;
    auto target = FindProbeTarget(arguments);
    EXPECT_TRUE(target.ok()) << target.status();
    return *std::move(target);
  }

  absl::StatusOr<v1::CameraProbe> Probe(const ProbeTarget& target, int seconds) {
    return ProbeCamera(target, seconds * kNanosPerSecond, clock_, {},
                       [this] { clock_.Advance(kFrameNs); });
  }

  // Plays, but sends nothing for longer than anybody waits.
  RtspBehavior Silent() {
    return {.pace = [this](int64_t) {
      clock_.Advance(11 * kNanosPerSecond);
      return false;
    }};
  }

  FakeClock clock_;
};

}  // namespace gleaner::edge
