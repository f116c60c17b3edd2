// Bodies packed with zlib.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

std::string Gzip(std::string_view bytes);

// Undoes gzip (RFC 1952) and HTTP's deflate (which is zlib's format, RFC 1950). RESOURCE_EXHAUSTED
// as soon as more than `max_bytes` come out; INVALID_ARGUMENT for what is neither, is cut short or
// has something behind it.
absl::StatusOr<std::string> Unzip(std::string_view packed, size_t max_bytes);

}  // namespace gleaner::cloud
