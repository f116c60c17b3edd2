#include "cloud/jobs/job_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cloud/database/tally.h"

namespace gleaner::cloud {
namespace {

using v1::Job;

constexpr double kWhole = 1e6;  // progress is kept in millionths

// state: that of the message. claims: how often it was claimed; the last claim is the one that
// counts. lease_ns: until when it is its holder's.
constexpr std::array<std::string_view, 1> kMigrations = {R"(
  CREATE TABLE job (
    number NUMBERED, kind TEXT NOT NULL, subject TEXT NOT NULL, share TEXT NOT NULL,
    state BIGINT NOT NULL, priority BIGINT NOT NULL, run_after_ns BIGINT NOT NULL,
    attempts BIGINT NOT NULL, max_attempts BIGINT NOT NULL, claims BIGINT NOT NULL,
    lease_ns BIGINT NOT NULL, created_ns BIGINT NOT NULL, started_ns BIGINT NOT NULL,
    ended_ns BIGINT NOT NULL, worker TEXT NOT NULL, progress BIGINT NOT NULL, doing TEXT NOT NULL,
    parameters TEXT NOT NULL, result TEXT NOT NULL, error TEXT NOT NULL, cancel BIGINT NOT NULL);
  CREATE INDEX job_waiting ON job (kind, share, priority DESC, number) WHERE state = 1;
  CREATE INDEX job_running ON job (kind, lease_ns) WHERE state = 2;
  CREATE INDEX job_subject ON job (subject, kind);
  CREATE INDEX job_state ON job (state, number);
)"};

void CountState(Sql& sql, std::string_view kind, Job::State state, int64_t by) {
  Tally(sql, "job", fmt::format("{} {}", state, kind), by);
}

}  // namespace

RoomTables JobTables() { return {.room = "jobs", .migrations = kMigrations}; }

JobRow JobColumns::Row() const {
  JobRow row{.job = {}, .claims = claims_, .lease_ns = lease_};
  Job& job = row.job;
  job.set_number(number_);
  job.set_kind(kind_);
  job.set_subject(subject_);
  job.set_share(share_);
  job.set_state(static_cast<Job::State>(state_));
  job.set_priority(priority_);
  job.set_run_after_unix_ns(run_after_);
  job.set_attempts(attempts_);
  job.set_max_attempts(max_attempts_);
  job.set_created_unix_ns(created_);
  job.set_started_unix_ns(started_);
  job.set_ended_unix_ns(ended_);
  job.set_worker(worker_);
  job.set_progress(static_cast<double>(progress_) / kWhole);
  job.set_doing(doing_);
  job.set_parameters(parameters_);
  job.set_result(result_);
  job.set_error(error_);
  job.set_cancel_requested(cancel_ != 0);
  return row;
}

std::vector<JobRow> ReadJobsOnce(Sql& sql, std::string_view rest, const Parameters& parameters) {
  std::vector<JobRow> rows;
  JobColumns columns;
  sql.QueryOnce(fmt::format("SELECT {} FROM job {}", JobColumns::kNames, rest), parameters,
                columns.Outs(), [&] { rows.push_back(columns.Row()); });
  return rows;
}

std::optional<JobRow> ReadJob(Sql& sql, uint64_t number) {
  std::vector<JobRow> rows = ReadJobs(sql, "WHERE number = :number", In(number));
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

std::optional<JobRow> ReadHeldJob(Sql& sql, const JobClaim& claim) {
  auto row = ReadJob(sql, claim.number);
  if (row && (row->job.state() != Job::STATE_RUNNING || row->claims != claim.claim)) row.reset();
  return row;
}

std::optional<uint64_t> FindOpenJob(Sql& sql, std::string_view kind, std::string_view subject) {
  uint64_t number = 0;
  const bool found =
      sql.Query("SELECT number FROM job WHERE subject = :subject AND kind = :kind AND state <= 2",
                In(subject, kind), Out(number), [] {});
  return found ? std::optional(number) : std::nullopt;
}

std::vector<v1::JobCount> ReadJobCounts(Sql& sql) {
  std::vector<v1::JobCount> counts;
  std::string value;
  uint64_t count = 0;
  sql.Query("SELECT value, clips FROM tally WHERE dimension = 'job' AND clips <> 0", In(),
            Out(value, count), [&] {
              const std::string kind = value.substr(2);  // "1 media-check"
              auto found = std::find_if(counts.begin(), counts.end(),
                                        [&](const auto& one) { return one.kind() == kind; });
              if (found == counts.end()) {
                found = counts.emplace(counts.end());
                found->set_kind(kind);
              }
              const int state = value[0] - '0';
              if (state == Job::STATE_WAITING) found->set_waiting(count);
              if (state == Job::STATE_RUNNING) found->set_running(count);
              if (state == Job::STATE_FAILED) found->set_failed(count);
            });
  std::sort(counts.begin(), counts.end(),
            [](const auto& a, const auto& b) { return a.kind() < b.kind(); });
  return counts;
}

uint64_t InsertJob(Sql& sql, const NewJob& job, int64_t now_unix_ns) {
  uint64_t number = 0;
  sql.Query(
      "INSERT INTO job (kind, subject, share, state, priority, run_after_ns, attempts, "
      "max_attempts, claims, lease_ns, created_ns, started_ns, ended_ns, worker, progress, doing, "
      "parameters, result, error, cancel) VALUES (:kind, :subject, :share, 1, :priority, "
      ":run_after, 0, :max_attempts, 0, 0, :created, 0, 0, '', 0, '', :parameters, '', '', 0) "
      "RETURNING number",
      In(job.kind, job.subject, job.share, job.priority, job.run_after_unix_ns, job.max_attempts,
         now_unix_ns, job.parameters),
      Out(number), [] {});
  CountState(sql, job.kind, Job::STATE_WAITING, 1);
  sql.Announce(kJobChanged, std::to_string(number));
  return number;
}

void KeepJob(Sql& sql, const JobRow& row, Job::State before) {
  const Job& job = row.job;
  sql.Run(
      "UPDATE job SET state = :state, run_after_ns = :run_after, attempts = :attempts, claims = "
      ":claims, lease_ns = :lease, started_ns = :started, ended_ns = :ended, worker = :worker, "
      "progress = :progress, doing = :doing, result = :result, error = :error, cancel = :cancel "
      "WHERE number = :number",
      In(job.state(), job.run_after_unix_ns(), job.attempts(), row.claims, row.lease_ns,
         job.started_unix_ns(), job.ended_unix_ns(), job.worker(),
         std::llround(job.progress() * kWhole), job.doing(), job.result(), job.error(),
         job.cancel_requested(), job.number()));
  if (job.state() == before) return;
  CountState(sql, job.kind(), before, -1);
  CountState(sql, job.kind(), job.state(), 1);
  sql.Announce(kJobChanged, std::to_string(job.number()));
}

void RemoveJob(Sql& sql, uint64_t number, std::string_view kind, Job::State state) {
  sql.Run("DELETE FROM job WHERE number = :number", In(number));
  CountState(sql, kind, state, -1);
}

void AnnounceWaitingJob(Sql& sql, std::string_view kind, std::string_view share) {
  sql.Announce(kJobWaits, fmt::format("{} {}", kind, share));
}

}  // namespace gleaner::cloud
