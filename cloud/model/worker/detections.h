// What a detector's scores and boxes come to: the boxes that stand, the surest first.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/model/worker/network.h"
#include "cloud/model/worker_protocol.h"

namespace gleaner::cloud::model {

// Of each class the boxes of `threshold` and above, without those that overlap a surer one of their
// class by half or more; at most kMaxDetections. FAILED_PRECONDITION for answers that aren't 1 x
// anchors x `labels` and 1 x anchors x 4.
absl::StatusOr<std::vector<Detection>> FindBoxes(const Answer& scores, const Answer& boxes,
                                                 uint32_t labels, float threshold);

}  // namespace gleaner::cloud::model
