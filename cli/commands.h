// What `gleaner` can do. Each command prints to standard output and returns an error that is a
// sentence for people.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "cli/client.h"

namespace gleaner::cli {

absl::Status ShowSummary(Client& client, bool json);
// All, or the one of that `name` with what is told of devices one by one. NOT_FOUND for an unknown
// name.
absl::Status ListDevices(Client& client, const std::string& name, bool json);

struct ListClipsOptions {
  std::string filter;
  uint32_t limit = 20;  // 0 = all
  bool json = false;
};
absl::Status ListClips(Client& client, const ListClipsOptions& options);

absl::Status ShowClip(Client& client, const std::string& id, bool json);

// Fetches the manifest and every object of a clip into `directory`/`id`, checks each SHA-256, and
// names a file only once it is right. `progress`: draw it on standard error.
absl::Status GetClip(Client& client, const std::string& id, const std::string& directory,
                     bool progress);

}  // namespace gleaner::cli
