#include "cli/model/command.h"

#include "cli/model/model.h"

namespace gleaner::cli {

ModelsCommand::ModelsCommand(CLI::App& app, bool& json) : json_(json) {
  models_ = app.add_subcommand("models", "Models that look at frames on the server");
  models_->require_subcommand(1);
  list_ = models_->add_subcommand("list", "Which there are, and why one of them can't run");
  run_ = models_->add_subcommand("run", "Have a model look at clips that are there already");
  run_->add_option("name", name_, "The model's name")->required();
  run_->add_option(
      "--filter", filter_,
      "Only clips for which these terms hold: device:cart-1 after:7d; without it, all");
  for (CLI::App* command : {list_, run_}) {
    command->add_flag("--json", json_, "Print JSON, in the API's own style");
  }
}

absl::Status ModelsCommand::Run(Client& client) {
  return list_->parsed() ? ListModels(client, json_) : RunModel(client, name_, filter_, json_);
}

}  // namespace gleaner::cli
