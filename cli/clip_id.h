// Clips by their ids, or by how these begin.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cli/client.h"

namespace gleaner::cli {

// The whole id of the one clip whose id begins with `text`. INVALID_ARGUMENT if that can't begin
// an id, NOT_FOUND if no clip has such an id, FAILED_PRECONDITION with the candidates if several
// have. A whole id (20 hex digits) is returned without asking.
absl::StatusOr<std::string> FindClipId(Client& client, const std::string& text);

}  // namespace gleaner::cli
