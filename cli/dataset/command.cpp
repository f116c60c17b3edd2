#include "cli/dataset/command.h"

#include <unistd.h>

namespace gleaner::cli {

DatasetCommand::DatasetCommand(CLI::App& app, bool& json) : json_(json) {
  dataset_ = app.add_subcommand("dataset", "Frozen datasets: freeze, compare, check and export");
  dataset_->require_subcommand(1);
  const std::string name_help = "The dataset's name";

  freeze_command_ = Command("freeze", "Freeze labelled frames into a dataset that never changes");
  freeze_command_->add_option("name", name_, "What it is to be called")->required();
  freeze_command_->add_option("--schema", freeze_.schema, "Whose labels")->required();
  freeze_command_->add_option("--filter", freeze_.filter,
                              "Only frames for which these terms hold: device:cart-1 after:7d");
  freeze_command_->add_option("--least-role", freeze_.least_role,
                              "Only labels of reviewers of this role and above: annotator, "
                              "operator or admin");
  freeze_command_->add_flag("--without-empty", freeze_.leave_out_empty,
                            "Without frames in which nothing is");
  freeze_command_->add_option("--most", freeze_.most, "At most so many frames, drawn by --seed");
  freeze_command_->add_option("--seed", freeze_.seed, "Draws the frames of --most");
  freeze_command_->add_flag("--no-wait", no_wait_, "Print the job's number and end");

  list_ = Command("list", "Datasets, newest first");
  list_->add_option("--limit", limit_, "How many at most; 0 for all")->capture_default_str();

  show_ = Command("show", "A dataset's card: what is in it, how it was chosen, what is missing");
  show_->add_option("name", name_, name_help)->required();

  diff_ = Command("diff", "What came, went and changed from one dataset to another");
  diff_->add_option("from", name_, "The one")->required();
  diff_->add_option("to", other_, "The other")->required();
  diff_->add_option("--changes", changes_, "How many frames are named at most")
      ->capture_default_str();

  export_command_ = Command("export", "Write a dataset as other programs read it, and fetch it");
  export_command_->add_option("name", name_, name_help)->required();
  export_command_
      ->add_option("--format", export_.format, "coco, yolo, webdataset, mcap, cvat or label-studio")
      ->required();
  export_command_->add_option("--split", export_.splits,
                              "Only train, validation or test; may be repeated");
  export_command_->add_option("--shard-bytes", export_.shard_bytes,
                              "For webdataset and mcap: shards of at most so many bytes");
  export_command_->add_option("-o,--out,--output", export_.directory, "The folder to put it in")
      ->capture_default_str();
  export_command_->add_flag("--urls", export_.urls,
                            "Fetch nothing; print paths that need no token for an hour");
  export_command_->add_flag("--force", export_.overwrite,
                            "Overwrite files that are there and are something else");

  verify_ = Command("verify", "Compute a dataset's root anew from its frozen list");
  verify_->add_option("name", name_, name_help)->required();
}

CLI::App* DatasetCommand::Command(const char* name, const char* help) {
  CLI::App* command = dataset_->add_subcommand(name, help);
  command->add_flag("--json", json_, "Print JSON, in the API's own style");
  return command;
}

absl::Status DatasetCommand::Run(Client& client) {
  const bool progress = !json_ && ::isatty(STDERR_FILENO) != 0;
  if (freeze_command_->parsed()) {
    freeze_.name = name_;
    freeze_.wait = !no_wait_;
    freeze_.progress = progress;
    freeze_.json = json_;
    return FreezeDataset(client, freeze_);
  }
  if (list_->parsed()) return ListDatasets(client, limit_, json_);
  if (show_->parsed()) return ShowDataset(client, name_, json_);
  if (diff_->parsed()) return DiffDatasets(client, name_, other_, changes_, json_);
  if (verify_->parsed()) return VerifyDataset(client, name_, json_);
  export_.name = name_;
  export_.progress = progress;
  export_.json = json_;
  return ExportDataset(client, export_);
}

}  // namespace gleaner::cli
