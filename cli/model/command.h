// `gleaner models …` on the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/status.h"
#include "cli/client.h"

namespace gleaner::cli {

// Lives as long as the parser.
class ModelsCommand {
 public:
  // Adds the command and all below it to `app`; `json` is what --json sets.
  ModelsCommand(CLI::App& app, bool& json);
  bool parsed() const { return models_->parsed(); }
  absl::Status Run(Client& client);

 private:
  bool& json_;
  CLI::App *models_, *list_, *run_;
  std::string name_, filter_;
};

}  // namespace gleaner::cli
