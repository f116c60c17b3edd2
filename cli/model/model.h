// What `gleaner models` can do: see commands.h.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "cli/client.h"

namespace gleaner::cli {

// The server's models, and why one of them can't run.
absl::Status ListModels(Client& client, bool json);

// Has a model look at the frames of clips that are there already. Prints a mistake in the filter
// with its place.
absl::Status RunModel(Client& client, const std::string& name, const std::string& filter,
                      bool json);

}  // namespace gleaner::cli
