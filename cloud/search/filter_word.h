// Words of the filter language, and how a room brings its own: it returns them from
// Room::FilterWords() (cloud/room.h), and with that they are read, explained, completed and counted
// wherever there is a filter.
//
//   FilterWord{.key = "split",
//              .about = FilterOf::kFrames,
//              .value = FilterWord::Value::kOneOf,
//              .one_of = {"train", "validation", "test"},
//              .help = "the split that the frame is sealed in",
//              .example = "split:test",
//              .condition = [](const FilterTerm& term, FilterSql& to) ->
//              absl::StatusOr<std::string> {
//                return to.AnyOf("seal.split", term.values);
//              }}
//
// What has been checked of a term before `condition` sees it is what the kind of value says.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/sql.h"

namespace gleaner::cloud {

// What is looked for.
enum class FilterOf { kClips, kFrames };

inline constexpr size_t kMaxFilterValues = 64;  // a term

struct FilterWord;

struct FilterTerm {
  enum class Comparison { kNone, kLess, kLessOrEqual, kMore, kMoreOrEqual };
  const FilterWord* word = nullptr;  // the vocabulary's
  std::vector<std::string> values;   // any of them; moments and numbers have none
  int64_t unix_ns = 0;               // of a moment
  Comparison comparison = Comparison::kNone;
  double number = 0;  // what is compared with
  size_t column = 0;  // where it stands in the text, from 1, in bytes
};

// "<", "<=", ">", ">="; empty for none.
std::string_view ComparisonText(FilterTerm::Comparison comparison);

// What conditions are written into. Parameters are bound in the order in which their names stand in
// the text: so a condition binds in the order in which it writes.
class FilterSql {
 public:
  FilterSql(Sql& sql, FilterOf of, Parameters& parameters)
      : sql_(sql), of_(of), parameters_(parameters) {}

  // For a question whose answer decides how something is best looked for. May throw SqlError.
  Sql& sql() { return sql_; }
  FilterOf of() const { return of_; }
  // The name of a parameter with that value.
  std::string Bind(std::string_view text);
  std::string Bind(int64_t number);
  // "column IN (:p3, :p4)"; one value as "=", which uses an index for the order, too.
  std::string AnyOf(std::string_view column, const std::vector<std::string>& values);

 private:
  Sql& sql_;
  FilterOf of_;
  Parameters& parameters_;
};

// How frames that a filter finds are counted by a word's values. SQL about `found`, which has the
// columns of a frame: arrival, position, pts, clip (its id), camera, device, site, rule, reasons,
// background.
struct FilterFacet {
  std::string join;   // behind "FROM found": " JOIN …"; may give a frame several rows
  std::string value;  // a text; empty: there is nothing to be counted
  // From what SQL gives to what stands in a filter; nothing: the same. Counts of one are added up.
  std::function<std::string(const std::string&)> name = {};
};

struct FilterWord {
  enum class Value {
    kName,    // 1 to 63 of a-z, 0-9 and -
    kOneOf,   // one of `one_of`
    kShare,   // compared with a number from 0 to 1: sharpness<0.2
    kNumber,  // compared with a number
    kClass,   // names, which may be compared with a number from 0 to 1: predicted:bottle>0.6
    kMoment,  // one time
    kText,    // what `wrong` lets through
  };
  std::string key;  // letters a to z
  // A word about clips finds, where frames are looked for, those of the clips that it finds; unless
  // there is a word about frames with the same key.
  FilterOf about = FilterOf::kClips;
  Value value = Value::kName;
  std::vector<std::string> one_of = {};
  size_t most_values = kMaxFilterValues;
  std::string help;     // for people, in a few words
  std::string example;  // a whole term
  // In place of what the kind of value checks: empty when the text can be a value, else what is
  // wrong with it and what would be right. Pure.
  std::function<std::string(std::string_view)> wrong = {};
  // SQL that is true where a value fits, over the tables clip and, where frames are looked for,
  // frame and frame_video. Never NULL. Within a transaction; may throw SqlError. INVALID_ARGUMENT,
  // NOT_FOUND and FAILED_PRECONDITION, without the word and the column, for what can't be right as
  // things are.
  std::function<absl::StatusOr<std::string>(const FilterTerm& term, FilterSql& to)> condition = {};
  // Where it makes sense; of words that find frames. As `condition` otherwise.
  std::function<absl::StatusOr<FilterFacet>(Sql& sql)> facet = {};
};

}  // namespace gleaner::cloud
