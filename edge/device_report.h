// What the daemon says of itself, put together from its parts: to the server in hello and
// heartbeats, and on the device to `gleaner-edge status`.
#pragma once

#include <mutex>
#include <vector>

#include "common/clock.h"
#include "edge/clip/recorder.h"
#include "edge/config.h"
#include "edge/health/heartbeat.h"
#include "edge/health/process_usage.h"
#include "edge/sensor/sensor_intake.h"
#include "edge/spool/spool.h"
#include "edge/trigger/engine.h"
#include "edge/upload/ledger_reporter.h"
#include "edge/upload/uploader.h"
#include "edge/watch.h"
#include "gleaner/v1/fleet.pb.h"
#include "gleaner/v1/status.pb.h"

namespace gleaner::edge {

// Thread-safe. No address of a camera is in any of it: it may hold a password.
class DeviceReport {
 public:
  // All outlive the report.
  struct Parts {
    const Config& config;
    Clock& clock;
    const Spool& spool;
    const TriggerEngine& engine;
    const Recorder& recorder;
    const std::vector<Watch>& watches;  // as `config.cameras`
    const SensorIntake& sensors;
    const LedgerReporter& ledger;
    const Uploader& uploader;
  };
  explicit DeviceReport(Parts parts) : parts_(parts), meter_(parts.clock) {}

  v1::HelloRequest Hello() const;
  std::vector<v1::CameraHealth> Cameras() const;
  // What else is wrong, the gravest first, but for what only the server can know and knows.
  std::vector<v1::Problem> Problems() const;
  // All but what the ledger alone tells. `heartbeat`: how the server is reached. The processor's
  // share is that since the last call.
  v1::DeviceStatus Status(const HeartbeatStats& heartbeat);

 private:
  v1::CameraDescription Describe(size_t camera) const;
  v1::CameraHealth HealthOf(size_t camera) const;
  v1::RuleDescription Describe(const RuleOptions& rule) const;

  const Parts parts_;
  std::mutex mutex_;
  ProcessMeter meter_;  // guarded by mutex_
};

}  // namespace gleaner::edge
