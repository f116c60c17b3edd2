#include "cloud/http/http_message.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace gleaner::cloud {
namespace {

// Debian's Abseil has a string_view of its own in some builds.
bool SameName(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

}  // namespace

size_t HttpHeaders::Count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(fields_.begin(), fields_.end(), [&](const Field& field) {
    return SameName(field.first, name);
  }));
}

const std::string& HttpHeaders::Get(std::string_view name) const {
  static const std::string kNone;
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const Field& field) { return SameName(field.first, name); });
  return found == fields_.end() ? kNone : found->second;
}

void HttpHeaders::Add(std::string_view name, std::string_view value) {
  fields_.emplace_back(name, value);
}

void HttpHeaders::Set(std::string_view name, std::string_view value) {
  Remove(name);
  Add(name, value);
}

void HttpHeaders::Remove(std::string_view name) {
  std::erase_if(fields_, [&](const Field& field) { return SameName(field.first, name); });
}

}  // namespace gleaner::cloud
