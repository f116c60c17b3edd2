// The address of a local socket. One has room for 107 bytes only, and the path of a folder may be
// longer, so it goes by way of the open folder.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string_view>

#include "absl/status/statusor.h"
#include "common/file.h"

namespace gleaner {

// Of `name` in `folder`, for bind(2), connect(2) and sendto(2) of this process while `folder` is
// open. INVALID_ARGUMENT for a name that is empty or has no room.
absl::StatusOr<sockaddr_un> UnixAddress(const Fd& folder, std::string_view name);

}  // namespace gleaner
