#include "cloud/search/filter_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/name.h"

namespace gleaner::cloud {
namespace {

// "yes, no or unknown"
std::string Either(const std::vector<std::string>& words) {
  std::string text = words[0];
  for (size_t i = 1; i < words.size(); ++i) {
    text += (i + 1 == words.size() ? " or " : ", ") + words[i];
  }
  return text;
}

}  // namespace

std::string WhatIsWrong(const FilterWord& word, std::string_view text) {
  if (word.wrong) return word.wrong(text);
  if (word.value != FilterWord::Value::kOneOf) return IsName(text) ? "" : NotAName(text);
  return std::find(word.one_of.begin(), word.one_of.end(), text) != word.one_of.end()
             ? ""
             : fmt::format("\"{}\": {} is {}", text, word.key, Either(word.one_of));
}

std::optional<double> ParseNumber(const FilterWord& word, std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  const bool fits =
      word.value == FilterWord::Value::kNumber ? std::isfinite(number) : number >= 0 && number <= 1;
  if (!fits) return std::nullopt;   // also what isn't a number
  return number == 0 ? 0 : number;  // a zero has no sign
}

std::optional<int64_t> ParseMoment(const std::string& text, int64_t now_unix_ns) {
  constexpr std::string_view kUnits = "smhdw";
  constexpr std::array<int64_t, 5> kSeconds = {1, 60, 3600, 86400, 7 * 86400};
  const size_t digits = text.find_first_not_of("0123456789");
  if (digits != std::string::npos && digits > 0 && digits <= 6 && digits + 1 == text.size()) {
    const size_t unit = kUnits.find(text.back());
    if (unit == std::string_view::npos) return std::nullopt;
    const int64_t seconds = std::stoll(text.substr(0, digits)) * kSeconds[unit];
    if (seconds > std::numeric_limits<int64_t>::max() / kNanosPerSecond) return std::nullopt;
    return std::max<int64_t>(0, now_unix_ns - seconds * kNanosPerSecond);
  }
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error) &&
      !absl::ParseTime("%Y-%m-%d", text, &time, &error)) {
    return std::nullopt;
  }
  if (time < absl::UnixEpoch() || time > absl::FromUnixNanos(std::numeric_limits<int64_t>::max())) {
    return std::nullopt;
  }
  return absl::ToUnixNanos(time);
}

}  // namespace gleaner::cloud
