// Selections for people: asked for, listed, looked at, compared.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cloud/curate/selection_rows.h"
#include "cloud/database/database.h"
#include "cloud/jobs/jobs.h"
#include "common/clock.h"
#include "gleaner/v1/curate.pb.h"

namespace gleaner::cloud {

// Thread-safe; blocks. Errors as Database, and NOT_FOUND for a selection that isn't there.
class Selections {
 public:
  // All of them must outlive it.
  Selections(Database& database, Jobs& jobs, Clock& clock)
      : database_(database), jobs_(jobs), clock_(clock) {}

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
};

}  // namespace gleaner::cloud
