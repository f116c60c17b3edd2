// Chooses: filter + budget + mix + quotas + seed → frames with reasons. A job of the one queue.
//
// Order of writes: the selection's row and all its picks, in the transaction that ends the job.
// Before that nothing is written: an attempt that was killed leaves nothing, and the next one
// begins anew (it takes seconds).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/curate/pool_reader.h"
#include "cloud/curate/strategy/select.h"
#include "cloud/jobs/job_runner.h"
#include "cloud/search/vocabulary.h"
#include "common/clock.h"

namespace gleaner::cloud {

inline constexpr std::string_view kSelectJob = "select";

// What is to be chosen; the job's parameters, as JSON.
struct SelectJobOrder {
  std::string name, filter, schema, model, embedding_model, by;
  int64_t as_of_ns = 0;  // what "2h" in the filter counts back from
  SelectionOrder selection;

  std::string ToJson() const;
  static absl::StatusOr<SelectJobOrder> FromJson(std::string_view json);
};

class Selector {
 public:
  // Database, clock and words (of filters) must outlive it. `most`: frames of a pool, for tests.
  Selector(Database& database, Clock& clock, const Vocabulary& words,
           size_t most = Pool::kMaxFrames)
      : reader_(database, most), clock_(clock), words_(words) {}

  JobKind Kind();
  // One attempt, see JobKind::run.
  absl::Status Run(JobRun& run);

 private:
  PoolReader reader_;
  Clock& clock_;
  const Vocabulary& words_;
};

}  // namespace gleaner::cloud
