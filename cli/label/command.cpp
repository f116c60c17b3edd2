#include "cli/label/command.h"

#include <fmt/format.h>

#include <string>

#include "cli/label/import/label_file.h"

namespace gleaner::cli {

LabelCommand::LabelCommand(CLI::App& app, bool& json) : json_(json) {
  label_ = app.add_subcommand("label", "Schemas, predictions and tasks of labelling; its report");
  label_->require_subcommand(1);
  AddSchemas();
  AddTasks();

  CLI::App* predictions = label_->add_subcommand("predictions", "What models say of frames");
  predictions->require_subcommand(1);
  predictions_import_ =
      Command(predictions, "import", "Bring predictions: JSON lines, one frame each");
  predictions_import_->add_option("FILE", predictions_.file, "The file; - for standard input")
      ->required();
  predictions_import_->add_option("--schema", predictions_.schema, "In whose terms they are")
      ->required();
  predictions_import_->add_option("--schema-version", predictions_.schema_version,
                                  "Which version of it; the newest if not given");
  predictions_import_->add_option("--model", predictions_.model, "Which model predicted")
      ->required();
  predictions_import_
      ->add_option("--model-version", predictions_.model_version, "Which version of it")
      ->required();

  import_ = Command(label_, "import", "Bring what people said in a labelling tool");
  import_->add_option("FILE", labels_.file, "What the tool exported")->required();
  std::string formats;
  for (const LabelFileFormat* format : LabelFileFormats()) {
    formats +=
        fmt::format("{}{} ({})", formats.empty() ? "" : ", ", format->name(), format->about());
  }
  import_->add_option("--format", labels_.format, formats)->required();
  import_->add_option("--schema", labels_.schema, "In whose terms they are")->required();

  report_command_ = Command(label_, "report", "What pre-labels save, or that they save nothing");
  report_command_->add_option("schema", schema_name_, "The schema's name")->required();
  report_command_->add_option("--set", set_, "Only this set of tasks");
  report_command_->add_option("--seed", seed_, "Of the resampling, which the intervals come from");
}

CLI::App* LabelCommand::Command(CLI::App* above, const char* name, const char* help) {
  CLI::App* command = above->add_subcommand(name, help);
  command->add_flag("--json", json_, "Print JSON, in the API's own style");
  return command;
}

void LabelCommand::AddSchemas() {
  CLI::App* schema = label_->add_subcommand("schema", "What can be said of frames");
  schema->require_subcommand(1);
  schema_create_ = Command(schema, "create", "Make a schema, or the next version of one");
  schema_create_->add_option("name", schema_.name, "The schema's name")->required();
  schema_create_->add_option("--kind", schema_.kind, "boxes, classes or transcription")->required();
  schema_create_->add_option("--class", schema_.classes,
                             "NAME or ID=NAME, in the order of the keys that pick them; repeated");
  schema_create_->add_option("--attribute", schema_.attributes,
                             "NAME for any text, or NAME=VALUE,VALUE; may be repeated");
  schema_create_->add_flag("--drop-classes", schema_.drop_classes,
                           "Classes of the version before that aren't named are meant to go");
  schema_list_ = Command(schema, "list", "The newest version of each");
  schema_show_ = Command(schema, "show", "One schema: its classes and attributes");
  schema_show_->add_option("name", schema_.name, "The schema's name")->required();
  schema_show_->add_option("--version-number", version_, "Which version; the newest if not given");
}

void LabelCommand::AddTasks() {
  CLI::App* tasks = label_->add_subcommand("tasks", "What people are to look at");
  tasks->require_subcommand(1);
  tasks_create_ = Command(tasks, "create", "Make a set of tasks of all frames that a filter finds");
  tasks_create_->add_option("schema", schema_name_, "The schema's name")->required();
  tasks_create_->add_option("--filter", filter_,
                            "Terms that must all hold, for example: device:cart-1 reason:firing "
                            "background:no; all frames if not given");
  tasks_create_->add_option("--limit", most_, "How many frames at most, up to 10000")
      ->capture_default_str();
  tasks_create_->add_option("--priority", priority_, "The highest goes first")
      ->capture_default_str();
  tasks_create_->add_option("--model", model_,
                            "Whose predictions are shown; the newest if not given");
  tasks_create_->add_flag("--again", also_labelled_, "Also frames that have a label");
  tasks_create_->add_option("--control", control_,
                            "Share of tasks without their pre-label, from 0 to 1");
  tasks_create_->add_option("--known-wrong", known_wrong_,
                            "Share of tasks with a pre-label that is known to be wrong");
  tasks_create_->add_option("--pairs", pairs_, "Share of tasks for two people");
  tasks_create_->add_option("--seed", seed_, "Of the hash that chooses them");
  tasks_create_->add_option("--likely-errors", likely_errors_,
                            "Instead of a filter: labels that predictions contradict with this "
                            "confidence or more");
  tasks_list_ = Command(tasks, "list", "Sets of tasks and how far they are, newest first");
  tasks_list_->add_option("--set", set_, "The tasks of this set");
  tasks_list_->add_option("--limit", limit_, "How many at most; 0 for all")->capture_default_str();
  tasks_requeue_ = Command(tasks, "requeue", "Bring tasks back that were put aside");
  tasks_requeue_->add_option("TASK", requeued_, "Their numbers, as 'tasks list --set' has them");
  tasks_requeue_->add_option("--set", set_, "All of this set that were put aside");
}

absl::Status LabelCommand::Run(Client& client) {
  if (schema_create_->parsed()) {
    schema_.json = json_;
    return CreateSchema(client, schema_);
  }
  if (schema_list_->parsed()) return ListSchemas(client, json_);
  if (schema_show_->parsed()) return ShowSchema(client, schema_.name, version_, json_);
  if (tasks_create_->parsed()) {
    tasks_.set_schema(schema_name_);
    tasks_.set_filter(filter_);
    tasks_.set_most(most_);
    tasks_.set_priority(priority_);
    tasks_.set_model(model_);
    tasks_.set_also_labelled(also_labelled_);
    tasks_.set_control_share(control_);
    tasks_.set_known_wrong_share(known_wrong_);
    tasks_.set_pair_share(pairs_);
    tasks_.set_seed(seed_);
    tasks_.set_likely_errors_from(likely_errors_);
    return CreateTasks(client, tasks_, json_);
  }
  if (tasks_list_->parsed()) return ListTasks(client, set_, limit_, json_);
  if (tasks_requeue_->parsed()) return RequeueTasks(client, requeued_, set_, json_);
  if (predictions_import_->parsed()) {
    predictions_.json = json_;
    return ImportPredictions(client, predictions_);
  }
  if (import_->parsed()) {
    labels_.json = json_;
    return ImportLabels(client, labels_);
  }
  v1::GetLabelReportRequest report;
  report.set_schema(schema_name_);
  report.set_set(set_);
  report.set_seed(seed_);
  return ShowLabelReport(client, report, json_);
}

}  // namespace gleaner::cli
