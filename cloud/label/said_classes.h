// Which classes labels and predictions name, as rows: so filters find frames by them without
// reading what was said.
#pragma once

#include <cstdint>
#include <string_view>

#include "cloud/database/database.h"
#include "cloud/jobs/job_runner.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

// Confidences are kept in millionths.
inline constexpr double kWholeConfidence = 1e6;

// In the transaction that writes the label or prediction of that number. May throw SqlError.
void WriteLabelClasses(Sql& sql, uint64_t label, const v1::LabelSchema& schema,
                       const v1::Annotation& said);
// Each class with the greatest confidence that it is named with.
void WritePredictionClasses(Sql& sql, uint64_t prediction, const v1::LabelSchema& schema,
                            const v1::Annotation& said);

// Does the same for those that were there before there were such rows; a migration asks for it
// where there are any. After a crash it goes on where it was. `database` must outlive it.
JobKind ClassesOfBefore(Database& database);

}  // namespace gleaner::cloud
