// Opens one camera, again and again, and remembers between two openings what it has learned of it:
// which transport it answers on, and that it has refused its login.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "edge/camera/camera_options.h"
#include "edge/camera/login_guard.h"
#include "edge/camera/source.h"

namespace gleaner::edge {

// Not thread-safe.
class CameraOpener {
 public:
  // All three must outlive the opener and what it opens.
  CameraOpener(const CameraOptions& options, LoginGuard& guard, Clock& clock)
      : options_(options), guard_(guard), clock_(clock) {}

  // Errors name the camera as it may be shown. INVALID_ARGUMENT: it can never work.
  // PERMISSION_DENIED: see LoginWaitNs().
  absl::StatusOr<std::unique_ptr<Source>> Open(SourceHooks hooks);

  // For how long the camera's login must rest because it was refused; 0 if it needn't, or if
  // another password is there now.
  int64_t LoginWaitNs() const;

 private:
  absl::StatusOr<std::unique_ptr<Source>> OpenRtsp(SourceHooks hooks);
  absl::StatusOr<std::unique_ptr<Source>> OpenV4l2(const SourceHooks& hooks);
  absl::StatusOr<Credentials> Load() const;
  RtspTransport NextTransport() const;

  const CameraOptions& options_;
  LoginGuard& guard_;
  Clock& clock_;
  bool told_of_audio_ = false;
  // Of the last session that played: what it went over, and whether anything came.
  RtspTransport transport_ = RtspTransport::kTcp;
  bool played_ = false;
  std::shared_ptr<uint64_t> came_;  // its RTP packets
};

}  // namespace gleaner::edge
