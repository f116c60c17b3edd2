// Freezes: filter + label policy + seed → a version that never changes. A job of the one queue.
//
// Order of writes: pictures, as packs, each with its rows → the list's objects → the version's row
// with the list's names, in the transaction that ends the job. A kill before that leaves pictures
// that are kept already and nothing that has a name; the next attempt begins with them.
#pragma once

#include <string>

#include "cloud/dataset/card.h"
#include "cloud/dataset/kept_pictures.h"
#include "cloud/jobs/job_runner.h"
#include "cloud/label/labels.h"

namespace gleaner::cloud {

inline constexpr std::string_view kFreezeJob = "dataset-freeze";

// What is to be frozen; the job's parameters, as JSON.
struct FreezeOrder {
  std::string name, schema, filter, by;
  int64_t as_of_ns = 0;  // what "2h" in the filter counts back from
  v1::Role least_role = v1::ROLE_ANNOTATOR;
  bool leave_out_empty = false;
  uint64_t seed = 0;
  uint64_t most = 0;  // 0: all

  std::string ToJson() const;
  static absl::StatusOr<FreezeOrder> FromJson(std::string_view json);
};

class Freezer {
 public:
  struct Options {
    std::string folder;       // for what is longer than memory should hold
    uint64_t leave_free = 0;  // see ObjectStore::CheckRoom
  };
  // All of them must outlive it. `words`: of filters.
  Freezer(Database& database, ObjectStore& objects, DecodePicture decode, Clock& clock,
          const Vocabulary& words, Options options);

  JobKind Kind();
  // One attempt, see JobKind::run.
  absl::Status Run(JobRun& run);

 private:
  class Attempt;

  Database& database_;
  ObjectStore& objects_;
  Labels labels_;
  const DecodePicture decode_;
  Clock& clock_;
  const Vocabulary& words_;
  const Options options_;
};

}  // namespace gleaner::cloud
