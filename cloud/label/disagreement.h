// Labels that a model contradicts confidently: likely errors, for a second look.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

inline constexpr uint64_t kMaxLabelsLookedAt = 100'000;
inline constexpr double kUsualConfidence = 0.8;

struct Disagreement {
  double confidence = 0;
  std::string why;
};

// The most confident thing that the prediction says and the label doesn't, if it is `least` or more
// confident: a box where the label has one of another class or none at all, a class that it lacks,
// another text.
std::optional<Disagreement> Disagrees(const v1::LabelSchema& schema, const v1::Annotation& label,
                                      const v1::Annotation& prediction, double least);

// At most `most`, the most confident first, by frame among equals. Labels that are a second look,
// and those whose frame is an open task, are not among them. A page in memory at a time; looks at
// kMaxLabelsLookedAt labels at most.
absl::StatusOr<v1::ListLikelyErrorsResponse> FindLikelyErrors(Database& database,
                                                              std::string_view schema,
                                                              std::string_view model, double least,
                                                              size_t most);

}  // namespace gleaner::cloud
