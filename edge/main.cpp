// gleaner-edge: the device daemon. See daemon.h for what it does and docker/gleaner-edge.toml for
// its configuration.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "common/command_line.h"
#include "common/log.h"
#include "common/message_json.h"
#include "common/rpc_log.h"
#include "common/standard_streams.h"
#include "common/status.h"
#include "common/stop.h"
#include "common/text.h"
#include "common/version.h"
#include "edge/config.h"
#include "edge/daemon.h"
#include "edge/device_status.h"
#include "edge/probe/probe.h"
#include "edge/probe/report.h"
#include "edge/probe/target.h"
#include "edge/spool/fsck.h"

namespace {

constexpr int kExitFailed = 1;
constexpr int kExitSpoolDamaged = 3;

int Complain(const absl::Status& status, int code, bool json = false) {
  if (json) {
    fmt::print(stderr, "{}\n", gleaner::ErrorJson(status));
  } else {
    fmt::print(stderr, "gleaner-edge: {}\n", gleaner::Message(status));
  }
  return code;
}

// What --check-config says of a configuration that the daemon starts with.
int Check(const std::string& path, const gleaner::edge::Config& config) {
  using gleaner::Count;
  for (const std::string& warning : config.warnings) fmt::print(stderr, "{}\n", warning);
  fmt::print("{}: ok{}; device {}, {}, {}, spool in {}\n", path,
             config.warnings.empty() ? "" : ", with " + Count(config.warnings.size(), "warning"),
             config.device, Count(config.cameras.size(), "camera"),
             Count(config.rules.size(), "rule"), config.spool.directory);
  return 0;
}

int Status(const gleaner::edge::Config& config, bool json) {
  const auto report = gleaner::edge::ReadDeviceStatus(config, gleaner::RealClock());
  if (!report.ok()) return Complain(report.status(), kExitFailed, json);
  fmt::print("{}", json ? gleaner::ToJson(*report) + "\n" : gleaner::edge::ToText(*report));
  return 0;
}

int Fsck(const gleaner::edge::Config& config, bool repair, bool json) {
  const auto report = gleaner::edge::Fsck(config.spool.directory, repair);
  if (!report.ok()) return Complain(report.status(), kExitFailed, json);
  fmt::print("{}", json ? report->ToJson() + "\n" : report->ToText());
  return report->ok() ? 0 : kExitSpoolDamaged;
}

int Probe(const gleaner::edge::ProbeArguments& arguments, int seconds, bool json) {
  using namespace gleaner;
  // What went wrong on the way to a look; all else is in what is printed.
  (void)InitLogging("gleaner-edge", "warn");
  const std::stop_token stop = StopOnSignals();
  const auto target = edge::FindProbeTarget(arguments);
  if (!target.ok()) return Complain(target.status(), kExitUsage, json);
  auto found = edge::ProbeCamera(*target, int64_t{seconds} * kNanosPerSecond, RealClock(), stop);
  if (absl::IsAborted(found.status())) {
    found = edge::ExplainBusy(found.status(), arguments.config_path, target->camera.address);
  }
  if (!found.ok()) return Complain(found.status(), kExitFailed, json);
  fmt::print("{}\n", json ? ToJson(*found) : edge::ToText(*found));
  return found->problem().empty() ? 0 : kExitFailed;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace gleaner;
  gleaner::KeepStandardStreams();
  ::umask(0077);  // SQLite and others make files that only we read, whatever the folder's rights
  CLI::App app(
      "gleaner-edge watches cameras, keeps the clips that a trigger asks for, and sends them to "
      "gleaner-cloud.\n"
      "Without a subcommand it runs as a daemon until SIGTERM, SIGINT or SIGHUP; it then stores "
      "the "
      "clips in hand, which a second signal does not hurry. SIGQUIT ends it at once and loses "
      "them.",
      "gleaner-edge");
  app.footer(
      "Exit status: 0 done; 1 it failed; 2 the configuration or the command line is wrong; 3 fsck "
      "found damage. With --json an error is {\"code\", \"message\"} on standard error.");
  app.set_version_flag("--version", std::string(Version()));
  std::string config_path = "/etc/gleaner/edge.toml";
  bool check_config = false;
  edge::DaemonOptions options;
  app.add_option("--config", config_path, "Configuration file (TOML)")->capture_default_str();
  app.add_flag("--check-config", check_config,
               "Check the configuration and what it names, print every mistake with its line, and "
               "exit with 2 if there is one; what works but looks wrong is a warning");
  app.add_flag("--until-drained", options.until_drained,
               "Exit once every camera has ended and every clip has arrived");
  bool json = false, repair = false;
  CLI::App* status = app.add_subcommand(
      "status", "Show the cameras, the rules, the upload, what the spool holds and what is wrong");
  status->add_flag("--json", json, "Print JSON: a DeviceStatus of the API");
  CLI::App* fsck = app.add_subcommand(
      "fsck", "Read every block of the spool and check it; safe while the daemon runs");
  fsck->add_flag("--json", json, "Print JSON: a SpoolCheck of the API");
  fsck->add_flag("--repair", repair, "Quarantine damaged clips; the daemon must be stopped");
  edge::ProbeArguments target;
  int seconds = 10;
  CLI::App* probe = app.add_subcommand(
      "probe",
      "Look at a camera: what it is, what it sends, what it costs to watch it, and its [[camera]] "
      "table. What is printed may go to the end of the configuration as it stands");
  probe->fallthrough();
  probe
      ->add_option("camera", target.target,
                   "A url (rtsp://, rtsps://), a path or a device; or the name of a camera of the "
                   "configuration")
      ->required();
  probe->add_option("--seconds", seconds, "For how long to look")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  probe->add_option("--name", target.name, "What the camera is called in the table (camera)");
  probe->add_option("--user", target.user, "Log in as this user");
  probe->add_option("--password-file", target.password_file, "with the first line of this file");
  probe->add_option("--password-env", target.password_env, "or with this environment variable");
  probe->add_option("--transport", target.transport, "auto, tcp or udp")
      ->check(CLI::IsMember({"auto", "tcp", "udp"}));
  probe->add_flag("--show-path", target.show_path,
                  "Tell the url's path and query in the table: only if no password is in them");
  probe->add_flag("--json", json, "Print JSON: a CameraProbe of the API");
  app.require_subcommand(0, 1);
  if (const auto end = ParseCommandLine(app, argc, argv)) return *end;

  if (probe->parsed()) {
    // A url may hold a password, and every user of the device can read command lines.
    for (int i = 1; i < argc; ++i) {
      if (argv[i] == target.target) std::fill_n(argv[i], target.target.size(), '*');
    }
    target.config_path = config_path;
    return WithOutput("gleaner-edge", kExitFailed, [&] { return Probe(target, seconds, json); });
  }

  const bool only_spool = !check_config && (status->parsed() || fsck->parsed());
  auto config = edge::Config::Load(config_path, only_spool);
  if (!config.ok() && json) return Complain(config.status(), kExitUsage, json);
  if (!config.ok()) {
    // Each line says its file.
    fmt::print(stderr, "{}\n", Message(config.status()));
    return kExitUsage;
  }
  // A command may be killed at any time, as the daemon may.
  const bool serves = !check_config && app.get_subcommands().empty();
  const std::stop_token stop = serves ? StopOnSignals() : std::stop_token();
  // Of the commands as well: what is told on the way is no part of their answer.
  if (absl::Status logging = InitLogging("gleaner-edge", config->log_level); !logging.ok()) {
    return Complain(logging, kExitUsage);
  }
  if (!serves) {
    return WithOutput("gleaner-edge", kExitFailed, [&] {
      if (check_config) return Check(config_path, *config);
      if (status->parsed()) return Status(*config, json);
      return Fsck(*config, repair, json);
    });
  }
  // Why there is no connection the link tells, once and in words.
  RouteRpcLogs([](std::string_view grpc_says) -> std::optional<std::string> {
    if (grpc_says.starts_with("Handshake failed")) return "";
    return std::nullopt;
  });
  options.config = *std::move(config);
  if (absl::Status run = edge::RunDaemon(options, RealClock(), stop); !run.ok()) {
    return Complain(run, kExitFailed);
  }
  return 0;
}
