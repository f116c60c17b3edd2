#include "cloud/http/byte_range.h"

#include <algorithm>
#include <charconv>

namespace gleaner::cloud {
namespace {

bool ParseNumber(std::string_view text, uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

ByteRange ParseRange(std::string_view header, uint64_t size) {
  static constexpr std::string_view kUnit = "bytes=";
  const ByteRange whole{ByteRange::Kind::kWhole, 0, size};
  const ByteRange none{ByteRange::Kind::kUnsatisfiable, 0, 0};
  if (!header.starts_with(kUnit)) return whole;
  header.remove_prefix(kUnit.size());
  const size_t dash = header.find('-');
  if (dash == std::string_view::npos) return whole;
  const std::string_view first_text = header.substr(0, dash);
  const std::string_view last_text = header.substr(dash + 1);
  uint64_t first = 0, last = size - 1;
  if (first_text.empty()) {
    uint64_t suffix = 0;
    if (!ParseNumber(last_text, &suffix)) return whole;
    if (suffix == 0 || size == 0) return none;
    suffix = std::min(suffix, size);
    return {ByteRange::Kind::kPart, size - suffix, suffix};
  }
  if (!ParseNumber(first_text, &first)) return whole;
  if (!last_text.empty() && (!ParseNumber(last_text, &last) || last < first)) return whole;
  if (first >= size) return none;
  return {ByteRange::Kind::kPart, first, std::min(last, size - 1) - first + 1};
}

}  // namespace gleaner::cloud
