// What `gleaner select` does; see commands.h for what commands promise.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/client.h"

namespace gleaner::cli {

struct CreateSelectionOptions {
  std::string name, schema, filter, model, embedding_model;
  uint32_t budget = 20;
  std::vector<std::string> mix;  // "STRATEGY=SHARE", or "STRATEGY" for 1
  uint32_t per_site = 0, per_device = 0, per_cluster = 0;
  uint64_t seed = 0;
  bool wait = true;  // until it is chosen
  bool progress = false;
  bool json = false;
};
// Prints the selection with its picks, or, without waiting, the job.
absl::Status CreateSelection(Client& client, const CreateSelectionOptions& options);

absl::Status ListSelections(Client& client, uint32_t limit, bool json);
// `limit`: of its picks; 0 for all.
absl::Status ShowSelection(Client& client, const std::string& name, uint32_t limit, bool json);
absl::Status CompareSelections(Client& client, const std::string& from, const std::string& to,
                               bool json);
absl::Status ListStrategies(Client& client, bool json);

}  // namespace gleaner::cli
