#include "cloud/store/blob_place.h"

#include <fmt/format.h>

namespace gleaner::cloud {
namespace {

constexpr size_t kIdLetters = 32;
constexpr size_t kOffsetLetters = 8;

bool IsLowerHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

bool IsBlobId(std::string_view name) { return name.size() == kIdLetters && IsLowerHex(name); }

bool IsSegmentName(std::string_view name) {
  return name.size() == kSegmentNameLetters && IsLowerHex(name);
}

BlobId BlobPlace::id() const {
  return fmt::format("{}{:08x}{:012x}", segment, offset / kDiskBlockBytes, size);
}

absl::StatusOr<BlobPlace> PlaceOf(const BlobId& id) {
  if (!IsBlobId(id)) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is no blob's name", id));
  }
  return BlobPlace{
      .segment = id.substr(0, kSegmentNameLetters),
      .offset = std::stoull(id.substr(kSegmentNameLetters, kOffsetLetters), nullptr, 16) *
                kDiskBlockBytes,
      .size = std::stoull(id.substr(kSegmentNameLetters + kOffsetLetters), nullptr, 16)};
}

}  // namespace gleaner::cloud
