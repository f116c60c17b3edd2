// `gleaner release …` on the command line.
#pragma once

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "cli/release/release.h"

namespace gleaner::cli {

// Lives as long as the parser.
class ReleaseCommand {
 public:
  // Adds the command and all below it to `app`; `json` is what --json sets, `ca` what --ca does.
  ReleaseCommand(CLI::App& app, bool& json, const std::string& ca);
  bool parsed() const { return release_->parsed(); }
  absl::Status Run();

 private:
  bool& json_;
  const std::string& ca_;
  CLI::App* release_;
  CLI::App *keygen_, *init_, *rotate_, *add_, *remove_, *sign_, *discard_, *refresh_, *verify_,
      *show_;
  std::vector<std::string> files_;
  std::string repository_;
  std::string role_;
  DraftRootOptions draft_;
  AddTargetsOptions targets_;
  RefreshOptions online_;
  VerifyOptions check_;
};

}  // namespace gleaner::cli
