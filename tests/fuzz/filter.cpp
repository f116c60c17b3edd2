// A filter, as it comes with a link.
#include "cloud/search/filter.h"

#include <fmt/format.h>

#include <array>

#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/name.h"
#include "common/status.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

using cloud::FilterTerm;
using Key = FilterTerm::Key;

std::vector<std::string> Seeds() { return {}; }

namespace {

constexpr int64_t kNow = 1'795'334'400 * kNanosPerSecond;  // 2026-11-22T08:00:00Z

void RequireSound(const FilterTerm& term) {
  if (term.key == Key::kAfter || term.key == Key::kBefore) {
    REQUIRE(term.values.empty() && term.unix_ns >= 0);
    return;
  }
  if (term.comparison != FilterTerm::Comparison::kNone) {
    REQUIRE(term.key >= Key::kSharpness && term.values.empty());
    REQUIRE(term.number >= 0 && term.number <= 1);
    return;
  }
  REQUIRE(term.key < Key::kSharpness);
  REQUIRE(!term.values.empty() && term.values.size() <= cloud::kMaxFilterValues);
  for (const std::string& value : term.values) {
    // None of them needs quoting, whatever it is put into.
    REQUIRE(value.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos);
    const bool is_name = term.key == Key::kDevice || term.key == Key::kRule ||
                         term.key == Key::kCamera || (term.key == Key::kSite && !value.empty());
    REQUIRE(!is_name || IsName(value));
    REQUIRE(term.key != Key::kId || (!value.empty() && value.size() <= 20));
  }
}

std::string ToText(const FilterTerm& term) {
  static constexpr std::array<std::string_view, 16> kNames = {
      "device", "site",       "rule",   "camera",    "codec",    "after",   "before",  "media",
      "id",     "background", "reason", "sharpness", "exposure", "clipped", "blocked", "motion"};
  if (term.comparison != FilterTerm::Comparison::kNone) {
    static constexpr std::array<std::string_view, 5> kComparisons = {"", "<", "<=", ">", ">="};
    return fmt::format("{}{}{}{}", term.negated ? "-" : "", kNames[static_cast<size_t>(term.key)],
                       kComparisons[static_cast<size_t>(term.comparison)], term.number);
  }
  const std::string value =
      term.key == Key::kAfter || term.key == Key::kBefore
          ? absl::FormatTime(absl::RFC3339_full, absl::FromUnixNanos(term.unix_ns),
                             absl::UTCTimeZone())
          : fmt::format("\"{}\"", absl::StrJoin(term.values, "\",\""));
  return fmt::format("{}{}:{}", term.negated ? "-" : "", kNames[static_cast<size_t>(term.key)],
                     value);
}

bool Same(const FilterTerm& a, const FilterTerm& b) {
  return a.key == b.key && a.negated == b.negated && a.values == b.values &&
         a.unix_ns == b.unix_ns && a.comparison == b.comparison && a.number == b.number;
}

// "filter, column 8: …": a place in the text, or just behind it.
void RequireColumn(std::string_view message, size_t size) {
  size_t column = 0;
  REQUIRE(std::sscanf(std::string(message).c_str(), "filter, column %zu:", &column) == 1);
  REQUIRE(column >= 1 && column <= size + 1);
}

}  // namespace
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const auto filter =
      cloud::ParseFilter(fuzz::AsText(data, size), fuzz::kNow, cloud::FilterOf::kFrames);
  if (!filter.ok()) {
    REQUIRE(absl::IsInvalidArgument(filter.status()));
    fuzz::RequireColumn(Message(filter.status()), size);
    return 0;
  }
  ++fuzz::accepted;
  REQUIRE(filter->terms.size() <= cloud::kMaxFilterTerms);
  // Each by itself: quotes could make all of them together longer than a filter may be.
  for (const cloud::FilterTerm& term : filter->terms) {
    fuzz::RequireSound(term);
    const std::string text = fuzz::ToText(term);
    if (text.size() > cloud::kMaxFilterBytes) continue;
    const auto again = cloud::ParseFilter(text, fuzz::kNow, cloud::FilterOf::kFrames);
    REQUIRE(again.ok() && again->terms.size() == 1 && fuzz::Same(again->terms[0], term));
  }
  return 0;
}
