// Sets of tasks: what people are to look at, made of the frames that a filter finds or of likely
// errors.
//
// A task is one person's work on one frame (tasks.h). One that is for two people is two tasks that
// know each other.
//
// Within one priority the sets take turns. Each set's k-th task has the turn `base + k`, where base
// is the last turn that anybody had taken when the set was made (start-time fair queueing, Goyal,
// Vin and Cheng 1996): a set of ten made beside one of ten thousand is done after about twenty
// tasks, and tasks that nobody may take, whose turns are long past, let no set overtake another.
//
// A set is made in transactions of kTogether frames, so that nobody waits long behind it. After a
// crash in the middle it has the tasks that were made so far; made again, it gets the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/frames/frames.h"
#include "cloud/rpc/principal.h"
#include "cloud/search/filter.h"
#include "common/clock.h"
#include "gleaner/v1/label_task.pb.h"

namespace gleaner::cloud {

// Thread-safe; blocks. Errors as Database.
class TaskSets {
 public:
  static constexpr uint32_t kMaxTasks = 10'000;
  static constexpr uint32_t kUsualTasks = 1'000;
  static constexpr int32_t kMaxPriority = 1'000;
  static constexpr size_t kTogether = 250;
  // So many frames are looked at for a set, those that are left out among them.
  static constexpr size_t kMaxLookedAt = 100'000;

  // All must outlive it.
  TaskSets(Database& database, Frames& frames, Clock& clock)
      : database_(database), frames_(frames), clock_(clock) {}

  // `filter`: the request's, parsed. `with`: in the transaction that makes the set, before.
  absl::StatusOr<v1::TaskSet> Create(const v1::CreateTasksRequest& request, const Filter& filter,
                                     const Principal& who, const Database::Operation& with = {});
  absl::StatusOr<v1::TaskSet> Get(uint64_t number);
  absl::StatusOr<v1::ListTaskSetsResponse> List(const v1::ListTaskSetsRequest& request);

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
