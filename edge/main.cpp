// gleaner-edge: the device daemon. See daemon.h for what it does and docker/gleaner-edge.toml for
// its configuration.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "common/log.h"
#include "common/status.h"
#include "common/stop.h"
#include "common/version.h"
#include "edge/config.h"
#include "edge/daemon.h"
#include "edge/spool/fsck.h"
#include "edge/spool/status.h"

namespace {

constexpr int kFailed = 1;
constexpr int kBadConfig = 2;
constexpr int kSpoolDamaged = 3;

int Complain(const absl::Status& status, int code) {
  fmt::print(stderr, "gleaner-edge: {}\n", gleaner::Message(status));
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace gleaner;
  CLI::App app(
      "gleaner-edge watches cameras, keeps the clips that a trigger asks for, and sends them to "
      "gleaner-cloud.\n"
      "Without a subcommand it runs as a daemon until SIGTERM or SIGINT.");
  app.set_version_flag("--version", std::string(Version()));
  std::string config_path = "/etc/gleaner/edge.toml";
  bool check_config = false;
  edge::DaemonOptions options;
  app.add_option("--config", config_path, "Configuration file (TOML)")->capture_default_str();
  app.add_flag("--check-config", check_config,
               "Check the configuration, print every mistake with its line, and exit");
  app.add_flag("--until-drained", options.until_drained,
               "Exit once every camera has ended and every clip has arrived");
  bool json = false, repair = false;
  CLI::App* status =
      app.add_subcommand("status", "Show what the spool holds; safe while the daemon runs");
  status->add_flag("--json", json, "Print JSON");
  CLI::App* fsck = app.add_subcommand(
      "fsck", "Read every block of the spool and check it; safe while the daemon runs");
  fsck->add_flag("--json", json, "Print JSON");
  fsck->add_flag("--repair", repair, "Quarantine damaged clips; the daemon must be stopped");
  app.require_subcommand(0, 1);
  CLI11_PARSE(app, argc, argv);

  const bool only_spool = !check_config && (status->parsed() || fsck->parsed());
  auto config = edge::Config::Load(config_path, only_spool);
  if (!config.ok()) return Complain(config.status(), kBadConfig);
  if (check_config) {
    fmt::print("{}: ok; device {}, {} cameras, {} rules\n", config_path, config->device,
               config->cameras.size(), config->rules.size());
    return 0;
  }
  const std::string& directory = config->spool.directory;
  if (status->parsed()) {
    auto report = edge::ReadStatus(directory, RealClock());
    if (!report.ok()) return Complain(report.status(), kFailed);
    fmt::print("{}\n", json ? report->ToJson() : report->ToText());
    return 0;
  }
  if (fsck->parsed()) {
    auto report = edge::Fsck(directory, repair);
    if (!report.ok()) return Complain(report.status(), kFailed);
    fmt::print("{}\n", json ? report->ToJson() : report->ToText());
    return report->ok() ? 0 : kSpoolDamaged;
  }

  const std::stop_token stop = StopOnSignals();
  if (absl::Status logging = InitLogging("gleaner-edge", config->log_level); !logging.ok()) {
    return Complain(logging, kBadConfig);
  }
  options.config = *std::move(config);
  if (absl::Status run = edge::RunDaemon(options, RealClock(), stop); !run.ok()) {
    return Complain(run, kFailed);
  }
  return 0;
}
