// gleaner: what operators type. It speaks to gleaner-cloud with the same API as the page; releases
// it signs by itself.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/dataset/command.h"
#include "cli/label/command.h"
#include "cli/model/command.h"
#include "cli/release/command.h"
#include "cli/select/command.h"
#include "common/command_line.h"
#include "common/message_json.h"
#include "common/standard_streams.h"
#include "common/status.h"
#include "common/version.h"

namespace {

constexpr int kExitFailed = 1;

// On standard error, where it doesn't get into the way of what reads the answer.
void Complain(const absl::Status& status, bool json) {
  if (json) {
    fmt::print(stderr, "{}\n", gleaner::ErrorJson(status));
  } else {
    fmt::print(stderr, "gleaner: {}\n", gleaner::Message(status));
  }
}

}  // namespace

int main(int argc, char** argv) {
  using gleaner::cli::Client;
  gleaner::KeepStandardStreams();
  std::signal(SIGPIPE, SIG_IGN);  // a server that hangs up is told of, and ends nothing

  CLI::App app{
      "gleaner: devices, clips, frames, labels, jobs and tokens of a Gleaner server; signed "
      "releases for its devices.\n\n"
      "  gleaner devices\n"
      "  gleaner clips list --filter 'device:cart-1 after:2h'\n"
      "  gleaner clips get 0f3a 17c9 --out /tmp/clips\n",
      "gleaner"};
  app.footer(
      "Exit status: 0 done; 1 it failed: not found, not reached, refused, damaged; 2 used wrongly: "
      "an option, a filter, an address that can't be right.\n"
      "With --json an error is {\"code\", \"message\"} on standard error.");
  app.set_version_flag("--version", std::string(gleaner::Version()));
  app.require_subcommand(1);
  app.fallthrough();
  gleaner::cli::ClientOptions server{.url = "http://127.0.0.1:8080"};
  app.add_option("--server", server.url, "The server's address")
      ->envname("GLEANER_SERVER")
      ->capture_default_str();
  app.add_option("--token", server.token, "Its access token, if it wants one")
      ->envname("GLEANER_TOKEN");
  app.add_option("--ca", server.ca,
                 "A PEM file with the authority of its certificate, for https with one of your own")
      ->envname("GLEANER_CA");

  bool json = false;
  const auto with_json = [&json](CLI::App* command) {
    command->add_flag("--json", json, "Print JSON, in the API's own style");
    return command;
  };
  CLI::App* summary = with_json(app.add_subcommand("summary", "The fleet in five numbers"));
  std::string device;
  CLI::App* devices =
      with_json(app.add_subcommand("devices", "Every device, and what is wrong with it"));
  devices->add_option("name", device, "Only this one, whole: cameras, rules, what was lost");
  CLI::App* clips = app.add_subcommand("clips", "Find, look at and fetch clips");
  clips->require_subcommand(1);

  gleaner::cli::ListClipsOptions list_options;
  const std::string filter_help =
      "Terms that must all hold, or stand in parentheses with \"or\" between them, for example: "
      "device:cart-1,cart-2 -rule:motion after:2h media:ok; `gleaner filters` lists every word";
  const std::string id_help = "The clip's id, or as much of its beginning as no other has";
  CLI::App* list = with_json(clips->add_subcommand("list", "Clips, newest arrival first"));
  list->add_option("--filter", list_options.filter, filter_help);
  list->add_option("--limit", list_options.limit, "How many at most; 0 for all")
      ->capture_default_str();

  std::string id;
  CLI::App* show =
      with_json(clips->add_subcommand("show", "One clip: what fired, why, and what it holds"));
  show->add_option("id", id, id_help)->required();

  gleaner::cli::GetClipsOptions get_options;
  CLI::App* get = with_json(clips->add_subcommand(
      "get",
      "Fetch clips, each into a folder of its own that is named after its id: a video for each "
      "camera, preview, samples and manifest, every SHA-256 checked. What is there already is not "
      "fetched again."));
  CLI::Option* ids = get->add_option("id", get_options.ids, id_help + "; several may be given");
  CLI::Option* filter = get->add_option("--filter", get_options.filter,
                                        "Instead of ids: all clips that match. " + filter_help);
  ids->excludes(filter);
  get->add_option("--limit", get_options.limit, "With --filter: only the newest so many")
      ->needs(filter);
  get->add_option("-o,--out,--output", get_options.directory, "The folder to put the clips in")
      ->capture_default_str();
  get->add_flag("--force", get_options.overwrite,
                "Overwrite files that are there and are something else");

  CLI::App* frames =
      app.add_subcommand("frames", "The pictures of clips that are worth a look, and why");
  frames->require_subcommand(1);
  gleaner::cli::ListFramesOptions frames_options{.clip = {}, .filter = {}, .limit = 100};
  CLI::App* frames_list = with_json(frames->add_subcommand(
      "list", "Frames of a clip in the order of their times, or of all clips, newest first"));
  frames_list->add_option("clip", frames_options.clip, id_help);
  frames_list->add_option("--filter", frames_options.filter,
                          "As of `clips list`, and words about frames, for example: reason:firing "
                          "sharpness>0.2 (label:bottle or predicted:bottle>0.6)");
  frames_list->add_option("--limit", frames_options.limit, "How many at most; 0 for all")
      ->capture_default_str();

  gleaner::cli::GetFramesOptions get_frames;
  CLI::App* frames_get = with_json(frames->add_subcommand(
      "get", "Fetch pictures of frames, each into FOLDER/CLIP/CAMERA-PTS.jpg"));
  frames_get->add_option("clip", get_frames.which.clip, id_help);
  frames_get->add_option("--filter", get_frames.which.filter, "As of `frames list`");
  get_frames.which.limit = 100;
  frames_get->add_option("--limit", get_frames.which.limit, "How many at most; 0 for all")
      ->capture_default_str();
  frames_get->add_option("-o,--out,--output", get_frames.directory, "The folder to put them in")
      ->capture_default_str();
  frames_get->add_flag("--thumbnails", get_frames.thumbnails,
                       "Thumbnails instead of pictures at full size");
  frames_get->add_flag("--force", get_frames.overwrite,
                       "Overwrite files that are there and are something else");

  gleaner::cli::CountFramesOptions count_frames;
  CLI::App* frames_count = with_json(frames->add_subcommand(
      "count", "How many of the newest 10,000 frames have each value of each word of filters"));
  frames_count->add_option("--filter", count_frames.filter, "As of `frames list`");
  frames_count->add_option("--by", count_frames.keys, "Only by this word; may be repeated");

  CLI::App* filters = with_json(
      app.add_subcommand("filters", "What --filter understands: every word, with an example"));

  gleaner::cli::SimilarOptions similar_options;
  CLI::App* similar =
      with_json(app.add_subcommand("similar", "The frames that are most like a frame"));
  similar
      ->add_option("frame", similar_options.frame,
                   "CLIP/CAMERA/PTS, as `frames list` has them; of the clip's id as much of its "
                   "beginning as no other has")
      ->required();
  similar->add_option("--model", similar_options.model,
                      "By whose eyes; the model's that has seen most frames if not given");
  similar->add_option("--filter", similar_options.filter,
                      "Only of these, for example: site:store-7 background:no");
  similar->add_option("--limit", similar_options.limit, "How many at most, 1 to 100")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  similar->add_flag("--distinct", similar_options.distinct,
                    "Of near-duplicates only the most similar, and none of the frame itself");

  gleaner::cli::LabelCommand label(app, json);
  gleaner::cli::DatasetCommand dataset(app, json);
  gleaner::cli::ModelsCommand models(app, json);
  gleaner::cli::SelectCommand select(app, json);

  CLI::App* jobs = app.add_subcommand("jobs", "Background work: what waits, runs, failed");
  jobs->require_subcommand(1);
  gleaner::cli::ListJobsOptions jobs_options;
  CLI::App* jobs_list = with_json(jobs->add_subcommand("list", "Jobs, newest first"));
  jobs_list->add_option("--kind", jobs_options.kinds, "Only of this kind; may be repeated");
  jobs_list->add_option("--state", jobs_options.states,
                        "Only waiting, running, done, failed or cancelled; may be repeated");
  jobs_list->add_option("--subject", jobs_options.subject, "Only of this subject: a clip's id");
  jobs_list->add_option("--limit", jobs_options.limit, "How many at most; 0 for all")
      ->capture_default_str();
  uint64_t job = 0;
  const auto with_number = [&](const char* name, const char* help) {
    CLI::App* command = with_json(jobs->add_subcommand(name, help));
    command->add_option("number", job, "The job's number")->required();
    return command;
  };
  CLI::App* jobs_show = with_number("show", "One job: how far it is, what came of it");
  CLI::App* jobs_cancel =
      with_number("cancel", "At once if it waits; when it has ended if it runs");
  CLI::App* jobs_retry = with_number("retry", "Run again what failed or was cancelled");

  CLI::App* tokens = app.add_subcommand("tokens", "Who is let in, and as what");
  tokens->require_subcommand(1);
  std::string token_name, token_role;
  CLI::App* tokens_create =
      with_json(tokens->add_subcommand("create", "Make a token; its secret is printed, this once"));
  tokens_create
      ->add_option("name", token_name, "Whose it is: a person, a script; the audit says it")
      ->required();
  tokens_create
      ->add_option("--role", token_role,
                   "viewer sees everything; annotator labels, too; operator runs the fleet and "
                   "jobs, too; admin also makes tokens and reads the audit")
      ->required();
  CLI::App* tokens_list =
      with_json(tokens->add_subcommand("list", "Every token, also those that were revoked"));
  CLI::App* tokens_revoke = with_json(
      tokens->add_subcommand("revoke", "It opens nothing any more, from now on and everywhere"));
  tokens_revoke->add_option("name", token_name, "The token's name")->required();

  uint32_t audit_limit = 20;
  CLI::App* audit = with_json(app.add_subcommand("audit", "Who changed what, newest first"));
  audit->add_option("--limit", audit_limit, "How many at most; 0 for all")->capture_default_str();

  gleaner::cli::ReleaseCommand release(app, json, server.ca);

  // The flag itself may be what couldn't be read.
  const bool wants_json = std::find(argv, argv + argc, std::string_view("--json")) != argv + argc;
  const auto complain = [&](const std::string& mistake) {
    Complain(absl::InvalidArgumentError(mistake), wants_json);
    return !wants_json;
  };
  if (const auto end = gleaner::ParseCommandLine(app, argc, argv, complain)) return *end;

  const auto run = [&]() -> absl::Status {
    if (get->parsed() && get_options.ids.empty() && filter->empty()) {
      return absl::InvalidArgumentError("clips get wants ids, or --filter");
    }
    if (release.parsed()) return release.Run();
    auto client = Client::Connect(server);
    if (!client.ok()) return client.status();
    if (summary->parsed()) return gleaner::cli::ShowSummary(*client, json);
    if (devices->parsed()) {
      return device.empty() ? gleaner::cli::ListDevices(*client, json)
                            : gleaner::cli::ShowDevice(*client, device, json);
    }
    if (list->parsed()) {
      list_options.json = json;
      return gleaner::cli::ListClips(*client, list_options);
    }
    if (show->parsed()) return gleaner::cli::ShowClip(*client, id, json);
    if (frames_list->parsed()) {
      frames_options.json = json;
      return gleaner::cli::ListFrames(*client, frames_options);
    }
    if (frames_get->parsed()) {
      get_frames.which.json = json;
      return gleaner::cli::GetFrames(*client, get_frames);
    }
    if (frames_count->parsed()) {
      count_frames.json = json;
      return gleaner::cli::CountFrames(*client, count_frames);
    }
    if (filters->parsed()) return gleaner::cli::ListFilterWords(*client, json);
    if (similar->parsed()) {
      similar_options.json = json;
      return gleaner::cli::ShowSimilar(*client, similar_options);
    }
    if (label.parsed()) return label.Run(*client);
    if (dataset.parsed()) return dataset.Run(*client);
    if (models.parsed()) return models.Run(*client);
    if (select.parsed()) return select.Run(*client);
    if (jobs_list->parsed()) {
      jobs_options.json = json;
      return gleaner::cli::ListJobs(*client, jobs_options);
    }
    if (jobs_show->parsed()) return gleaner::cli::ShowJob(*client, job, json);
    if (jobs_cancel->parsed()) return gleaner::cli::CancelJob(*client, job, json);
    if (jobs_retry->parsed()) return gleaner::cli::RetryJob(*client, job, json);
    if (tokens_create->parsed()) {
      return gleaner::cli::CreateToken(*client, token_name, token_role, json);
    }
    if (tokens_list->parsed()) return gleaner::cli::ListTokens(*client, json);
    if (tokens_revoke->parsed()) return gleaner::cli::RevokeToken(*client, token_name, json);
    if (audit->parsed()) return gleaner::cli::ShowAudit(*client, audit_limit, json);
    get_options.json = json;
    get_options.progress = !json && ::isatty(STDERR_FILENO) != 0;
    return gleaner::cli::GetClips(*client, get_options);
  };
  return gleaner::WithOutput("gleaner", kExitFailed, [&] {
    const absl::Status status = run();
    if (status.ok()) return 0;
    Complain(status, json);
    return absl::IsInvalidArgument(status) ? gleaner::kExitUsage : kExitFailed;
  });
}
