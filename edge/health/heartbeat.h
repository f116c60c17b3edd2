// Tells the cloud how the device is (FleetService): a hello after each connection and when what it
// says has changed (a camera is open at last), then a heartbeat at the policy's interval; brings
// home the policy. With the server away it keeps trying, with back-off, and the device goes on by
// itself under the policy it had last, or its own configuration after a restart.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/config.h"
#include "edge/spool/spool.h"
#include "edge/upload/link.h"
#include "edge/upload/upload_stats.h"
#include "gleaner/v1/fleet.pb.h"

namespace gleaner::edge {

struct HeartbeatOptions {
  int64_t interval_ns = 10 * kNanosPerSecond;  // until a policy says otherwise; 1 to 3,600 s
  int64_t deadline_ns = 10 * kNanosPerSecond;  // of a call
  int64_t backoff_base_ns = kNanosPerSecond;
  int64_t backoff_cap_ns = 60 * kNanosPerSecond;
  uint64_t seed = 0;  // of the jitter; 0 = from the machine's randomness

  // Reads the [heartbeat] table; mistakes are noted in `reader`.
  static HeartbeatOptions Read(ConfigReader& reader);
};

// Where the numbers come from. All are called on the heartbeat's thread, may not block for long,
// and outlive it.
struct HeartbeatSources {
  // Everything of the hello but `now` and `software_version`, which are filled in here. Never
  // empty.
  std::function<v1::HelloRequest()> hello;
  std::function<SpoolStats()> spool;
  std::function<UploadStats()> upload;
  std::function<std::vector<v1::CameraHealth>()> cameras;
  // What is wrong beside the cameras, the gravest first; bounded here.
  std::function<std::vector<v1::Problem>()> problems;
  // Where the server's findings about cameras go, with each answer: all that hold, their text
  // printable and cut to its bound. May be empty.
  std::function<void(const std::vector<v1::CameraNotice>&)> notices;
  // Where the server's time goes, see CheckedClock::Check.
  std::function<void(int64_t server_unix_ns, int64_t sent_ns, int64_t received_ns)> server_time;
};

struct HeartbeatStats {
  bool connected = false;       // the last call went well
  uint64_t hellos = 0;          // answered
  uint64_t heartbeats = 0;      // answered
  std::string policy_version;   // in force; empty = the device's own configuration
  int64_t server_ahead_ns = 0;  // the server's wall time less ours, as of the last answer
  // Between the last two heartbeats; 0 while it isn't connected.
  uint64_t upload_rate_bytes_per_s = 0;
  std::string problem;  // why it isn't connected, for people
};

v1::UploadHealth ToHealth(const UploadStats& stats, uint64_t rate_bytes_per_s);

// Thread-safe but for Run().
class Heartbeat {
 public:
  // `apply` is called on the heartbeat's thread with each new policy whose bounds are right. `link`
  // and `clock` outlive this.
  Heartbeat(HeartbeatOptions options, HeartbeatSources sources, Link& link, Clock& clock,
            std::function<void(const v1::Policy&)> apply);
  ~Heartbeat();

  // Until `stop`; returns promptly then. Once, on a thread of its own.
  void Run(std::stop_token stop);
  // A heartbeat now: something changed that people wait for.
  void Poke();
  HeartbeatStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
