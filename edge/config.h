// gleaner-edge's configuration: one TOML file, read once at the start, every mistake reported with
// its line. docker/gleaner-edge.toml is the commented example.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config.h"
#include "edge/camera/camera.h"
#include "edge/health/heartbeat.h"
#include "edge/sensor/sensor_options.h"
#include "edge/spool/spool.h"
#include "edge/trigger/detector/registry.h"
#include "edge/trigger/engine.h"
#include "edge/upload/link.h"
#include "edge/upload/uploader.h"

namespace gleaner::edge {

// A camera's pictures come when they come; a film that is read as fast as it can be waits for
// whoever looks at it.
bool IsLive(const CameraOptions& camera);
// All the signals that there can be, of cameras and of sensors: what rules may read.
std::vector<SignalSource> SignalsOf(const std::vector<CameraOptions>& cameras,
                                    const std::vector<SensorOptions>& sensors);

struct Config {
  // The device's name: the CN of its certificate. Only a plaintext link takes it from the file.
  std::string device;
  std::string site;
  std::string log_level;
  SpoolOptions spool;
  LinkOptions link;
  UploaderOptions upload;
  HeartbeatOptions heartbeat;
  std::vector<std::string> encoders;  // see edge/clip/encoder.h; empty = the default order
  uint64_t ring_max_bytes = 0;        // a camera
  std::vector<CameraOptions> cameras;
  std::vector<std::vector<DetectorSettings>> detectors;  // by camera, one of every kind
  SensorSocketOptions sensor_socket;
  std::vector<SensorOptions> sensors;
  std::vector<RuleOptions> rules;
  // What the daemon starts with and hardly does what is meant, a line each: a relative folder, a
  // camera's file that isn't there, a rule that is missing.
  std::vector<std::string> warnings;

  // INVALID_ARGUMENT with every mistake on a line of its own: of what can never work. With
  // `only_spool` nothing that the file names has to be there, and `device` may stay empty: for
  // commands that look into the spool, which a person may have to on a device whose certificate is
  // gone.
  static absl::StatusOr<Config> Load(const std::string& path, bool only_spool = false);
  // The same of a file that has been parsed.
  static absl::StatusOr<Config> Read(ConfigReader& reader, bool only_spool = false);
};

}  // namespace gleaner::edge
