// The daemon: every room wired together, and nothing else.
//
//   camera ─packets→ pipeline ─→ recorder's ring
//                        └→ detectors ─samples→ engine ─firings→ recorder ─clips→ spool → uploader
//                        → cloud
//   sensor socket ─samples↗
//
// One thread a camera; one each for the sensors' socket, the uploader, the ledger's reports,
// heartbeats and the watchdog. Shutdown goes from the source downwards, so that what a camera saw
// last still becomes a clip, and lasts as long as it makes progress (shutdown.h).
#pragma once

#include <stop_token>

#include "absl/status/status.h"
#include "common/clock.h"
#include "edge/config.h"

namespace gleaner::edge {

struct DaemonOptions {
  Config config;
  // End when every camera has ended, every clip has its receipt and the ledger is reported: for
  // footage from files, and for emptying a spool.
  bool until_drained = false;
};

// Runs until `stop`. An error means that it could not start; once it watches, trouble is reported
// in heartbeats and it goes on.
absl::Status RunDaemon(const DaemonOptions& options, Clock& clock, std::stop_token stop);

}  // namespace gleaner::edge
