// The filter language of the page, the command and the API.
//
//     device:cart-1,cart-2 -rule:motion (after:2026-11-22T08:00:00Z or media:failed)
//
//   filter = [ any ]
//   any    = all { "or" all }                        either holds
//   all    = term { space term }                     each must hold; binds closer than "or"
//   term   = [ "-" ] ( "(" any ")" | key ":" value { "," value } [ comparison number ]
//                                  | key comparison number )
//                                                    "-" negates, "," means "or"
//   comparison = "<" | "<=" | ">" | ">="
//   value  = bare | '"' any character but '"' '"'    bare has no space, comma, quote, parenthesis,
//                                                    "<" or ">"
//
// Which keys there are, and what each takes, is said by the vocabulary: every room brings the words
// for what it keeps (filter_word.h), and `gleaner filters` lists them. Words about
// frames find frames only; words about clips find, where frames are looked for, the frames of those
// clips.
//
// A time is RFC 3339 (2026-11-22T08:00:00Z), a day (2026-11-22, from its start in UTC), or a span
// back from now: a whole number and s, m, h, d or w.
//
// Parsing is pure; filter_sql.h turns the result into SQL with bound parameters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/search/filter_syntax.h"
#include "cloud/search/filter_word.h"
#include "cloud/search/vocabulary.h"

namespace gleaner::cloud {

// A term, or several nodes that all hold or of which one does.
struct FilterNode {
  using Kind = RawNode::Kind;
  Kind kind = Kind::kAll;
  bool negated = false;
  FilterTerm term = {};                // of kTerm
  std::vector<FilterNode> parts = {};  // of the others: two or more
};

// Lives no longer than the vocabulary that it was parsed with.
struct Filter {
  // Without parts where everything is found.
  FilterNode root;
  bool empty() const { return root.kind == FilterNode::Kind::kAll && root.parts.empty(); }
};

// `now_unix_ns` resolves spans such as after:2h. INVALID_ARGUMENT with the column (from 1, in
// bytes) and what would be right.
absl::StatusOr<Filter> ParseFilter(std::string_view text, int64_t now_unix_ns,
                                   const Vocabulary& words, FilterOf of);

// What is parsed as the same filter; spans have become times.
std::string ToText(const Filter& filter);

}  // namespace gleaner::cloud
