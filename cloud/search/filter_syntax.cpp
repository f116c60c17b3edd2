#include "cloud/search/filter_syntax.h"

#include <fmt/format.h>

#include <tao/pegtl.hpp>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

namespace pegtl = tao::pegtl;

// clang-format off
struct Space : pegtl::plus<pegtl::one<' ', '\t'>> {};
struct OptSpace : pegtl::opt<Space> {};
struct Open : pegtl::one<'('> {};
struct Close : pegtl::one<')'> {};
struct Dash : pegtl::one<'-'> {};
struct WordEnd : pegtl::at<pegtl::sor<pegtl::one<' ', '\t', '(', ')'>, pegtl::eof>> {};
struct Or : pegtl::seq<pegtl::string<'o', 'r'>, WordEnd> {};
struct NotHere : pegtl::sor<pegtl::string<'a', 'n', 'd'>, pegtl::string<'A', 'N', 'D'>,
                            pegtl::string<'n', 'o', 't'>, pegtl::string<'N', 'O', 'T'>,
                            pegtl::string<'O', 'R'>> {};
struct Stranger : pegtl::seq<NotHere, WordEnd> {};

struct Key : pegtl::plus<pegtl::alpha> {};
struct Bare : pegtl::plus<pegtl::not_one<' ', '\t', ',', '"', '<', '>', '(', ')'>> {};
struct QuotedText : pegtl::star<pegtl::not_one<'"'>> {};
struct CloseQuote : pegtl::one<'"'> {};
struct Quoted : pegtl::if_must<pegtl::one<'"'>, QuotedText, CloseQuote> {};
struct ValueRule : pegtl::sor<Quoted, Bare> {};
struct Colon : pegtl::one<':'> {};
struct Values : pegtl::list_must<ValueRule, pegtl::one<','>> {};
struct Comparison : pegtl::sor<pegtl::string<'<', '='>, pegtl::string<'>', '='>, pegtl::one<'<', '>'>> {};
struct Number : Bare {};
struct Compared : pegtl::if_must<Comparison, Number> {};
struct Listed : pegtl::if_must<Colon, Values, pegtl::opt<Compared>> {};
struct Rest : pegtl::sor<Listed, Compared> {};

struct Any;
struct NoStranger : pegtl::not_at<Stranger> {};
struct NoOr : pegtl::not_at<Or> {};
struct Named : pegtl::seq<Key, pegtl::must<Rest>> {};
struct Group : pegtl::if_must<Open, OptSpace, Any, Close> {};
struct Operand : pegtl::sor<Group, Named> {};
struct Negation : pegtl::opt<Dash> {};
struct TermEnd : pegtl::sor<Space, pegtl::at<Close>, pegtl::at<pegtl::eof>> {};
struct Term : pegtl::seq<Negation, pegtl::must<NoOr, NoStranger, Operand, TermEnd>> {};
struct AllEnd : pegtl::sor<pegtl::eof, Close, Or> {};
struct All : pegtl::seq<Term, pegtl::star<pegtl::not_at<AllEnd>, Term>> {};
struct Any : pegtl::seq<All, pegtl::star<Or, OptSpace, All>> {};
struct End : pegtl::eof {};
struct Grammar : pegtl::seq<OptSpace, pegtl::sor<pegtl::eof, pegtl::seq<Any, pegtl::must<End>>>> {};
// clang-format on

template <typename Rule>
inline constexpr const char* kExpected = nullptr;
template <>
inline constexpr auto kExpected<Operand> = "expected a key such as device";
template <>
inline constexpr auto kExpected<NoOr> =
    "expected a key such as device: \"or\" stands between terms";
template <>
inline constexpr auto kExpected<NoStranger> =
    "terms side by side must all hold, \"or\" between them means either, \"-\" before one negates";
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
template <>
inline constexpr auto kExpected<OptSpace> = "expected a term";
template <>
inline constexpr auto kExpected<pegtl::opt<Compared>> = "expected a comparison";
template <>
inline constexpr auto kExpected<Any> = "expected a term";
template <>
inline constexpr auto kExpected<Close> = "the parenthesis is never closed";
template <>
inline constexpr auto kExpected<End> = "there is no parenthesis that this one closes";

struct Errors {
  template <typename Rule>
  static constexpr const char* message = kExpected<Rule>;
  template <typename Rule>
  static constexpr bool raise_on_failure = false;
};
template <typename Rule>
using Control = pegtl::must_if<Errors, pegtl::normal, false>::control<Rule>;

// The tree as it grows: a level for each parenthesis that is open.
class Builder {
 public:
  std::vector<RawTerm> terms;

  void Negate(bool so) { negated_ = so; }
  void AddTerm(std::string key, size_t column) {
    terms.push_back({.key = std::move(key), .column = column});
    Add({.kind = RawNode::Kind::kTerm, .negated = negated_, .term = terms.size() - 1});
  }
  void Open() { levels_.push_back({.negated = negated_}); }
  void Or() { levels_.back().either.emplace_back(); }
  void Close() {
    RawNode node = Take(levels_.back());
    levels_.pop_back();
    Add(std::move(node));
  }
  RawNode Root() { return Take(levels_.back()); }

 private:
  struct Level {
    bool negated = false;
    std::vector<std::vector<RawNode>> either = std::vector<std::vector<RawNode>>(1);
  };

  void Add(RawNode node) { levels_.back().either.back().push_back(std::move(node)); }
  // One part alone is that part.
  static RawNode Join(RawNode::Kind kind, std::vector<RawNode> parts) {
    if (parts.size() == 1) return std::move(parts[0]);
    return {.kind = kind, .parts = std::move(parts)};
  }
  static RawNode Take(Level& level) {
    std::vector<RawNode> either;
    for (auto& parts : level.either) either.push_back(Join(RawNode::Kind::kAll, std::move(parts)));
    RawNode node = Join(RawNode::Kind::kAny, std::move(either));
    if (level.negated) node.negated = !node.negated;
    return node;
  }

  bool negated_ = false;
  std::vector<Level> levels_ = std::vector<Level>(1);
};

template <typename Rule>
struct Action {};
template <>
struct Action<Negation> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    builder.Negate(!in.empty());
  }
};
template <>
struct Action<Open> {
  static void apply0(Builder& builder) { builder.Open(); }
};
template <>
struct Action<Close> {
  static void apply0(Builder& builder) { builder.Close(); }
};
template <>
struct Action<Or> {
  static void apply0(Builder& builder) { builder.Or(); }
};
template <>
struct Action<Key> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    builder.AddTerm(in.string(), in.position().byte + 1);
  }
};
struct AddValue {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    builder.terms.back().values.push_back({in.string(), in.position().byte + 1});
  }
};
template <>
struct Action<Bare> : AddValue {};
template <>
struct Action<QuotedText> : AddValue {};
template <>
struct Action<Comparison> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    builder.terms.back().comparison = in.string();
    builder.terms.back().comparison_column = in.position().byte + 1;
  }
};
template <>
struct Action<Number> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    builder.terms.back().number = {in.string(), in.position().byte + 1};
  }
};

// Before the grammar, whose rules call each other, sees them.
absl::Status CheckDepth(std::string_view text) {
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted) continue;
    if (text[i] == '(' && ++depth > kMaxFilterDepth) {
      return FilterMistake(i + 1,
                           fmt::format("at most {} parentheses in each other", kMaxFilterDepth));
    }
    if (text[i] == ')' && depth > 0) --depth;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FilterMistake(size_t column, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("filter, column {}: {}", column, what));
}

absl::StatusOr<FilterSyntax> ReadSyntax(std::string_view text) {
  if (text.size() > kMaxFilterBytes) {
    return FilterMistake(kMaxFilterBytes + 1,
                         fmt::format("a filter has at most {} bytes", kMaxFilterBytes));
  }
  RETURN_IF_ERROR(CheckDepth(text));
  Builder builder;
  pegtl::memory_input input(text.data(), text.size(), "filter");
  try {
    pegtl::parse<Grammar, Action, Control>(input, builder);
  } catch (const pegtl::parse_error& error) {
    return FilterMistake(error.positions().front().byte + 1, error.message());
  }
  if (builder.terms.size() > kMaxFilterTerms) {
    return FilterMistake(builder.terms[kMaxFilterTerms].column,
                         fmt::format("a filter has at most {} terms", kMaxFilterTerms));
  }
  FilterSyntax syntax;
  syntax.root = builder.Root();
  syntax.terms = std::move(builder.terms);
  return syntax;
}

}  // namespace gleaner::cloud
