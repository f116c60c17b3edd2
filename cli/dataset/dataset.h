// What `gleaner dataset` does; see commands.h for what commands promise.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/client.h"

namespace gleaner::cli {

struct FreezeDatasetOptions {
  std::string name, schema, filter;
  std::string least_role;  // annotator, operator or admin; empty: annotator
  bool leave_out_empty = false;
  uint64_t most = 0, seed = 0;
  bool wait = true;  // until it is frozen
  bool progress = false;
  bool json = false;
};
// Prints the card, or, without waiting, the job.
absl::Status FreezeDataset(Client& client, const FreezeDatasetOptions& options);

absl::Status ListDatasets(Client& client, uint32_t limit, bool json);
absl::Status ShowDataset(Client& client, const std::string& name, bool json);
absl::Status DiffDatasets(Client& client, const std::string& from, const std::string& to,
                          uint32_t limit, bool json);
// The server reads the frozen list again and computes its root anew.
absl::Status VerifyDataset(Client& client, const std::string& name, bool json);

struct ExportDatasetOptions {
  std::string name, format;
  std::vector<std::string> splits;
  uint64_t shard_bytes = 0;
  std::string directory = ".";
  bool urls = false;  // print them and fetch nothing
  bool overwrite = false;
  bool progress = false;
  bool json = false;
};
// Has it made, and fetches its files, each SHA-256 checked; what is there already isn't fetched
// again, and what broke off is gone on with.
absl::Status ExportDataset(Client& client, const ExportDatasetOptions& options);

}  // namespace gleaner::cli
