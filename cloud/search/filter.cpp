#include "cloud/search/filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <tao/pegtl.hpp>

#include "absl/time/time.h"
#include "cloud/search/media_word.h"
#include "common/clip_key.h"
#include "common/clock.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

namespace pegtl = tao::pegtl;

struct Value {
  std::string text;
  size_t column;
};
struct RawTerm {
  bool negated = false;
  std::string key;
  size_t column = 0;
  std::string comparison;  // empty for ":"
  size_t comparison_column = 0;
  std::vector<Value> values;
};

// clang-format off
struct Dash : pegtl::one<'-'> {};
struct Key : pegtl::plus<pegtl::alpha> {};
struct Bare : pegtl::plus<pegtl::not_one<' ', '\t', ',', '"'>> {};
struct QuotedText : pegtl::star<pegtl::not_one<'"'>> {};
struct CloseQuote : pegtl::one<'"'> {};
struct Quoted : pegtl::if_must<pegtl::one<'"'>, QuotedText, CloseQuote> {};
struct ValueRule : pegtl::sor<Quoted, Bare> {};
struct Colon : pegtl::one<':'> {};
struct Values : pegtl::list_must<ValueRule, pegtl::one<','>> {};
struct Negation : pegtl::opt<Dash> {};
struct Comparison : pegtl::sor<pegtl::string<'<', '='>, pegtl::string<'>', '='>, pegtl::one<'<', '>'>> {};
struct Listed : pegtl::if_must<Colon, Values> {};
struct Number : Bare {};
struct Compared : pegtl::if_must<Comparison, Number> {};
struct Rest : pegtl::sor<Listed, Compared> {};
struct Term : pegtl::seq<Negation, pegtl::must<Key, Rest>> {};
struct Space : pegtl::plus<pegtl::one<' ', '\t'>> {};
struct TermEnd : pegtl::sor<Space, pegtl::at<pegtl::eof>> {};
struct Grammar : pegtl::must<pegtl::opt<Space>,
                             pegtl::until<pegtl::eof, Term, pegtl::must<TermEnd>>> {};
// clang-format on

template <typename Rule>
inline constexpr const char* kExpected = nullptr;
template <>
inline constexpr auto kExpected<Key> = "expected a key such as device";
template <>
inline constexpr auto kExpected<Rest> = "expected \":\" after the key";
template <>
inline constexpr auto kExpected<Number> = "expected a number to compare with";
template <>
inline constexpr auto kExpected<Values> = "expected a value after \":\"";
template <>
inline constexpr auto kExpected<ValueRule> = "expected a value after \",\"";
template <>
inline constexpr auto kExpected<QuotedText> = "expected text";
template <>
inline constexpr auto kExpected<CloseQuote> = "the quote is never closed";
template <>
inline constexpr auto kExpected<TermEnd> = "expected a space between terms";

struct Errors {
  template <typename Rule>
  static constexpr const char* message = kExpected<Rule>;
  template <typename Rule>
  static constexpr bool raise_on_failure = false;
};
template <typename Rule>
using Control = pegtl::must_if<Errors, pegtl::normal, false>::control<Rule>;

template <typename Rule>
struct Action {};
template <>
struct Action<Negation> {
  template <typename Input>
  static void apply(const Input& in, std::vector<RawTerm>& terms) {
    RawTerm& term = terms.emplace_back();
    term.negated = !in.empty();
  }
};
template <>
struct Action<Key> {
  template <typename Input>
  static void apply(const Input& in, std::vector<RawTerm>& terms) {
    terms.back().key = in.string();
    terms.back().column = in.position().byte + 1;
  }
};
struct AddValue {
  template <typename Input>
  static void apply(const Input& in, std::vector<RawTerm>& terms) {
    terms.back().values.push_back({in.string(), in.position().byte + 1});
  }
};
template <>
struct Action<Comparison> {
  template <typename Input>
  static void apply(const Input& in, std::vector<RawTerm>& terms) {
    terms.back().comparison = in.string();
    terms.back().comparison_column = in.position().byte + 1;
  }
};
template <>
struct Action<Bare> : AddValue {};
template <>
struct Action<Number> : AddValue {};
template <>
struct Action<QuotedText> : AddValue {};

absl::Status Mistake(size_t column, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("filter, column {}: {}", column, what));
}

struct KeyName {
  std::string_view name;
  FilterTerm::Key key;
};
constexpr std::array<KeyName, 16> kKeys = {{
    {"device", FilterTerm::Key::kDevice},
    {"site", FilterTerm::Key::kSite},
    {"rule", FilterTerm::Key::kRule},
    {"camera", FilterTerm::Key::kCamera},
    {"codec", FilterTerm::Key::kCodec},
    {"after", FilterTerm::Key::kAfter},
    {"before", FilterTerm::Key::kBefore},
    {"media", FilterTerm::Key::kMedia},
    {"id", FilterTerm::Key::kId},
    {"background", FilterTerm::Key::kBackground},
    {"reason", FilterTerm::Key::kReason},
    {"sharpness", FilterTerm::Key::kSharpness},
    {"exposure", FilterTerm::Key::kExposure},
    {"clipped", FilterTerm::Key::kClipped},
    {"blocked", FilterTerm::Key::kBlocked},
    {"motion", FilterTerm::Key::kMotion},
}};

bool IsOfFrames(FilterTerm::Key key) { return key >= FilterTerm::Key::kBackground; }
bool IsCompared(FilterTerm::Key key) { return key >= FilterTerm::Key::kSharpness; }

FilterTerm::Comparison ComparisonOf(std::string_view text) {
  using Comparison = FilterTerm::Comparison;
  if (text == "<") return Comparison::kLess;
  if (text == "<=") return Comparison::kLessOrEqual;
  return text == ">" ? Comparison::kMore : Comparison::kMoreOrEqual;
}

// A share, from 0 to 1.
std::optional<double> ParseShare(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // What isn't a number is in no range; a zero has no sign.
  return number >= 0 && number <= 1 ? std::optional(std::abs(number)) : std::nullopt;
}

// Unix nanoseconds that fit 64 bits: years 1970 to 2261.
std::optional<int64_t> ParseTime(const std::string& text, int64_t now_unix_ns) {
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

bool AllOf(std::string_view text, std::string_view letters) {
  return text.find_first_not_of(letters) == std::string_view::npos;
}

// Empty when `text` can be a value of `key`, else what is wrong and what would be right.
std::string WhatIsWrong(FilterTerm::Key key, std::string_view text) {
  switch (key) {
    case FilterTerm::Key::kSite:
      if (text.empty()) return "";
      [[fallthrough]];
    case FilterTerm::Key::kDevice:
    case FilterTerm::Key::kRule:
    case FilterTerm::Key::kCamera:
      return IsName(text) ? "" : NotAName(text);
    case FilterTerm::Key::kCodec:
      return !text.empty() && text.size() <= 32 &&
                     AllOf(text, "abcdefghijklmnopqrstuvwxyz0123456789_")
                 ? ""
                 : fmt::format("\"{}\": a codec is a name such as h264 or hevc", text);
    case FilterTerm::Key::kMedia:
      return text == "ok" || text == "failed" || text == "pending" || ReasonOf(text).has_value()
                 ? ""
                 : fmt::format(
                       "\"{}\": media is ok, failed, pending, damaged-frames, undecodable, "
                       "too-large, frame-count, times, mismatch, unreadable, worker-died or "
                       "cancelled",
                       text);
    case FilterTerm::Key::kId:
      return !text.empty() && text.size() <= kClipIdDigits && AllOf(text, "0123456789abcdef")
                 ? ""
                 : fmt::format("\"{}\": an id has {} hex digits, of which the first few will do",
                               text, kClipIdDigits);
    case FilterTerm::Key::kBackground:
      return text == "yes" || text == "no" || text == "unknown"
                 ? ""
                 : fmt::format("\"{}\": background is yes, no or unknown", text);
    case FilterTerm::Key::kReason:
      return text == "firing" || text == "peak" || text == "keyframe" || text == "evenly"
                 ? ""
                 : fmt::format("\"{}\": reason is firing, peak, keyframe or evenly", text);
    default:
      break;
  }
  return "";
}

absl::StatusOr<FilterTerm> CheckCompared(const RawTerm& raw, FilterTerm term) {
  if (!IsCompared(term.key)) {
    return Mistake(raw.comparison_column,
                   fmt::format("{} can't be compared: write {}:VALUE", raw.key, raw.key));
  }
  const auto number = ParseShare(raw.values[0].text);
  if (!number) {
    return Mistake(raw.values[0].column,
                   fmt::format("\"{}\": {} goes from 0 to 1", raw.values[0].text, raw.key));
  }
  term.comparison = ComparisonOf(raw.comparison);
  term.number = *number;
  return term;
}

absl::StatusOr<FilterTerm> Check(const RawTerm& raw, int64_t now_unix_ns, FilterOf of) {
  const auto* known = std::find_if(kKeys.begin(), kKeys.end(),
                                   [&](const KeyName& name) { return name.name == raw.key; });
  if (known == kKeys.end()) {
    return Mistake(
        raw.column,
        fmt::format("unknown key \"{}\"; keys are device, site, rule, camera, codec, "
                    "after, before, media, id{}",
                    raw.key,
                    of == FilterOf::kFrames ? ", background, reason, sharpness, exposure, clipped, "
                                              "blocked, motion"
                                            : ""));
  }
  FilterTerm term{.key = known->key, .negated = raw.negated};
  if (IsOfFrames(term.key) && of != FilterOf::kFrames) {
    return Mistake(raw.column,
                   fmt::format("{} is about frames, and clips are looked for: it works in `gleaner "
                               "frames list`",
                               raw.key));
  }
  if (!raw.comparison.empty()) return CheckCompared(raw, std::move(term));
  if (IsCompared(term.key)) {
    return Mistake(raw.column + raw.key.size(),
                   fmt::format("{0} is compared with a number: {0}<0.2", raw.key));
  }
  if (term.key == FilterTerm::Key::kAfter || term.key == FilterTerm::Key::kBefore) {
    if (raw.values.size() > 1) {
      return Mistake(raw.values[1].column, fmt::format("{} takes one time", raw.key));
    }
    const auto time = ParseTime(raw.values[0].text, now_unix_ns);
    if (!time) {
      return Mistake(raw.values[0].column,
                     fmt::format("\"{}\" is not a time: write 2026-11-22T08:00:00Z, 2026-11-22, or "
                                 "a span back from now such as 2h or 3d",
                                 raw.values[0].text));
    }
    term.unix_ns = *time;
    return term;
  }
  if (raw.values.size() > kMaxFilterValues) {
    return Mistake(raw.values[kMaxFilterValues].column,
                   fmt::format("more than {} values in one term", kMaxFilterValues));
  }
  for (const Value& value : raw.values) {
    if (const auto wrong = WhatIsWrong(term.key, value.text); !wrong.empty()) {
      return Mistake(value.column, wrong);
    }
    term.values.push_back(value.text);
  }
  return term;
}

}  // namespace

absl::StatusOr<Filter> ParseFilter(std::string_view text, int64_t now_unix_ns, FilterOf of) {
  if (text.size() > kMaxFilterBytes) {
    return Mistake(kMaxFilterBytes + 1,
                   fmt::format("a filter has at most {} bytes", kMaxFilterBytes));
  }
  std::vector<RawTerm> raw;
  pegtl::memory_input input(text.data(), text.size(), "filter");
  try {
    pegtl::parse<Grammar, Action, Control>(input, raw);
  } catch (const pegtl::parse_error& error) {
    return Mistake(error.positions().front().byte + 1, error.message());
  }
  if (raw.size() > kMaxFilterTerms) {
    return Mistake(raw[kMaxFilterTerms].column,
                   fmt::format("a filter has at most {} terms", kMaxFilterTerms));
  }
  Filter filter;
  for (const RawTerm& term : raw) {
    ASSIGN_OR_RETURN(FilterTerm checked, Check(term, now_unix_ns, of));
    filter.terms.push_back(std::move(checked));
  }
  return filter;
}

}  // namespace gleaner::cloud
