// Exports a version: a job of the one queue that writes a format's files into the object store.
//
// Before anything is written the list's root is checked, and that nothing leaks (leak_check.h).
// Order of writes: the files' parts (parts.h) → the export's row, whose they are from then on, in
// the transaction that ends the job: there is no half of an export. The newest kKeptExports stay;
// older ones are made again when somebody asks, and are the same.
#pragma once

#include <string>

#include "cloud/dataset/clip_source.h"
#include "cloud/dataset/dataset_rows.h"
#include "cloud/dataset/export/format.h"
#include "cloud/jobs/job_runner.h"
#include "cloud/store/object_store.h"

namespace gleaner::cloud {

inline constexpr std::string_view kExportJob = "dataset-export";
inline constexpr size_t kKeptExports = 24;
inline constexpr uint64_t kShardBytes = 256ULL << 20;
inline constexpr size_t kMaxExportFiles = 2'000;  // an answer names them all
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
  struct Options {
    std::string folder;       // for what is longer than memory should hold
    uint64_t leave_free = 0;  // see ObjectStore::CheckRoom
    std::string program;      // gleaner-media, for formats of whole clips
    int64_t cpu_ns = 0;       // for each video
  };
  // All of them must outlive it.
  Exporter(Database& database, ObjectStore& objects, Clock& clock, Options options)
      : database_(database),
        objects_(objects),
        clock_(clock),
        options_(std::move(options)),
        clips_(
            database, objects,
            {.program = options_.program, .cpu_ns = options_.cpu_ns, .folder = options_.folder}) {}

  JobKind Kind();
  absl::Status Run(JobRun& run);

 private:
  absl::StatusOr<uint64_t> SizeOfClip(const std::string& clip) const;

  Database& database_;
  ObjectStore& objects_;
  Clock& clock_;
  const Options options_;
  const ClipSources clips_;
};

}  // namespace gleaner::cloud
