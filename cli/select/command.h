// `gleaner select …` on the command line.
#pragma once

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "cli/client.h"
#include "cli/select/select.h"

namespace gleaner::cli {

// Lives as long as the parser.
class SelectCommand {
 public:
  // Adds the command and all below it to `app`; `json` is what --json sets.
  SelectCommand(CLI::App& app, bool& json);
  bool parsed() const { return select_->parsed(); }
  absl::Status Run(Client& client);

 private:
  CLI::App* Command(const char* name, const char* help);

  bool& json_;
  CLI::App* select_;
  CLI::App *create_, *list_, *show_, *compare_, *strategies_;
  std::string name_, other_;
  uint32_t limit_ = 20, picks_ = 0;
  bool no_wait_ = false;
  CreateSelectionOptions options_;
};

}  // namespace gleaner::cli
