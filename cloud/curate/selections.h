// Selections for people: asked for, listed, looked at, compared.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cloud/curate/selection_rows.h"
#include "cloud/database/database.h"
#include "cloud/jobs/jobs.h"
#include "cloud/search/vocabulary.h"
#include "common/clock.h"
#include "gleaner/v1/curate.pb.h"

namespace gleaner::cloud {

// Thread-safe; blocks. Errors as Database, and NOT_FOUND for a selection that isn't there.
class Selections {
 public:
  // All of them must outlive it. `words`: of filters.
  Selections(Database& database, Jobs& jobs, Clock& clock, const Vocabulary& words)
      : database_(database), jobs_(jobs), clock_(clock), words_(words) {}

  // The job. `with`: in the same transaction, before. INVALID_ARGUMENT says what is wrong;
  // NOT_FOUND without such a schema; ALREADY_EXISTS.
  absl::StatusOr<v1::Job> Create(const v1::CreateSelectionRequest& request, std::string by,
                                 const Database::Operation& with);
  absl::StatusOr<v1::ListSelectionsResponse> List(const v1::ListSelectionsRequest& request);
  absl::StatusOr<v1::GetSelectionResponse> Get(const v1::GetSelectionRequest& request);
  absl::StatusOr<v1::CompareSelectionsResponse> Compare(
      const v1::CompareSelectionsRequest& request);

 private:
  Database& database_;
  Jobs& jobs_;
  Clock& clock_;
  const Vocabulary& words_;
};

}  // namespace gleaner::cloud
