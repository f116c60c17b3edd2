#include "edge/trigger/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <tao/pegtl.hpp>
#include <utility>

#include "absl/status/status.h"
#include "common/clock.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {
namespace {

namespace pegtl = tao::pegtl;
using Kind = Expression::Kind;
using Comparison = Expression::Comparison;

constexpr std::array<std::string_view, 6> kComparisons = {">", ">=", "<", "<=", "==", "!="};

// --- Grammar -----------------------------------------------------------------------------------

namespace grammar {

using namespace pegtl;  // NOLINT(google-build-using-namespace): what PEGTL's grammars look like

struct Blank : star<space> {};
template <typename Rule>
struct Token : seq<Rule, Blank> {};

// What may stand inside a name: a keyword or a number that such a character follows is neither.
struct NameChar : sor<ranges<'a', 'z', '0', '9'>, one<'-', '.', '_'>, range<'A', 'Z'>> {};
template <typename Word>
struct Keyword : Token<seq<Word, not_at<NameChar>>> {};
struct And : Keyword<TAO_PEGTL_STRING("and")> {};
struct Or : Keyword<TAO_PEGTL_STRING("or")> {};
struct Not : Keyword<TAO_PEGTL_STRING("not")> {};
struct Within : Keyword<TAO_PEGTL_STRING("within")> {};
struct Rising : Keyword<TAO_PEGTL_STRING("rising")> {};
struct Delta : Keyword<TAO_PEGTL_STRING("delta")> {};
struct In : Keyword<TAO_PEGTL_STRING("in")> {};
struct AnyKeyword : sor<And, Or, Not, Within, Rising, Delta, In> {};

struct Part : seq<not_at<one<'-'>>, plus<sor<ranges<'a', 'z', '0', '9'>, one<'-'>>>> {};
struct SignalText : seq<at<lower>, list<Part, one<'.'>>, not_at<NameChar>> {};
struct Signal : Token<seq<not_at<AnyKeyword>, SignalText>> {};

struct Exponent : seq<one<'e', 'E'>, opt<one<'+', '-'>>, plus<digit>> {};
struct Decimal : sor<seq<plus<digit>, opt<one<'.'>, star<digit>>>, seq<one<'.'>, plus<digit>>> {};
struct NumberText : seq<opt<one<'-', '+'>>, Decimal, opt<Exponent>> {};
struct Number : Token<seq<NumberText, not_at<NameChar>>> {};

struct TextChar : sor<seq<one<'\\'>, one<'"', '\\'>>,
                      seq<not_at<sor<range<0, 31>, one<'"', '\\', 127>>>, any>> {};
struct TextBody : star<TextChar> {};
struct Quote : one<'"'> {};
template <typename Body>
struct Quoted : Token<if_must<one<'"'>, Body, Quote>> {};
struct Text : Quoted<TextBody> {};
struct ListedBody : star<TextChar> {};
struct Listed : Quoted<ListedBody> {};

struct Amount : Decimal {};
struct Unit : sor<TAO_PEGTL_STRING("ms"), TAO_PEGTL_STRING("min"), one<'s'>> {};
struct DurationText : seq<Amount, Unit, not_at<NameChar>> {};
struct Duration : Token<DurationText> {};

struct Operator : sor<TAO_PEGTL_STRING(">="), TAO_PEGTL_STRING("<="), TAO_PEGTL_STRING("=="),
                      TAO_PEGTL_STRING("!="), one<'>'>, one<'<'>> {};
struct OperatorToken : Token<seq<not_at<Operator, one<'=', '<', '>'>>, Operator>> {};

struct Rule;
struct Open : Token<one<'('>> {};
struct Close : Token<one<')'>> {};
struct CloseCall : Token<one<')'>> {};
struct CloseList : Token<one<')'>> {};
struct Comma : Token<one<','>> {};

struct Measured : Signal {};
struct DeltaCall : if_must<Delta, Open, Measured, Comma, Duration, CloseCall> {};
struct Left : sor<Number, Text, DeltaCall, Signal> {};
struct Right : sor<Number, Text, DeltaCall, Signal> {};
struct NotChained : not_at<Operator> {};
struct InTail
    : seq<In, must<Open, Listed>, star<seq<Token<one<','>>, must<Listed>>>, must<CloseList>> {};
struct Comparing : seq<Left, sor<InTail, must<OperatorToken, Right, NotChained>>> {};

struct Group : if_must<Open, Rule, Close> {};
struct WithinCall : if_must<Within, Open, Duration, Comma, Rule, Close> {};
struct RisingCall : if_must<Rising, Open, Rule, Close> {};
struct Term;
struct Negation : if_must<Not, Term> {};
struct Term : sor<Group, Negation, WithinCall, RisingCall, Comparing> {};
struct AndTail : if_must<And, Term> {};
struct AllOf : seq<Term, star<AndTail>> {};
struct OrTail : if_must<Or, AllOf> {};
struct Rule : seq<AllOf, star<OrTail>> {};
struct Whole : seq<Blank, must<Rule>, must<eof>> {};

}  // namespace grammar

// What would be right where a rule of the grammar had to match and did not.
struct Expected {
  template <typename Rule>
  static constexpr const char* message = nullptr;
  template <typename Rule>
  static constexpr bool raise_on_failure = false;
};
constexpr char kCondition[] =
    "expected a comparison such as motion > 0.02, not, within(…), rising(…) or (";
template <>
constexpr const char* Expected::message<grammar::Rule> = kCondition;
template <>
constexpr const char* Expected::message<grammar::AllOf> = kCondition;
template <>
constexpr const char* Expected::message<grammar::Term> = kCondition;
template <>
constexpr const char* Expected::message<grammar::OperatorToken> =
    "expected one of > >= < <= == != in";
template <>
constexpr const char* Expected::message<grammar::Right> =
    "expected a number, a text in quotes or a signal";
template <>
constexpr const char* Expected::message<grammar::Measured> = "expected a signal";
template <>
constexpr const char* Expected::message<grammar::Listed> = "expected a text in quotes";
template <>
constexpr const char* Expected::message<grammar::CloseList> = "expected a comma or )";
template <>
constexpr const char* Expected::message<grammar::CloseCall> = "expected )";
template <>
constexpr const char* Expected::message<grammar::Quote> =
    "a text ends with a quote, and has no control characters";
template <>
constexpr const char* Expected::message<grammar::TextBody> = "expected a text";
template <>
constexpr const char* Expected::message<grammar::ListedBody> = "expected a text";
template <>
constexpr const char* Expected::message<grammar::NotChained> =
    "a comparison has two sides: write a < b and b < c";
template <>
constexpr const char* Expected::message<grammar::Open> = "expected (";
template <>
constexpr const char* Expected::message<grammar::Close> = "expected and, or, or )";
template <>
constexpr const char* Expected::message<grammar::Comma> = "expected a comma";
template <>
constexpr const char* Expected::message<grammar::Duration> =
    "expected a duration such as 250ms, 2s or 5min";
template <>
constexpr const char* Expected::message<pegtl::eof> = "expected and, or, or the end";

template <typename Rule>
using Control = pegtl::must_if<Expected>::control<Rule>;

// --- Tree --------------------------------------------------------------------------------------

struct Item {
  Expression expression;
  bool closed = true;  // false: an `and` or `or` that may still take operands
};

struct Builder {
  std::vector<Item> stack;
  int depth = 0;
  std::optional<Comparison> comparison;
  std::vector<std::string> listed;  // of the `in` at hand; empty for a comparison of two sides
  std::vector<int64_t> windows_ns;

  void Push(Expression expression) { stack.push_back({std::move(expression)}); }
  Expression Pop() {
    Expression top = std::move(stack.back().expression);
    stack.pop_back();
    return top;
  }
  // Folds the top into an open `kind` below it, or makes one of the two.
  void Join(Kind kind) {
    Expression right = Pop();
    if (stack.back().closed || stack.back().expression.kind != kind) {
      Expression joined{.kind = kind};
      joined.operands.push_back(Pop());
      stack.push_back({std::move(joined), false});
    }
    stack.back().expression.operands.push_back(std::move(right));
  }
};

// A mistake that the grammar alone doesn't see, at the start of `in`.
template <typename Input>
[[noreturn]] void Refuse(const Input& in, std::string message) {
  throw pegtl::parse_error(std::move(message), in.position());
}

template <typename Input>
uint32_t ColumnOf(const Input& in) {
  return static_cast<uint32_t>(in.position().byte + 1);
}

// What stands between the quotes.
template <typename Input>
std::string TextOf(const Input& in) {
  std::string text;
  const std::string_view written = in.string_view();
  for (size_t i = 0; i < written.size(); ++i) {
    if (written[i] == '\\') ++i;
    text += written[i];
  }
  if (text.size() > kMaxSampleTextBytes) {
    Refuse(in, fmt::format("a text has at most {} bytes", kMaxSampleTextBytes));
  }
  return text;
}

bool IsSignal(const Expression& operand) {
  return operand.kind == Kind::kSignal || operand.kind == Kind::kDelta;
}

std::string_view TrimEnd(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t\r\n\v\f") + 1);
}

std::optional<double> ToNumber(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

template <typename Rule>
struct Action : pegtl::nothing<Rule> {};

// Every nesting passes through a term.
template <>
struct Action<grammar::Term> : pegtl::maybe_nothing {
  template <typename Rule, pegtl::apply_mode A, pegtl::rewind_mode M,
            template <typename...> class Actions, template <typename...> class Controls,
            typename Input>
  static bool match(Input& in, Builder& builder) {
    if (builder.depth > kMaxExpressionDepth) {
      Refuse(in, fmt::format("nested deeper than {}", kMaxExpressionDepth));
    }
    ++builder.depth;
    const bool matched = pegtl::match<Rule, A, M, Actions, Controls>(in, builder);
    --builder.depth;
    return matched;
  }
};

template <>
struct Action<grammar::Number> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    const std::optional<double> number = ToNumber(TrimEnd(in.string_view()));
    if (!number) Refuse(in, "a number between -1.8e308 and 1.8e308 and not too near 0 is needed");
    builder.Push({.kind = Kind::kNumber, .number = *number});
  }
};

template <>
struct Action<grammar::Signal> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    builder.Push({.kind = Kind::kSignal,
                  .signal = std::string(TrimEnd(in.string_view())),
                  .column = ColumnOf(in)});
  }
};
template <>
struct Action<grammar::Measured> : Action<grammar::Signal> {};

template <>
struct Action<grammar::TextBody> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    builder.Push({.kind = Kind::kText, .text = TextOf(in), .column = ColumnOf(in) - 1});
  }
};

template <>
struct Action<grammar::ListedBody> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    builder.listed.push_back(TextOf(in));
  }
};

template <>
struct Action<grammar::DeltaCall> {
  static void apply0(Builder& builder) {
    Expression delta{.kind = Kind::kDelta, .window_ns = builder.windows_ns.back()};
    builder.windows_ns.pop_back();
    delta.operands.push_back(builder.Pop());
    builder.Push(std::move(delta));
  }
};

template <>
struct Action<grammar::Operator> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    const auto found = std::find(kComparisons.begin(), kComparisons.end(), in.string_view());
    builder.comparison = static_cast<Comparison>(found - kComparisons.begin());
  }
};

template <>
struct Action<grammar::Comparing> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    if (!builder.listed.empty()) return builder.Push(MakeIn(in, builder));
    Expression compare{.kind = Kind::kCompare, .comparison = *builder.comparison};
    Expression right = builder.Pop();
    compare.operands.push_back(builder.Pop());
    compare.operands.push_back(std::move(right));
    if (!IsSignal(compare.operands[0]) && !IsSignal(compare.operands[1])) {
      Refuse(in, "one side of a comparison must be a signal, such as motion");
    }
    builder.Push(std::move(compare));
  }

 private:
  template <typename Input>
  static Expression MakeIn(const Input& in, Builder& builder) {
    Expression one_of{.kind = Kind::kIn};
    one_of.operands.push_back(builder.Pop());
    if (one_of.operands[0].kind != Kind::kSignal) {
      Refuse(in, "before in stands a signal, such as barcode");
    }
    for (std::string& text : std::exchange(builder.listed, {})) {
      one_of.operands.push_back({.kind = Kind::kText, .text = std::move(text)});
    }
    return one_of;
  }
};

template <>
struct Action<grammar::DurationText> {
  template <typename Input>
  static void apply(const Input& in, Builder& builder) {
    const std::string_view text = in.string_view();
    const size_t digits = text.find_first_not_of("0123456789.");
    const std::string_view unit = text.substr(digits);
    const double scale = unit == "ms" ? 1 : unit == "s" ? 1e3 : 60e3;
    const double ms = ToNumber(text.substr(0, digits)).value_or(0) * scale;
    constexpr int64_t kMaxMs = kMaxWithinNs / kNanosPerMilli;
    if (!(ms >= 1 && ms <= static_cast<double>(kMaxMs)) || std::abs(ms - std::round(ms)) > 1e-6) {
      Refuse(in, "a duration is 1ms to 10min, in whole milliseconds");
    }
    builder.windows_ns.push_back(std::llround(ms) * kNanosPerMilli);
  }
};

template <>
struct Action<grammar::Group> {
  static void apply0(Builder& builder) { builder.stack.back().closed = true; }
};

template <>
struct Action<grammar::Negation> {
  static void apply0(Builder& builder) {
    Expression negation{.kind = Kind::kNot};
    negation.operands.push_back(builder.Pop());
    builder.Push(std::move(negation));
  }
};

template <>
struct Action<grammar::WithinCall> {
  static void apply0(Builder& builder) {
    Expression within{.kind = Kind::kWithin, .window_ns = builder.windows_ns.back()};
    builder.windows_ns.pop_back();
    within.operands.push_back(builder.Pop());
    builder.Push(std::move(within));
  }
};

template <>
struct Action<grammar::RisingCall> {
  static void apply0(Builder& builder) {
    Expression rising{.kind = Kind::kRising};
    rising.operands.push_back(builder.Pop());
    builder.Push(std::move(rising));
  }
};

template <>
struct Action<grammar::AndTail> {
  static void apply0(Builder& builder) { builder.Join(Kind::kAnd); }
};

template <>
struct Action<grammar::OrTail> {
  static void apply0(Builder& builder) { builder.Join(Kind::kOr); }
};

// The token at `offset`, quoted for people.
std::string Found(std::string_view text, size_t offset) {
  if (offset >= text.size()) return "the end";
  const auto run = [&](auto belongs) {
    size_t end = offset;
    while (end < text.size() && end - offset < 32 && belongs(text[end])) ++end;
    return text.substr(offset, end - offset);
  };
  std::string_view token = run([](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
  });
  if (token.empty()) {
    token =
        run([](char c) { return std::string_view("<>=!&|").find(c) != std::string_view::npos; });
  }
  if (token.empty()) token = text.substr(offset, 1);
  const auto byte = static_cast<unsigned char>(token[0]);
  if (byte < 0x20 || byte > 0x7e) return fmt::format("byte 0x{:02x}", byte);
  return fmt::format("\"{}\"", token);
}

// --- Printing ----------------------------------------------------------------------------------

// How tightly a kind binds: an operand that binds no tighter than its parent is put in parentheses.
int Binding(Kind kind) {
  switch (kind) {
    case Kind::kOr:
      return 0;
    case Kind::kAnd:
      return 1;
    default:
      return 2;
  }
}

void PrintText(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

std::string Duration(int64_t ns) {
  const int64_t ms = ns / kNanosPerMilli;
  return ms % 60'000 == 0  ? fmt::format("{}min", ms / 60'000)
         : ms % 1'000 == 0 ? fmt::format("{}s", ms / 1'000)
                           : fmt::format("{}ms", ms);
}

void Print(const Expression& expression, std::string& out) {
  const auto joined = [&](std::string_view word) {
    for (size_t i = 0; i < expression.operands.size(); ++i) {
      const Expression& operand = expression.operands[i];
      if (i > 0) out.append(fmt::format(" {} ", word));
      const bool group = Binding(operand.kind) <= Binding(expression.kind);
      if (group) out += '(';
      Print(operand, out);
      if (group) out += ')';
    }
  };
  switch (expression.kind) {
    case Kind::kNumber:
      out += fmt::format("{}", expression.number);
      break;
    case Kind::kText:
      PrintText(expression.text, out);
      break;
    case Kind::kSignal:
      out += expression.signal;
      break;
    case Kind::kDelta:
      out += "delta(";
      Print(expression.operands[0], out);
      out += fmt::format(", {})", Duration(expression.window_ns));
      break;
    case Kind::kIn:
      Print(expression.operands[0], out);
      out += " in (";
      for (size_t i = 1; i < expression.operands.size(); ++i) {
        if (i > 1) out += ", ";
        Print(expression.operands[i], out);
      }
      out += ')';
      break;
    case Kind::kCompare:
      Print(expression.operands[0], out);
      out += fmt::format(" {} ", kComparisons[static_cast<size_t>(expression.comparison)]);
      Print(expression.operands[1], out);
      break;
    case Kind::kAnd:
      joined("and");
      break;
    case Kind::kOr:
      joined("or");
      break;
    case Kind::kNot: {
      const bool group = Binding(expression.operands[0].kind) < 2;
      out += group ? "not (" : "not ";
      Print(expression.operands[0], out);
      if (group) out += ')';
      break;
    }
    case Kind::kWithin:
      out += fmt::format("within({}, ", Duration(expression.window_ns));
      Print(expression.operands[0], out);
      out += ')';
      break;
    case Kind::kRising:
      out += "rising(";
      Print(expression.operands[0], out);
      out += ')';
      break;
  }
}

void CollectSignals(const Expression& expression, std::vector<std::string>& names) {
  if (expression.kind == Kind::kSignal) names.push_back(expression.signal);
  for (const Expression& operand : expression.operands) CollectSignals(operand, names);
}

}  // namespace

bool Expression::operator==(const Expression& other) const {
  return kind == other.kind && number == other.number && signal == other.signal &&
         text == other.text && comparison == other.comparison && window_ns == other.window_ns &&
         operands == other.operands;
}

absl::StatusOr<Expression> ParseExpression(std::string_view text) {
  if (text.size() > kMaxExpressionBytes) {
    return absl::InvalidArgumentError(
        fmt::format("{} bytes long; a rule has at most {}", text.size(), kMaxExpressionBytes));
  }
  pegtl::memory_input in(text.data(), text.size(), "");
  Builder builder;
  try {
    pegtl::parse<grammar::Whole, Action, Control>(in, builder);
  } catch (const pegtl::parse_error& error) {
    const size_t offset = error.positions().front().byte;
    return absl::InvalidArgumentError(
        fmt::format("column {}: found {}; {}", offset + 1, Found(text, offset), error.message()));
  }
  return builder.Pop();
}

std::string ToText(const Expression& expression) {
  std::string out;
  Print(expression, out);
  return out;
}

std::vector<std::string> SignalNames(const Expression& expression) {
  std::vector<std::string> names;
  CollectSignals(expression, names);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool SignalMatches(std::string_view written, std::string_view qualified) {
  return written == qualified || written == ShortSignalName(qualified);
}

}  // namespace gleaner::edge
