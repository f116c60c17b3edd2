#include "cli/select/command.h"

#include <unistd.h>

namespace gleaner::cli {

SelectCommand::SelectCommand(CLI::App& app, bool& json) : json_(json) {
  select_ = app.add_subcommand("select", "Which few frames are worth a label, and why");
  select_->require_subcommand(1);
  const std::string name_help = "The selection's name";

  create_ = Command("create", "Choose frames; selected:NAME finds them from then on");
  create_->add_option("name", name_, "What it is to be called")->required();
  create_->add_option("--schema", options_.schema, "Whose labels and predictions count")
      ->required();
  create_->add_option("--filter", options_.filter,
                      "Only of frames for which these terms hold: device:cart-1 after:7d");
  create_->add_option("--budget", options_.budget, "How many frames, 3 to 10,000")
      ->capture_default_str();
  create_->add_option(
      "--mix", options_.mix,
      "STRATEGY or STRATEGY=SHARE; may be repeated. hybrid if not given; random and "
      "random_after_dedup are always there");
  create_->add_option("--model", options_.model,
                      "Whose predictions are asked; of each frame the newest if not given");
  create_->add_option("--embedding-model", options_.embedding_model,
                      "Whose embeddings say what is alike; the ones that most frames have if not "
                      "given");
  create_->add_option("--per-site", options_.per_site, "At most so many of one site");
  create_->add_option("--per-device", options_.per_device, "At most so many of one device");
  create_->add_option("--per-cluster", options_.per_cluster,
                      "At most so many of one cluster of near-duplicates");
  create_->add_option("--seed", options_.seed, "Another seed, another draw");
  create_->add_flag("--no-wait", no_wait_, "Print the job's number and end");

  list_ = Command("list", "Selections, newest first");
  list_->add_option("--limit", limit_, "How many at most; 0 for all")->capture_default_str();

  show_ = Command("show", "A selection: its frames, each with its reason");
  show_->add_option("name", name_, name_help)->required();
  show_->add_option("--limit", picks_, "How many frames at most; 0 for all")->capture_default_str();

  compare_ = Command("compare", "Where two differ, what became of each and what that cost");
  compare_->add_option("from", name_, "The one")->required();
  compare_->add_option("to", other_, "The other")->required();

  strategies_ = Command("strategies", "What a mix can be made of");
}

CLI::App* SelectCommand::Command(const char* name, const char* help) {
  CLI::App* command = select_->add_subcommand(name, help);
  command->add_flag("--json", json_, "Print JSON, in the API's own style");
  return command;
}

absl::Status SelectCommand::Run(Client& client) {
  if (create_->parsed()) {
    options_.name = name_;
    options_.wait = !no_wait_;
    options_.progress = !json_ && ::isatty(STDERR_FILENO) != 0;
    options_.json = json_;
    return CreateSelection(client, options_);
  }
  if (list_->parsed()) return ListSelections(client, limit_, json_);
  if (show_->parsed()) return ShowSelection(client, name_, picks_, json_);
  if (compare_->parsed()) return CompareSelections(client, name_, other_, json_);
  return ListStrategies(client, json_);
}

}  // namespace gleaner::cli
