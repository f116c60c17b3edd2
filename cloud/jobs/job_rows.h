// The rows of the table "job": read, changed and counted. What becomes of a job is decided in
// jobs.cpp; here is how it is kept. Everything runs in the caller's transaction and throws
// SqlError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "cloud/database/sql.h"
#include "cloud/jobs/jobs.h"
#include "gleaner/v1/jobs.pb.h"

namespace gleaner::cloud {

struct JobRow {
  v1::Job job;
  uint64_t claims = 0;   // how often it was claimed; only the last claim counts
  int64_t lease_ns = 0;  // until when it is its holder's
};

// One row on its way out of the database: variables for the columns, and what they make.
class JobColumns {
 public:
  static constexpr std::string_view kNames =
      "number, kind, subject, share, state, priority, run_after_ns, attempts, max_attempts, "
      "claims, lease_ns, created_ns, started_ns, ended_ns, worker, progress, doing, parameters, "
      "result, error, cancel";

  auto Outs() {
    return Out(number_, kind_, subject_, share_, state_, priority_, run_after_, attempts_,
               max_attempts_, claims_, lease_, created_, started_, ended_, worker_, progress_,
               doing_, parameters_, result_, error_, cancel_);
  }
  JobRow Row() const;

 private:
  uint64_t number_ = 0, claims_ = 0;
  std::string kind_, subject_, share_, worker_, doing_, parameters_, result_, error_;
  int state_ = 0;
  int32_t priority_ = 0;
  uint32_t attempts_ = 0, max_attempts_ = 0;
  int64_t run_after_ = 0, lease_ = 0, created_ = 0, started_ = 0, ended_ = 0, progress_ = 0,
          cancel_ = 0;
};

// The rows that `rest` ("WHERE … ORDER BY …", text that doesn't change) leads to.
template <typename... Ins>
std::vector<JobRow> ReadJobs(Sql& sql, std::string_view rest, const std::tuple<Ins...>& ins) {
  std::vector<JobRow> rows;
  JobColumns columns;
  const std::string text =
      "SELECT " + std::string(JobColumns::kNames) + " FROM job " + std::string(rest);
  sql.Query(text, ins, columns.Outs(), [&] { rows.push_back(columns.Row()); });
  return rows;
}
// The same where `rest` is made at run time.
std::vector<JobRow> ReadJobsOnce(Sql& sql, std::string_view rest, const Parameters& parameters);

std::optional<JobRow> ReadJob(Sql& sql, uint64_t number);
// The row, if the claim on it is the last and still stands.
std::optional<JobRow> ReadHeldJob(Sql& sql, const JobClaim& claim);
// The job of that kind on that subject that waits or runs.
std::optional<uint64_t> FindOpenJob(Sql& sql, std::string_view kind, std::string_view subject);
// How many wait, run and have failed, by kind.
std::vector<v1::JobCount> ReadJobCounts(Sql& sql);

uint64_t InsertJob(Sql& sql, const NewJob& job, int64_t now_unix_ns);
// The row as it is now, kept. `before`: the state that the table knows of.
void KeepJob(Sql& sql, const JobRow& row, v1::Job::State before);
void RemoveJob(Sql& sql, uint64_t number, std::string_view kind, v1::Job::State state);

// Tells those who claim jobs of this kind that one is there for them.
void AnnounceWaitingJob(Sql& sql, std::string_view kind, std::string_view share);

}  // namespace gleaner::cloud
