// What pre-labels save, measured: seconds a label and accuracy with and without them, how far
// people agree, and how many of the pre-labels that were known to be wrong were put right.
//
// With: tasks of KIND_SHOWN. Without: those of KIND_CONTROL, whose frames had a prediction as well,
// so that like is compared with like; the hash decided which is which. Accuracy is agreement with
// the second opinion of tasks for two people, which no pre-label led.
//
// What is resampled is a frame, as it is frames that the hash puts on either side: an interval says
// what another draw of the hash would have shown, of these people. A frame has at most one label on
// either side of a set, so labels are drawn for seconds and accuracy, and pairs for kappa.
#pragma once

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "gleaner/v1/label_report.pb.h"

namespace gleaner::cloud {

// So many labels are read, the newest; so many classes and models have a line, those with the most.
inline constexpr size_t kMaxReportLabels = 20'000;
inline constexpr size_t kMaxReportLines = 50;

// NOT_FOUND without such a schema.
absl::StatusOr<v1::GetLabelReportResponse> MakeReport(Database& database,
                                                      const v1::GetLabelReportRequest& request);

// Whether a reviewer is a script, as the name of its token says: script, or script-….
bool IsScript(std::string_view reviewer);

}  // namespace gleaner::cloud
