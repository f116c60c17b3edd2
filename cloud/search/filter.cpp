#include "cloud/search/filter.h"

#include <fmt/format.h>

#include "absl/time/time.h"
#include "cloud/search/filter_value.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using Value = FilterWord::Value;

FilterTerm::Comparison ComparisonOf(std::string_view text) {
  using Comparison = FilterTerm::Comparison;
  if (text == "<") return Comparison::kLess;
  if (text == "<=") return Comparison::kLessOrEqual;
  return text == ">" ? Comparison::kMore : Comparison::kMoreOrEqual;
}

absl::Status UnknownKey(const RawTerm& raw, const Vocabulary& words, FilterOf of) {
  if (of == FilterOf::kClips && words.Find(raw.key, FilterOf::kFrames) != nullptr) {
    return FilterMistake(raw.column,
                         fmt::format("{} is about frames, and clips are looked for: it works in "
                                     "`gleaner frames list`",
                                     raw.key));
  }
  const std::string nearest = words.Nearest(raw.key, of);
  return FilterMistake(
      raw.column, fmt::format("unknown key \"{}\"{}; keys are {}", raw.key,
                              nearest.empty() ? "" : fmt::format(", did you mean \"{}\"?", nearest),
                              words.Keys(of)));
}

absl::Status TakeComparison(const RawTerm& raw, FilterTerm* term) {
  const FilterWord& word = *term->word;
  const bool alone = word.value == Value::kShare || word.value == Value::kNumber;
  if (raw.comparison.empty()) {
    if (!alone) return absl::OkStatus();
    return FilterMistake(raw.column + raw.key.size(),
                         fmt::format("{} is compared with a number: {}", raw.key, word.example));
  }
  if (!alone && word.value != Value::kClass) {
    return FilterMistake(raw.comparison_column,
                         fmt::format("{0} can't be compared: write {0}:VALUE", raw.key));
  }
  if (alone != raw.values.empty()) {
    return FilterMistake(
        alone ? raw.column + raw.key.size() : raw.comparison_column,
        alone ? fmt::format("{} is compared with a number: {}", raw.key, word.example)
              : fmt::format("{} needs a value before the comparison: {}", raw.key, word.example));
  }
  const auto number = ParseNumber(word, raw.number.text);
  if (!number) {
    return FilterMistake(raw.number.column,
                         fmt::format("\"{}\": {} {}", raw.number.text, raw.key,
                                     word.value == Value::kNumber ? "is compared with a number"
                                                                  : "goes from 0 to 1"));
  }
  term->comparison = ComparisonOf(raw.comparison);
  term->number = *number;
  return absl::OkStatus();
}

absl::Status TakeMoment(const RawTerm& raw, int64_t now_unix_ns, FilterTerm* term) {
  if (raw.values.size() > 1) {
    return FilterMistake(raw.values[1].column, fmt::format("{} takes one time", raw.key));
  }
  const auto time = ParseMoment(raw.values[0].text, now_unix_ns);
  if (!time) {
    return FilterMistake(raw.values[0].column,
                         fmt::format("\"{}\" is not a time: write 2026-11-22T08:00:00Z, "
                                     "2026-11-22, or a span back from now such as 2h or 3d",
                                     raw.values[0].text));
  }
  term->unix_ns = *time;
  return absl::OkStatus();
}

absl::Status TakeValues(const RawTerm& raw, FilterTerm* term) {
  const size_t most = term->word->most_values;
  if (raw.values.size() > most) {
    return FilterMistake(raw.values[most].column,
                         most == 1 ? fmt::format("{} takes one value", raw.key)
                                   : fmt::format("more than {} values in one term", most));
  }
  for (const RawValue& value : raw.values) {
    if (const auto wrong = WhatIsWrong(*term->word, value.text); !wrong.empty()) {
      return FilterMistake(value.column, wrong);
    }
    term->values.push_back(value.text);
  }
  return absl::OkStatus();
}

absl::StatusOr<FilterTerm> Check(const RawTerm& raw, int64_t now_unix_ns, const Vocabulary& words,
                                 FilterOf of) {
  FilterTerm term{.word = words.Find(raw.key, of), .column = raw.column};
  if (term.word == nullptr) return UnknownKey(raw, words, of);
  RETURN_IF_ERROR(TakeComparison(raw, &term));
  RETURN_IF_ERROR(term.word->value == Value::kMoment ? TakeMoment(raw, now_unix_ns, &term)
                                                     : TakeValues(raw, &term));
  return term;
}

FilterNode Built(const RawNode& raw, std::vector<FilterTerm>& terms) {
  FilterNode node{.kind = raw.kind, .negated = raw.negated};
  if (raw.kind == RawNode::Kind::kTerm) node.term = std::move(terms[raw.term]);
  for (const RawNode& part : raw.parts) node.parts.push_back(Built(part, terms));
  return node;
}

// As it was written where that can be read back: what has none of the letters that end a value.
std::string Quoted(const std::string& value) {
  const bool bare = !value.empty() && value.find_first_of(" \t,<>()") == std::string::npos;
  return bare ? value : '"' + value + '"';
}

std::string ToText(const FilterTerm& term) {
  std::string text = term.word->key;
  if (term.word->value == Value::kMoment) {
    return text + ':' +
           absl::FormatTime(absl::RFC3339_full, absl::FromUnixNanos(term.unix_ns),
                            absl::UTCTimeZone());
  }
  for (size_t i = 0; i < term.values.size(); ++i) {
    text += (i == 0 ? ":" : ",") + Quoted(term.values[i]);
  }
  if (term.comparison == FilterTerm::Comparison::kNone) return text;
  return fmt::format("{}{}{}", text, ComparisonText(term.comparison), term.number);
}

// Without parentheses that change nothing: so what was read can be read again.
std::string ToText(const FilterNode& node) {
  using Kind = FilterNode::Kind;
  if (node.kind == Kind::kTerm) return ToText(node.term);
  std::string text;
  for (const FilterNode& part : node.parts) {
    if (!text.empty()) text += node.kind == Kind::kAll ? " " : " or ";
    const bool closer = part.kind == Kind::kTerm ||
                        (part.kind == Kind::kAll && node.kind == Kind::kAny && !part.negated);
    text += fmt::format("{}{}{}{}", part.negated ? "-" : "", closer ? "" : "(", ToText(part),
                        closer ? "" : ")");
  }
  return text;
}

}  // namespace

absl::StatusOr<Filter> ParseFilter(std::string_view text, int64_t now_unix_ns,
                                   const Vocabulary& words, FilterOf of) {
  ASSIGN_OR_RETURN(const FilterSyntax syntax, ReadSyntax(text));
  std::vector<FilterTerm> terms;
  for (const RawTerm& raw : syntax.terms) {
    ASSIGN_OR_RETURN(FilterTerm term, Check(raw, now_unix_ns, words, of));
    terms.push_back(std::move(term));
  }
  return Filter{Built(syntax.root, terms)};
}

std::string ToText(const Filter& filter) {
  const FilterNode& root = filter.root;
  if (!root.negated) return ToText(root);
  return root.kind == FilterNode::Kind::kTerm ? "-" + ToText(root) : "-(" + ToText(root) + ")";
}

}  // namespace gleaner::cloud
