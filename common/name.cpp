#include "common/name.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/printable.h"
#include "common/text.h"

namespace gleaner {
namespace {

constexpr size_t kMaxQuotedBytes = 80;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

// Not in the middle of a character.
std::string_view Cut(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes > 0 && (text[max_bytes] & 0xc0) == 0x80) --max_bytes;
  return text.substr(0, max_bytes);
}

}  // namespace

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), IsNameCharacter);
}

std::string NearestName(std::string_view text) {
  std::string name;
  for (const char c : text.substr(0, 4 * kMaxNameBytes)) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (IsNameCharacter(lower) && lower != '-') {
      name += lower;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  name.resize(std::min(name.size(), kMaxNameBytes));
  while (name.ends_with('-')) name.pop_back();
  return name;
}

std::string NotAName(std::string_view text, std::string_view remedy) {
  const std::string_view cut = Cut(text, kMaxQuotedBytes);
  const std::string nearest = NearestName(text);
  return fmt::format("\"{}{}\" is not a name ({}){}", Printable(cut),
                     cut.size() < text.size() ? "…" : "", kNameRule,
                     nearest.empty() ? "" : fmt::format(": {} \"{}\"", remedy, nearest));
}

}  // namespace gleaner
