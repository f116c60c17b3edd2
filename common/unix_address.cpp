#include "common/unix_address.h"

#include <fmt/format.h>

#include <cstring>
#include <string>

namespace gleaner {

absl::StatusOr<sockaddr_un> UnixAddress(const Fd& folder, std::string_view name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", folder.get(), name);
  if (name.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" can't be the name of a socket", name));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace gleaner
