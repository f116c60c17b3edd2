// A whole Gleaner on this machine: one server, any number of devices, mutual TLS between them,
// everything under one temporary folder.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/data/pki.h"
#include "tests/e2e/kept_folder.h"
#include "tests/e2e/page.h"
#include "tests/e2e/process.h"

namespace gleaner::e2e {

// What a device watches and when it fires; the defaults give short clips quickly.
struct DeviceSetup {
  std::string name = "cart-1";
  std::string site = "store-7";
  std::vector<std::string> videos;  // file paths or urls, one camera each: "cam-1", "cam-2", …
  std::string pace = "fast";
  bool loop = false;
  std::string when = "motion > 0.02";
  std::string pre = "1s", post = "1s", cooldown = "1s", max_clip = "10s";
  std::string quota = "256 MiB";
  std::string more;  // appended to the file as it is
};

class Rig : public Page {
 public:
  // Makes the folder, certificates for the server and configuration for nothing yet. Objects are
  // kept where the environment says: see tests/data/test_objects.h.
  Rig();

  const std::string& directory() const { return directory_; }
  int grpc_port() const { return grpc_port_; }

  // Writes the configuration (once) and starts the server; waits until /readyz says so unless
  // `wait` is false.
  Process& StartServer(const Process::Environment& extra = {}, bool wait = true);
  // The configuration's text is made once; `more` is appended to it.
  void AppendServerConfig(const std::string& more) { server_more_ += more; }
  Process& server() { return *server_; }
  // The server may have so many files open, and can't raise that.
  void LimitServerFiles(int files) { server_files_ = files; }
  // Of everybody here.
  TestPki& pki() { return pki_; }

  // Writes the device's configuration and certificate; returns the configuration's path.
  std::string Configure(const DeviceSetup& device);
  // gleaner-edge with these arguments after --config.
  Process StartDevice(const DeviceSetup& device, const std::vector<std::string>& arguments = {},
                      const Process::Environment& extra = {});
  std::string SpoolOf(const std::string& device) const { return directory_ + "/" + device; }
  // What `gleaner-edge --config … status --json` says, and what it says of the spool.
  nlohmann::json DeviceStatus(const DeviceSetup& device);
  nlohmann::json Status(const DeviceSetup& device);

  // What ffprobe finds in a clip's videos: a keyframe first, as many frames as the manifest says,
  // with the manifest's PTS.
  std::vector<std::string> VideoProblems(const std::string& id);
  // After everything has drained: what is wrong between the device's ledger and the catalog.
  // Every number given out ended exactly once, no clip is there twice, every digest is right,
  // nothing is left in the spool.
  std::vector<std::string> LedgerProblems(const DeviceSetup& device);

 private:
  const KeptFolder folder_;  // goes after all that writes in it
  const std::string directory_ = folder_.path();
  int grpc_port_;
  TestPki pki_;
  std::string server_more_;
  std::string server_store_;  // [store]
  int server_files_ = 0;      // 0: as many as the machine says
  std::optional<Process> server_;
};

}  // namespace gleaner::e2e
