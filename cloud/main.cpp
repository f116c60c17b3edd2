// gleaner-cloud: the server.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <climits>
#include <filesystem>
#include <string>

#include "cloud/ingest/allocator.h"
#include "cloud/server.h"
#include "cloud/server_config.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/status.h"
#include "common/stop.h"
#include "common/version.h"

namespace {

constexpr int kExitFailed = 1;
constexpr int kExitConfig = 2;

std::string ProgramDirectory() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

}  // namespace

int main(int argc, char** argv) {
  gleaner::cloud::TuneAllocator();
  CLI::App app{
      "gleaner-cloud takes clips in from devices, catalogues and checks them, and serves the "
      "page.\n"
      "It stops on SIGTERM or SIGINT; exit status 1: it could not start, 2: the configuration is "
      "wrong."};
  app.set_version_flag("--version", std::string(gleaner::Version()));
  std::string path;
  bool check_only = false;
  app.add_option("--config", path, "The configuration file (TOML)")->required();
  app.add_flag("--check-config", check_only,
               "Read the configuration and the certificates, say what is wrong, and exit");
  CLI11_PARSE(app, argc, argv);

  const auto config = gleaner::cloud::LoadServerConfig(path, ProgramDirectory());
  if (!config.ok()) {
    fmt::print(stderr, "{}\n", gleaner::Message(config.status()));
    return kExitConfig;
  }
  if (check_only) {
    fmt::print("{}: ok\n", path);
    return 0;
  }
  const std::stop_token stop = gleaner::StopOnSignals();
  if (const absl::Status logging = gleaner::InitLogging("gleaner-cloud", config->log_level);
      !logging.ok()) {
    fmt::print(stderr, "gleaner-cloud: {}\n", gleaner::Message(logging));
    return kExitConfig;
  }
  const auto server = gleaner::cloud::Server::Start(*config, gleaner::RealClock());
  if (!server.ok()) {
    fmt::print(stderr, "gleaner-cloud: {}\n", gleaner::Message(server.status()));
    return kExitFailed;
  }
  (*server)->Run(stop);
  return 0;
}
