// Tasks as people work on them: who has what, and what becomes of it.
//
// Until its lease ends a task is its holder's alone. Nothing reaps leases: a task whose lease ended
// is simply found again. The next task is the first of an index: the highest priority first, then
// the turn that its set gave it (task_sets.h).
//
// Of a pair, nobody labels both: whoever has one, or was the last to have it, doesn't get the
// other. It doesn't matter how he parted from it (done, given back, put aside, lease over); only
// that somebody else took it since sets him free, so that two people are always enough for a pair.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/rpc/principal.h"
#include "common/clock.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

// Thread-safe; blocks. Errors as Database. `with`: in the same transaction as the change, before;
// not where nothing changes.
class Tasks {
 public:
  static constexpr int64_t kLeaseNs = 30 * 60 * kNanosPerSecond;
  static constexpr uint32_t kMostHeld = 20;

  // All must outlive it.
  Tasks(Database& database, Clock& clock) : database_(database), clock_(clock) {}

  absl::StatusOr<v1::ListTasksResponse> List(const v1::ListTasksRequest& request);

  absl::StatusOr<v1::TakeTasksResponse> Take(const v1::TakeTasksRequest& request,
                                             const Principal& who,
                                             const Database::Operation& with = {});
  absl::StatusOr<v1::Label> Save(const v1::SaveLabelRequest& request, const Principal& who,
                                 const Database::Operation& with = {});
  absl::Status Skip(uint64_t number, const std::string& reason, const Principal& who,
                    const Database::Operation& with = {});
  // How many were given back.
  absl::StatusOr<uint32_t> Return(const v1::ReturnTasksRequest& request, const Principal& who,
                                  const Database::Operation& with = {});
  absl::Status Requeue(uint64_t number, const Database::Operation& with = {});

 private:
  Database& database_;
  Clock& clock_;
};

}  // namespace gleaner::cloud
