// Tasks: what people are to look at, and who has what.
//
// A task is one person's work on one frame. One that is for two people is two tasks that know each
// other. Until its lease ends a task is its holder's alone, and whoever has or had one of a pair
// never gets the other.
//
// The next task is the first of an index: the highest priority first, and within one priority the
// sets take turns. Each set's k-th task has the turn `base + k`, where base is the first turn that
// is still open when the set is made (start-time fair queueing): a set of ten made beside one of
// ten thousand is done after about twenty tasks. Nothing reaps leases: a task whose lease ended is
// simply found again.
//
// A set is made in transactions of kTogether frames, so that nobody waits long behind it. After a
// crash in the middle it has the tasks that were made so far; made again, it gets the rest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/frames/frames.h"
#include "cloud/rpc/principal.h"
#include "cloud/search/filter.h"
#include "common/clock.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

// Thread-safe; blocks. Errors as Database. `with`: in the same transaction as the change, before.
class Tasks {
 public:
  static constexpr int64_t kLeaseNs = 30 * 60 * kNanosPerSecond;
  static constexpr uint32_t kMostHeld = 20;
  static constexpr uint32_t kMaxInSet = 10'000;
  static constexpr uint32_t kUsualInSet = 1'000;
  static constexpr int32_t kMaxPriority = 1'000;
  static constexpr size_t kTogether = 250;
  // So many frames are looked at for a set, those that are left out among them.
  static constexpr size_t kMaxLookedAt = 100'000;

  // All must outlive it.
  Tasks(Database& database, Frames& frames, Clock& clock)
      : database_(database), frames_(frames), clock_(clock) {}

  // `filter`: the request's, parsed.
  absl::StatusOr<v1::TaskSet> Create(const v1::CreateTasksRequest& request, const Filter& filter,
                                     const Principal& who, const Database::Operation& with = {});
  absl::StatusOr<v1::ListTaskSetsResponse> ListSets(const v1::ListTaskSetsRequest& request);
  absl::StatusOr<v1::ListTasksResponse> List(const v1::ListTasksRequest& request);

  absl::StatusOr<v1::TakeTasksResponse> Take(std::string_view schema, uint32_t most,
                                             const Principal& who,
                                             const Database::Operation& with = {});
  absl::StatusOr<v1::Label> Save(const v1::SaveLabelRequest& request, const Principal& who,
                                 const Database::Operation& with = {});
  absl::Status Skip(uint64_t number, const std::string& reason, const Principal& who,
                    const Database::Operation& with = {});
  // How many were given back.
  absl::StatusOr<uint32_t> Return(std::string_view schema, const Principal& who,
                                  const Database::Operation& with = {});
  absl::Status Requeue(uint64_t number, const Database::Operation& with = {});

 private:
  struct Candidate {
    v1::FrameId frame;
    std::string not_for;  // whose label is looked at again
  };
  absl::StatusOr<std::vector<Candidate>> FindFrames(const v1::CreateTasksRequest& request,
                                                    const Filter& filter, uint32_t most,
                                                    uint32_t* left_out);
  absl::StatusOr<std::vector<Candidate>> FindErrors(const v1::CreateTasksRequest& request,
                                                    uint32_t most);

  Database& database_;
  Frames& frames_;
  Clock& clock_;
};

}  // namespace gleaner::cloud
