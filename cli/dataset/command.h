// `gleaner dataset …` on the command line.
#pragma once

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "cli/client.h"
#include "cli/dataset/dataset.h"

namespace gleaner::cli {

// Lives as long as the parser.
class DatasetCommand {
 public:
  // Adds the command and all below it to `app`; `json` is what --json sets.
  DatasetCommand(CLI::App& app, bool& json);
  bool parsed() const { return dataset_->parsed(); }
  absl::Status Run(Client& client);

 private:
  CLI::App* Command(const char* name, const char* help);

  bool& json_;
  CLI::App* dataset_;
  CLI::App *freeze_command_, *list_, *show_, *diff_, *export_command_, *verify_;
  std::string name_, other_;
  uint32_t limit_ = 20, changes_ = 100;
  bool no_wait_ = false;
  FreezeDatasetOptions freeze_;
  ExportDatasetOptions export_;
};

}  // namespace gleaner::cli
