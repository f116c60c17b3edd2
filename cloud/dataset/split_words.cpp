#include "cloud/dataset/split_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_join.h"
#include "cloud/database/hmac_number.h"
#include "cloud/dataset/splits.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// "carts/test", or "test" without a schema.
struct SplitValue {
  std::string schema, split;
};

SplitValue ParseValue(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {.schema = "", .split = std::string(text)};
  return {.schema = std::string(text.substr(0, slash)),
          .split = std::string(text.substr(slash + 1))};
}

std::string Wrong(std::string_view text) {
  const SplitValue value = ParseValue(text);
  const bool known =
      std::find(kSplitWords.begin(), kSplitWords.end(), value.split) != kSplitWords.end();
  const bool named = text.find('/') == std::string_view::npos || IsName(value.schema);
  return known && named ? ""
                        : fmt::format(
                              "\"{}\": split is train, validation or test, of one schema "
                              "among several carts/test",
                              text);
}

std::vector<std::string> SchemaNames(Sql& sql) {
  std::vector<std::string> names;
  std::string name;
  sql.Query("SELECT DISTINCT name FROM label_schema ORDER BY name", In(), Out(name),
            [&] { names.push_back(name); });
  return names;
}

absl::StatusOr<std::string> SchemaOf(const SplitValue& value,
                                     const std::vector<std::string>& names) {
  if (names.empty()) {
    return absl::FailedPreconditionError("splits are by schema, and there is no schema yet");
  }
  if (value.schema.empty() && names.size() == 1) return names[0];
  if (value.schema.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("there are several schemas: write {}/{}, where schemas are {}", names[0],
                    value.split, absl::StrJoin(names, ", ")));
  }
  if (std::find(names.begin(), names.end(), value.schema) == names.end()) {
    return absl::NotFoundError(fmt::format("there is no schema {}; there are {}", value.schema,
                                           absl::StrJoin(names, ", ")));
  }
  return value.schema;
}

// From the number that SplitOf makes of HMAC's first 32 bits.
std::string InSplit(std::string_view split, const std::string& number) {
  const auto first_not_below = [](double share) {
    return static_cast<int64_t>(std::ceil(share * 4294967296.0));
  };
  const int64_t train = first_not_below(kTrainShare);
  const int64_t validation = first_not_below(kTrainShare + kValidationShare);
  if (split == SplitWord(Split::kTrain)) return fmt::format("{} < {}", number, train);
  if (split == SplitWord(Split::kTest)) return fmt::format("{} >= {}", number, validation);
  return fmt::format("{} BETWEEN {} AND {}", number, train, validation - 1);
}

absl::StatusOr<std::string> SealedIn(const FilterTerm& term, FilterSql& to) {
  const std::string key = ReadSplitKey(to.sql());
  if (key.empty()) return "1 = 0";  // nothing is sealed
  const std::vector<std::string> names = SchemaNames(to.sql());
  const HmacPads pads = PadsOf(key);
  std::string any;
  for (const std::string& text : term.values) {
    const SplitValue value = ParseValue(text);
    ASSIGN_OR_RETURN(const std::string schema, SchemaOf(value, names));
    const std::string inner = to.Bind(pads.inner), outer = to.Bind(pads.outer),
                      label = to.Bind(kSplitLabel), name = to.Bind(schema);
    any += fmt::format("{}{}", any.empty() ? "" : " OR ",
                       InSplit(value.split, fmt::format("hmac_number({}, {}, {}, {}, seal.grp)",
                                                        inner, outer, label, name)));
  }
  return fmt::format(
      "EXISTS (SELECT 1 FROM seal WHERE seal.clip = clip.id AND seal.camera = frame_video.camera "
      "AND seal.pts = frame.pts AND ({}))",
      any);
}

absl::StatusOr<FilterFacet> Facet(Sql& sql) {
  const std::string key = ReadSplitKey(sql);
  const std::vector<std::string> names = SchemaNames(sql);
  if (key.empty() || names.size() != 1) return FilterFacet{.join = "", .value = ""};
  return FilterFacet{.join =
                         " JOIN seal ON seal.clip = found.clip AND seal.camera = found.camera "
                         "AND seal.pts = found.pts",
                     .value = "seal.grp",
                     .name = [key, schema = names[0]](const std::string& group) {
                       return std::string(SplitWord(SplitOf(key, schema, group)));
                     }};
}

}  // namespace

std::vector<FilterWord> SplitWords() {
  return {{.key = "split",
           .about = FilterOf::kFrames,
           .value = FilterWord::Value::kText,
           .help = "train, validation or test: where it is sealed; of one schema among several "
                   "split:carts/test",
           .example = "split:test",
           .wrong = Wrong,
           .condition = SealedIn,
           .facet = Facet}};
}

}  // namespace gleaner::cloud
