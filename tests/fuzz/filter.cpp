// A filter, as it comes with a link; over the words that the server's rooms have.
#include "cloud/search/filter.h"

#include <cmath>
#include <cstdio>

#include "common/clock.h"
#include "common/name.h"
#include "common/status.h"
#include "tests/cloud/search/all_words.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

using cloud::FilterNode;
using cloud::FilterTerm;
using cloud::FilterWord;

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (const FilterWord* word : cloud::AllWords().Words(cloud::FilterOf::kFrames)) {
    seeds.push_back("-(" + word->example + " or device:a) " + word->example);
  }
  return seeds;
}

namespace {

constexpr int64_t kNow = 1'795'334'400 * kNanosPerSecond;  // 2026-11-22T08:00:00Z

void RequireSound(const FilterTerm& term) {
  REQUIRE(term.word != nullptr && term.column >= 1);
  const FilterWord& word = *term.word;
  const bool compared = term.comparison != FilterTerm::Comparison::kNone;
  switch (word.value) {
    case FilterWord::Value::kMoment:
      REQUIRE(term.values.empty() && term.unix_ns >= 0 && !compared);
      return;
    case FilterWord::Value::kShare:
      REQUIRE(term.values.empty() && compared && term.number >= 0 && term.number <= 1);
      return;
    case FilterWord::Value::kNumber:
      REQUIRE(term.values.empty() && compared && std::isfinite(term.number));
      return;
    default:
      break;
  }
  REQUIRE(!compared ||
          (word.value == FilterWord::Value::kClass && term.number >= 0 && term.number <= 1));
  REQUIRE(!term.values.empty() && term.values.size() <= word.most_values);
  for (const std::string& value : term.values) {
    // None of them needs quoting, whatever it is put into.
    REQUIRE(value.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_/") ==
            std::string::npos);
    const bool is_name =
        word.value == FilterWord::Value::kName || word.value == FilterWord::Value::kClass;
    REQUIRE(!is_name || IsName(value));
  }
}

// How many terms are in it.
size_t RequireSound(const FilterNode& node, size_t depth) {
  REQUIRE(depth <= 2 * cloud::kMaxFilterDepth + 2);  // a level of either kind a parenthesis
  if (node.kind == FilterNode::Kind::kTerm) {
    REQUIRE(node.parts.empty());
    RequireSound(node.term);
    return 1;
  }
  REQUIRE(node.parts.size() >= 2 || depth == 0);
  size_t terms = 0;
  for (const FilterNode& part : node.parts) terms += RequireSound(part, depth + 1);
  return terms;
}

bool Same(const FilterNode& a, const FilterNode& b) {
  if (a.kind != b.kind || a.negated != b.negated || a.parts.size() != b.parts.size()) return false;
  if (a.term.word != b.term.word || a.term.values != b.term.values ||
      a.term.unix_ns != b.term.unix_ns || a.term.comparison != b.term.comparison ||
      a.term.number != b.term.number) {
    return false;
  }
  for (size_t i = 0; i < a.parts.size(); ++i) {
    if (!Same(a.parts[i], b.parts[i])) return false;
  }
  return true;
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
  const auto parse = [](std::string_view text) {
    return cloud::ParseFilter(text, fuzz::kNow, cloud::AllWords(), cloud::FilterOf::kFrames);
  };
  const auto filter = parse(fuzz::AsText(data, size));
  if (!filter.ok()) {
    REQUIRE(absl::IsInvalidArgument(filter.status()));
    fuzz::RequireColumn(Message(filter.status()), size);
    return 0;
  }
  ++fuzz::accepted;
  REQUIRE(fuzz::RequireSound(filter->root, 0) <= cloud::kMaxFilterTerms);
  const std::string text = cloud::ToText(*filter);
  if (text.size() > cloud::kMaxFilterBytes) return 0;  // a span is longer as a time
  const auto again = parse(text);
  REQUIRE(again.ok());
  REQUIRE(fuzz::Same(again->root, filter->root));
  REQUIRE(cloud::ToText(*again) == text);
  return 0;
}
