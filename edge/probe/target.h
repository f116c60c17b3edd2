// Which camera `gleaner-edge probe` is to look at.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/camera/camera_options.h"

namespace gleaner::edge {

struct ProbeArguments {
  // A url, a path or a device; or the name of a camera in the configuration.
  std::string target;
  std::string config_path;
  // For a url; empty: not given.
  std::string name;
  std::string user;
  std::string password_file;
  std::string password_env;
  std::string transport;
  // The table tells the url's path, which may be a secret.
  bool show_path = false;
};

struct ProbeTarget {
  CameraOptions camera;
  std::vector<std::string> encoders;  // the configuration's
  bool show_path = false;
};

// Reads the configuration only for a camera that is named. INVALID_ARGUMENT says what is wrong,
// without a character of a url.
absl::StatusOr<ProbeTarget> FindProbeTarget(const ProbeArguments& arguments);

// What to do about a device that another program has, `busy` being ABORTED: whether that is the
// daemon of this configuration, and under what name it watches it.
absl::Status ExplainBusy(const absl::Status& busy, const std::string& config_path,
                         const CameraAddress& address);

}  // namespace gleaner::edge
