// gleaner: what operators type. It speaks to gleaner-cloud with the same API as the page.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <functional>
#include <string>

#include "cli/client.h"
#include "cli/commands.h"
#include "common/status.h"
#include "common/version.h"

int main(int argc, char** argv) {
  using gleaner::cli::Client;
  std::signal(SIGPIPE, SIG_DFL);

  CLI::App app{
      "gleaner: devices and clips of a Gleaner server.\n\n"
      "  gleaner devices\n"
      "  gleaner clips list --filter 'device:cart-1 after:2h'\n"
      "  gleaner clips get 0f3a… -o /tmp/clips\n"};
  app.set_version_flag("--version", std::string(gleaner::Version()));
  app.require_subcommand(1);
  app.fallthrough();
  std::string server = "http://127.0.0.1:8080", token;
  app.add_option("--server", server, "The server's address")
      ->envname("GLEANER_SERVER")
      ->capture_default_str();
  app.add_option("--token", token, "Its access token, if it wants one")->envname("GLEANER_TOKEN");

  bool json = false;
  const auto with_json = [&json](CLI::App* command) {
    command->add_flag("--json", json, "Print the server's answer as JSON");
    return command;
  };
  CLI::App* summary = with_json(app.add_subcommand("summary", "The fleet in five numbers"));
  std::string device;
  CLI::App* devices = with_json(app.add_subcommand("devices", "Every device and how it is"));
  devices->add_option("name", device, "Only this one, with its clips in conflict");
  CLI::App* clips = app.add_subcommand("clips", "Find, look at and fetch clips");
  clips->require_subcommand(1);

  gleaner::cli::ListClipsOptions list_options;
  CLI::App* list = with_json(clips->add_subcommand("list", "Clips, newest arrival first"));
  list->add_option("--filter", list_options.filter,
                   "Terms that must all hold, for example: device:cart-1,cart-2 -trigger:motion "
                   "after:2h media:ok");
  list->add_option("--limit", list_options.limit, "How many at most; 0 for all")
      ->capture_default_str();

  std::string id, directory = ".";
  CLI::App* show =
      with_json(clips->add_subcommand("show", "One clip: what fired, why, and what it holds"));
  show->add_option("id", id, "The clip's id")->required();
  CLI::App* get =
      clips->add_subcommand("get", "Fetch a clip's manifest and files, and check every SHA-256");
  get->add_option("id", id, "The clip's id")->required();
  get->add_option("-o,--output", directory, "The folder to put the clip's folder in")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const auto run = [&]() -> absl::Status {
    auto client = Client::Connect(server, token);
    if (!client.ok()) return client.status();
    if (summary->parsed()) return gleaner::cli::ShowSummary(*client, json);
    if (devices->parsed()) return gleaner::cli::ListDevices(*client, device, json);
    if (list->parsed()) {
      list_options.json = json;
      return gleaner::cli::ListClips(*client, list_options);
    }
    if (show->parsed()) return gleaner::cli::ShowClip(*client, id, json);
    return gleaner::cli::GetClip(*client, id, directory, ::isatty(STDERR_FILENO) != 0);
  };
  const absl::Status status = run();
  if (status.ok()) return 0;
  fmt::print(stderr, "gleaner: {}\n", gleaner::Message(status));
  if (absl::IsNotFound(status) && !id.empty()) {
    fmt::print(stderr, "`gleaner clips list` shows the clips there are.\n");
  }
  return 1;
}
