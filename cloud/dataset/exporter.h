// Exports a version: a job of the one queue that writes a format's files into the object store.
//
// Before anything is written the list's root is checked, and that nothing leaks (leak_check.h).
// Order of writes: the files' objects → the export's row with their names, in the transaction that
// ends the job: there is no half of an export. The newest kKeptExports stay; older ones are made
// again when somebody asks, and are the same.
#pragma once

#include <string>

#include "cloud/dataset/dataset_rows.h"
#include "cloud/dataset/export/format.h"
#include "cloud/jobs/job_runner.h"
#include "cloud/store/object_store.h"

namespace gleaner::cloud {

inline constexpr std::string_view kExportJob = "dataset-export";
inline constexpr size_t kKeptExports = 24;
inline constexpr uint64_t kShardBytes = 256ULL << 20;
inline constexpr uint64_t kMinShardBytes = 1ULL << 20, kMaxShardBytes = 4ULL << 30;

// The job's parameters, as JSON.
struct ExportOrder {
  std::string dataset, format;
  std::vector<Split> splits;  // in their order
  uint64_t shard_bytes = 0;   // 0 for formats without shards

  std::string Splits() const;   // "train,test"
  std::string Subject() const;  // of the job: another for each order
  std::string ToJson() const;
  static absl::StatusOr<ExportOrder> FromJson(std::string_view json);
};

// INVALID_ARGUMENT for a word that is no split; all of them where there are none.
absl::StatusOr<std::vector<Split>> ParseSplits(const std::vector<std::string>& words);

class Exporter {
 public:
  // All of them must outlive it.
  Exporter(Database& database, ObjectStore& objects, Clock& clock, std::string folder)
      : database_(database), objects_(objects), clock_(clock), folder_(std::move(folder)) {}

  JobKind Kind();
  absl::Status Run(JobRun& run);

 private:
  Database& database_;
  ObjectStore& objects_;
  Clock& clock_;
  const std::string folder_;
};

}  // namespace gleaner::cloud
