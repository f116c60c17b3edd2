// `gleaner label …` on the command line.
#pragma once

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "cli/client.h"
#include "cli/label/label.h"

namespace gleaner::cli {

// Lives as long as the parser.
class LabelCommand {
 public:
  // Adds the command and all below it to `app`; `json` is what --json sets.
  LabelCommand(CLI::App& app, bool& json);
  bool parsed() const { return label_->parsed(); }
  absl::Status Run(Client& client);

 private:
  void AddSchemas();
  void AddTasks();
  CLI::App* Command(CLI::App* above, const char* name, const char* help);

  bool& json_;
  CLI::App* label_;
  CLI::App *schema_create_, *schema_list_, *schema_show_, *tasks_create_, *tasks_list_,
      *tasks_requeue_, *predictions_import_, *import_, *report_command_;
  CreateSchemaOptions schema_;
  uint32_t version_ = 0;
  v1::CreateTasksRequest tasks_;
  // Where the parser puts what goes into tasks_ and report_.
  std::string schema_name_, filter_, model_;
  uint32_t most_ = 1'000, limit_ = 20;
  int32_t priority_ = 0;
  bool also_labelled_ = false;
  double control_ = 0, known_wrong_ = 0, pairs_ = 0, likely_errors_ = 0;
  uint64_t seed_ = 0, set_ = 0;
  std::vector<uint64_t> requeued_;
  ImportPredictionsOptions predictions_;
  ImportLabelsOptions labels_;
};

}  // namespace gleaner::cli
