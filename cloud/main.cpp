// gleaner-cloud: the server.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "cloud/data_commands.h"
#include "cloud/ingest/allocator.h"
#include "cloud/net/descriptor_limit.h"
#include "cloud/rooms.h"
#include "cloud/rpc/handshake_words.h"
#include "cloud/server.h"
#include "cloud/server_config.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/s3/bucket_folder.h"
#include "common/clock.h"
#include "common/command_line.h"
#include "common/log.h"
#include "common/rpc_log.h"
#include "common/standard_streams.h"
#include "common/status.h"
#include "common/stop.h"
#include "common/text.h"
#include "common/version.h"

namespace {

using gleaner::cloud::kExitFailed;

constexpr char kBackupHelp[] = R"(
The backup is the catalog as of one moment and every clip in it, each read
back from the backup's disk and found to have its digest. Into a folder that
holds an earlier backup only what is new is copied; nothing is ever removed
there. It is a data folder like the server's own.)";
constexpr char kRestoreHelp[] = R"(
Nothing is destroyed: what lies in server.data_dir and the backup doesn't know
is kept aside (see `gleaner-cloud kept`), and so is the catalog there.

The folder may be new or empty. It may also hold the blobs of the same store
whose catalog was lost, emptied, damaged, or is an older copy: that is what
the server says when it doesn't start. With --in-place, without DIR, the
catalog that lies there, put back by hand from whatever copy, is accepted
as it is.

Where there is no copy of the catalog at all, `gleaner-cloud recover` makes
one of what the clips' objects say of themselves.)";
constexpr char kKeptHelp[] = R"(
Kept aside are bytes in the blob folder that the catalog doesn't name, and
that may be clips it has forgotten: after a restore, or an upgrade.)";

constexpr char kRecoverHelp[] = R"(
Beside each clip's objects lies what the catalog needs to know of it. Every
clip whose objects are whole comes back, under the id it had: all of it is
read. Where the objects are in a bucket and a catalog is there (an older
copy, say), the clips that it doesn't know are added to it.

What no object says is not to be had: the devices' ledgers, which they tell
again when they connect (numbers that ended without a clip, and that a device
has forgotten since, are gaps then), and verdicts on media, which is checked
anew. Clips that a version before this command took in don't describe
themselves.)";

std::string ProgramDirectory() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

absl::Status CheckStores(const gleaner::cloud::ServerConfig& config) {
  using namespace gleaner::cloud;
  if (!config.store.in_bucket) {
    return CheckDataFolder(config.data_dir, AllRooms(), config.database);
  }
  return s3::CheckBucketFolder(config.data_dir, AllRooms(), gleaner::RealClock(), config.store,
                               config.database);
}

}  // namespace

int main(int argc, char** argv) {
  gleaner::KeepStandardStreams();
  ::umask(0077);  // SQLite and others make files that only we read, whatever the folder's rights
  gleaner::cloud::TuneAllocator();
  CLI::App app{
      "gleaner-cloud takes clips in from devices, catalogs and checks them, and serves the "
      "page. Without a command it serves.\n"
      "It stops on SIGTERM, SIGINT or SIGHUP, which a second one does not hurry; SIGQUIT ends it "
      "at once.",
      "gleaner-cloud"};
  app.footer(
      "Exit status: 0 it was told to stop, or did what it was asked for; 1 it could not, or found "
      "something damaged; 2 the configuration or the command line is wrong.");
  app.set_version_flag("--version", std::string(gleaner::Version()));
  std::string path = "/etc/gleaner/cloud.toml";
  bool check_only = false;
  app.add_option("--config", path, "The configuration file (TOML)")->capture_default_str();
  app.add_flag("--check-config", check_only,
               "Read the configuration and what it names, look at the data folder without changing "
               "anything, say what is wrong, and exit; what works but looks wrong is a warning");
  std::string role;
  const CLI::Option* role_option = app.add_option(
      "--role", role,
      "all, ingest, api or worker, in the place of server.role: what this server does "
      "of all that there is to do, where several share a database");
  app.fallthrough();  // options of the whole after a command, too
  std::string directory;
  CLI::App* backup =
      app.add_subcommand("backup", "Make a backup of the data, also while the server runs");
  backup->footer(kBackupHelp);
  backup->add_option("DIR", directory, "Where the backup is or is to be")->required();
  bool in_place = false;
  CLI::App* restore =
      app.add_subcommand("restore", "Bring a backup back; the server must be stopped");
  restore->footer(kRestoreHelp);
  CLI::Option* from = restore->add_option("DIR", directory, "Where the backup is");
  restore->add_flag("--in-place", in_place, "Accept the catalog that is there")->excludes(from);
  gleaner::cloud::KeptOptions kept_options;
  CLI::App* kept = app.add_subcommand("kept", "Show what is kept aside, and free it");
  kept->footer(kKeptHelp);
  kept->add_option("--export", kept_options.export_to,
                   "Write what can be told apart into this folder");
  kept->add_flag("--free", kept_options.free, "Free it, for good. The server must be stopped");
  CLI::App* recover = app.add_subcommand(
      "recover", "Make a lost catalog anew from the clips' objects; the server must be stopped");
  recover->footer(kRecoverHelp);
  app.require_subcommand(0, 1);
  if (const auto end = gleaner::ParseCommandLine(app, argc, argv)) return *end;

  const auto config = gleaner::cloud::LoadServerConfig(path, ProgramDirectory(),
                                                       role_option->empty() ? nullptr : &role);
  if (!config.ok()) {
    fmt::print(stderr, "{}\n", gleaner::Message(config.status()));
    return gleaner::kExitUsage;
  }
  if (check_only)
    return gleaner::WithOutput("gleaner-cloud", kExitFailed, [&] {
      if (const absl::Status data = CheckStores(*config); !data.ok()) {
        fmt::print(stderr, "{}: {}\n", config->store.in_bucket ? "store" : "server.data_dir",
                   gleaner::Message(data));
        return kExitFailed;
      }
      for (const std::string& warning : config->warnings) {
        fmt::print(stderr, "{}\n", warning);
      }
      fmt::print("{}: ok{}; data in {}\n", path,
                 config->warnings.empty()
                     ? ""
                     : ", with " + gleaner::Count(config->warnings.size(), "warning"),
                 config->data_dir);
      if (!config->http_listen.IsLoopback() && config->token.empty()) {
        fmt::print(
            "Others can reach {} and no token is set: where there is no admin's token yet, the "
            "server makes a first one when it starts, and says it once on standard output\n",
            config->http_listen.ToString());
      }
      return 0;
    });
  // A command may be killed at any time, as the server may.
  const bool serves = app.get_subcommands().empty();
  const std::stop_token stop = serves ? gleaner::StopOnSignals() : std::stop_token();
  if (const absl::Status logging = gleaner::InitLogging("gleaner-cloud", config->log_level);
      !logging.ok()) {
    fmt::print(stderr, "gleaner-cloud: {}\n", gleaner::Message(logging));
    return gleaner::kExitUsage;
  }
  gleaner::Clock& clock = gleaner::RealClock();
  const std::string& data_dir = config->data_dir;
  if (restore->parsed() && directory.empty() && !in_place) {
    fmt::print(stderr, "gleaner-cloud restore: give the backup's folder, or --in-place\n");
    return gleaner::kExitUsage;
  }
  if (!serves) {
    return gleaner::WithOutput("gleaner-cloud", kExitFailed, [&] {
      if (recover->parsed()) {
        return gleaner::cloud::RecoverCommand(data_dir, config->store, config->database, clock);
      }
      if (!config->database.empty()) {
        fmt::print(
            stderr,
            "gleaner-cloud: the catalog is in PostgreSQL: back it up and restore it with "
            "pg_dump and pg_restore; where objects are files, together with server.data_dir, "
            "while the server is stopped\n");
        return kExitFailed;
      }
      if (config->store.in_bucket && backup->parsed()) {
        return gleaner::cloud::BackupCatalogCommand(data_dir, directory);
      }
      if (config->store.in_bucket) {
        fmt::print(
            stderr,
            "gleaner-cloud: this is for objects in files; with a bucket, put catalog.db back "
            "by hand and see `gleaner-cloud recover --help`\n");
        return kExitFailed;
      }
      if (backup->parsed()) return gleaner::cloud::BackupCommand(data_dir, directory, clock);
      if (kept->parsed()) return gleaner::cloud::KeptCommand(data_dir, kept_options, clock);
      return gleaner::cloud::RestoreCommand(in_place ? data_dir : directory, data_dir, clock);
    });
  }
  gleaner::RouteRpcLogs(gleaner::cloud::HandshakeWords);
  if (const absl::Status raised = gleaner::cloud::RaiseDescriptorLimit(); !raised.ok()) {
    LOG_WARN("the limit of open files stays as it is: {}", gleaner::Message(raised));
  }
  const auto server = gleaner::cloud::Server::Start(*config, clock);
  if (!server.ok()) {
    fmt::print(stderr, "gleaner-cloud: {}\n", gleaner::Message(server.status()));
    return kExitFailed;
  }
  if (const std::string& token = (*server)->first_token(); !token.empty()) {
    fmt::print(
        "The first admin's token, which is said this once:\n\n  {}\n\nWith it in GLEANER_TOKEN, "
        "`gleaner tokens create` makes one for each person and script; then revoke this one.\n",
        token);
    if (std::fflush(stdout) != 0) {
      fmt::print(stderr,
                 "gleaner-cloud: standard output takes nothing, so that nobody has heard the first "
                 "admin's token: set [http] token or token_file, or give it somewhere to go\n");
      return kExitFailed;
    }
  }
  (*server)->Run(stop);
  return 0;
}
