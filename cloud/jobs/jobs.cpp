#include "cloud/jobs/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "cloud/database/tally.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using v1::Job;

constexpr uint32_t kDefaultPageSize = 60;
constexpr uint32_t kMaxPageSize = 500;
constexpr size_t kMaxForgotten = 1'000;
constexpr size_t kMaxTextBytes = 2'000;
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

constexpr std::string_view kColumns =
    "number, kind, subject, share, state, priority, run_after_ns, attempts, max_attempts, claims, "
    "lease_ns, created_ns, started_ns, ended_ns, worker, progress, doing, parameters, result, "
    "error, cancel";

struct Row {
  Job job;
  uint64_t claims = 0;
  int64_t lease_ns = 0;
};

// Calls `select`, which binds `outs`, and gives the rows.
template <typename Select>
std::vector<Row> ReadRows(Select select) {
  std::vector<Row> rows;
  uint64_t number = 0, claims = 0;
  std::string kind, subject, share, worker, doing, parameters, result, error;
  int state = 0;
  int32_t priority = 0;
  uint32_t attempts = 0, max_attempts = 0;
  int64_t run_after = 0, lease = 0, created = 0, started = 0, ended = 0, progress = 0, cancel = 0;
  select(Out(number, kind, subject, share, state, priority, run_after, attempts, max_attempts,
             claims, lease, created, started, ended, worker, progress, doing, parameters, result,
             error, cancel),
         [&] {
           Row& row = rows.emplace_back(Row{.job = {}, .claims = claims, .lease_ns = lease});
           Job& job = row.job;
           job.set_number(number);
           job.set_kind(kind);
           job.set_subject(subject);
           job.set_share(share);
           job.set_state(static_cast<Job::State>(state));
           job.set_priority(priority);
           job.set_run_after_unix_ns(run_after);
           job.set_attempts(attempts);
           job.set_max_attempts(max_attempts);
           job.set_created_unix_ns(created);
           job.set_started_unix_ns(started);
           job.set_ended_unix_ns(ended);
           job.set_worker(worker);
           job.set_progress(static_cast<double>(progress) / kWhole);
           job.set_doing(doing);
           job.set_parameters(parameters);
           job.set_result(result);
           job.set_error(error);
           job.set_cancel_requested(cancel != 0);
         });
  return rows;
}

std::optional<Row> ReadOne(Sql& sql, uint64_t number) {
  static const std::string text =
      fmt::format("SELECT {} FROM job WHERE number = :number", kColumns);
  auto rows = ReadRows([&](const auto& outs, auto row) { sql.Query(text, In(number), outs, row); });
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

void CountState(Sql& sql, const Job& job, Job::State state, int64_t by) {
  Tally(sql, "job", fmt::format("{} {}", state, job.kind()), by);
}

// Text from anywhere that becomes a column: bounded, whole characters, no NUL.
std::string Bounded(std::string_view text) {
  std::string out(text.substr(0, kMaxTextBytes));
  while (text.size() > kMaxTextBytes && !out.empty() && (out.back() & 0xc0) == 0x80) out.pop_back();
  std::replace(out.begin(), out.end(), '\0', ' ');
  return out;
}

// A change of the state: the row as it is now, kept.
void Keep(Sql& sql, const Row& row, Job::State before) {
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
  CountState(sql, job, before, -1);
  CountState(sql, job, job.state(), 1);
  sql.Announce(kJobChanged, std::to_string(job.number()));
}

void AnnounceWaiting(Sql& sql, const Job& job) {
  sql.Announce(kJobWaits, fmt::format("{} {}", job.kind(), job.share()));
}

void End(Row& row, Job::State state, int64_t now_ns) {
  row.job.set_state(state);
  row.job.set_ended_unix_ns(now_ns);
  row.job.set_cancel_requested(false);
  row.job.clear_doing();
}

// It waits for another attempt.
void WaitAgain(Sql& sql, Row& row, int64_t now_ns, int64_t wait_ns) {
  row.job.set_state(Job::STATE_WAITING);
  row.job.set_run_after_unix_ns(now_ns + wait_ns);
  row.job.set_progress(0);
  row.job.clear_doing();
  if (wait_ns == 0) AnnounceWaiting(sql, row.job);
}

// What becomes of a job whose attempt failed.
absl::Status AfterFailure(Sql& sql, Row& row, std::string_view error, bool final, int64_t now_ns,
                          int64_t wait_ns, const OnJobFailed& on_failed) {
  Job& job = row.job;
  job.set_error(Bounded(error));
  if (job.cancel_requested()) {
    End(row, Job::STATE_CANCELLED, now_ns);
  } else if (final || job.attempts() >= job.max_attempts()) {
    End(row, Job::STATE_FAILED, now_ns);
    if (on_failed) RETURN_IF_ERROR(on_failed(sql, job));
  } else {
    WaitAgain(sql, row, now_ns, wait_ns);
  }
  Keep(sql, row, Job::STATE_RUNNING);
  return absl::OkStatus();
}

// The row, if the claim on it is the last and still stands.
std::optional<Row> ReadHeld(Sql& sql, const JobClaim& claim) {
  auto row = ReadOne(sql, claim.number);
  if (row && (row->job.state() != Job::STATE_RUNNING || row->claims != claim.claim)) row.reset();
  return row;
}

absl::Status NoJob(uint64_t number) {
  return absl::NotFoundError(
      fmt::format("there is no job {}; those that ended are forgotten after a while", number));
}

std::string_view WordOf(Job::State state) {
  switch (state) {
    case Job::STATE_WAITING:
      return "waits";
    case Job::STATE_RUNNING:
      return "runs";
    case Job::STATE_DONE:
      return "is done";
    case Job::STATE_FAILED:
      return "has failed";
    case Job::STATE_CANCELLED:
      return "was cancelled";
    default:
      return "is in a state that this version doesn't know";
  }
}

std::optional<uint64_t> FindOpen(Sql& sql, std::string_view kind, std::string_view subject) {
  uint64_t number = 0;
  const bool found =
      sql.Query("SELECT number FROM job WHERE subject = :subject AND kind = :kind AND state <= 2",
                In(subject, kind), Out(number), [] {});
  return found ? std::optional(number) : std::nullopt;
}

std::vector<v1::JobCount> ReadCounts(Sql& sql) {
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

}  // namespace

RoomTables JobTables() { return {.room = "jobs", .migrations = kMigrations}; }

uint64_t AddJob(Sql& sql, const NewJob& job, int64_t now_unix_ns) {
  if (const auto open = FindOpen(sql, job.kind, job.subject)) return *open;
  Job added;
  added.set_kind(std::string(job.kind));
  added.set_share(std::string(job.share));
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
  CountState(sql, added, Job::STATE_WAITING, 1);
  sql.Announce(kJobChanged, std::to_string(number));
  if (job.run_after_unix_ns <= now_unix_ns) AnnounceWaiting(sql, added);
  return number;
}

absl::StatusOr<uint64_t> Jobs::Add(const NewJob& job) {
  uint64_t number = 0;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
    number = AddJob(sql, job, clock_.WallNs());
    return absl::OkStatus();
  }));
  return number;
}

absl::StatusOr<std::vector<std::string>> Jobs::FindShares(std::string_view kind) {
  const int64_t now_ns = clock_.WallNs();
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<std::string>> {
    std::vector<std::string> shares;
    std::string share;
    // From one share to the next through the index, without a look at each job that waits.
    const auto first = [&](std::string_view compare, std::string_view last) {
      return sql.Query(fmt::format("SELECT share FROM job WHERE kind = :kind AND state = 1 AND "
                                   "run_after_ns <= :now AND share {} :last ORDER BY share LIMIT 1",
                                   compare),
                       In(kind, now_ns, last), Out(share), [] {});
    };
    for (bool found = first(">=", ""); found; found = first(">", shares.back())) {
      shares.push_back(share);
    }
    return shares;
  });
}

absl::StatusOr<std::optional<ClaimedJob>> Jobs::Claim(std::string_view kind, std::string_view share,
                                                      std::string_view worker) {
  static const std::string text = fmt::format(
      "SELECT {} FROM job WHERE kind = :kind AND state = 1 AND share = :share AND run_after_ns <= "
      ":now ORDER BY priority DESC, number LIMIT 1",
      kColumns);
  std::optional<ClaimedJob> claimed;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
    const int64_t now_ns = clock_.WallNs();
    claimed.reset();
    auto rows = ReadRows(
        [&](const auto& outs, auto row) { sql.Query(text, In(kind, share, now_ns), outs, row); });
    if (rows.empty()) return absl::OkStatus();
    Row& row = rows.front();
    row.job.set_state(Job::STATE_RUNNING);
    row.job.set_attempts(row.job.attempts() + 1);
    row.job.set_started_unix_ns(now_ns);
    row.job.set_worker(std::string(worker));
    ++row.claims;
    row.lease_ns = now_ns + kLeaseNs;
    Keep(sql, row, Job::STATE_WAITING);
    claimed = ClaimedJob{.claim = {row.job.number(), row.claims}, .job = std::move(row.job)};
    return absl::OkStatus();
  }));
  return claimed;
}

absl::StatusOr<std::vector<uint64_t>> Jobs::Extend(const std::vector<JobProgress>& running) {
  std::vector<uint64_t> to_end;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
    to_end.clear();
    for (const JobProgress& one : running) {
      auto row = ReadHeld(sql, one.claim);
      if (!row || row->job.cancel_requested()) to_end.push_back(one.claim.number);
      if (!row) continue;
      row->lease_ns = clock_.WallNs() + kLeaseNs;
      row->job.set_progress(std::clamp(one.progress, 0.0, 1.0));
      row->job.set_doing(Bounded(one.doing));
      Keep(sql, *row, Job::STATE_RUNNING);
    }
    return absl::OkStatus();
  }));
  return to_end;
}

absl::Status Jobs::Finish(const JobClaim& claim, std::string_view result,
                          const Database::Operation& write) {
  return database_.Write([&](Sql& sql) -> absl::Status {
    auto row = ReadHeld(sql, claim);
    if (!row) {
      return absl::AbortedError(
          fmt::format("job {} is another's by now, or was cancelled", claim.number));
    }
    if (write) RETURN_IF_ERROR(write(sql));
    End(*row, Job::STATE_DONE, clock_.WallNs());
    row->job.set_progress(1);
    row->job.set_result(Bounded(result));
    row->job.clear_error();
    Keep(sql, *row, Job::STATE_RUNNING);
    return absl::OkStatus();
  });
}

absl::Status Jobs::Fail(const JobClaim& claim, std::string_view error, bool final, int64_t wait_ns,
                        const OnJobFailed& on_failed) {
  return database_.Write([&](Sql& sql) {
    auto row = ReadHeld(sql, claim);
    if (!row) return absl::OkStatus();
    return AfterFailure(sql, *row, error, final, clock_.WallNs(), wait_ns, on_failed);
  });
}

absl::Status Jobs::GiveBack(const JobClaim& claim, std::string_view why, int64_t wait_ns) {
  return database_.Write([&](Sql& sql) {
    auto row = ReadHeld(sql, claim);
    if (!row) return absl::OkStatus();
    const int64_t now_ns = clock_.WallNs();
    row->job.set_attempts(row->job.attempts() - 1);
    row->job.set_error(Bounded(why));
    if (row->job.cancel_requested()) {
      End(*row, Job::STATE_CANCELLED, now_ns);
    } else {
      WaitAgain(sql, *row, now_ns, wait_ns);
    }
    Keep(sql, *row, Job::STATE_RUNNING);
    return absl::OkStatus();
  });
}

absl::StatusOr<uint64_t> Jobs::TakeBack(std::string_view kind, bool all,
                                        const OnJobFailed& on_failed) {
  static const std::string text = fmt::format(
      "SELECT {} FROM job WHERE kind = :kind AND state = 2 AND lease_ns < :now", kColumns);
  uint64_t taken = 0;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    const int64_t now_ns = clock_.WallNs();
    const int64_t before_ns = all ? std::numeric_limits<int64_t>::max() : now_ns;
    std::vector<Row> rows = ReadRows(
        [&](const auto& outs, auto row) { sql.Query(text, In(kind, before_ns), outs, row); });
    for (Row& row : rows) {
      RETURN_IF_ERROR(AfterFailure(sql, row,
                                   fmt::format("its server {} was lost", row.job.worker()), false,
                                   now_ns, 0, on_failed));
    }
    taken = rows.size();
    return absl::OkStatus();
  }));
  return taken;
}

absl::StatusOr<uint64_t> Jobs::Forget() {
  uint64_t forgotten = 0;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
    const int64_t now_ns = clock_.WallNs();
    forgotten = 0;
    for (const Job::State state : {Job::STATE_DONE, Job::STATE_FAILED, Job::STATE_CANCELLED}) {
      const int64_t before_ns = now_ns - (state == Job::STATE_DONE ? kKeepDoneNs : kKeepOthersNs);
      std::vector<std::pair<uint64_t, std::string>> old;
      uint64_t number = 0;
      std::string kind;
      sql.Query(
          "SELECT number, kind FROM job WHERE state = :state AND ended_ns < :before ORDER BY "
          "number LIMIT :limit",
          In(state, before_ns, kMaxForgotten - forgotten), Out(number, kind),
          [&] { old.emplace_back(number, kind); });
      for (const auto& [one, its_kind] : old) {
        sql.Run("DELETE FROM job WHERE number = :number", In(one));
        Job gone;
        gone.set_kind(its_kind);
        CountState(sql, gone, state, -1);
      }
      forgotten += old.size();
    }
    return absl::OkStatus();
  }));
  return forgotten;
}

absl::StatusOr<v1::ListJobsResponse> Jobs::List(const v1::ListJobsRequest& request) {
  uint64_t before = std::numeric_limits<int64_t>::max();
  if (const std::string& token = request.page_token(); !token.empty()) {
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), before);
    if (error != std::errc() || end != token.data() + token.size()) {
      return absl::InvalidArgumentError("page_token: not one that this server gave");
    }
  }
  const uint32_t wanted =
      request.page_size() == 0 ? kDefaultPageSize : std::min(request.page_size(), kMaxPageSize);
  Parameters parameters;
  std::string where = "number < " + parameters.NextName();
  parameters.Add(static_cast<int64_t>(before));
  const auto any_of = [&](std::string_view column, const auto& values, auto as_parameter) {
    if (values.empty()) return;
    std::string names;
    for (const auto& value : values) {
      names += (names.empty() ? "" : ", ") + parameters.NextName();
      parameters.Add(as_parameter(value));
    }
    where += fmt::format(" AND {} IN ({})", column, names);
  };
  any_of("kind", request.kinds(), [](const std::string& kind) { return std::string_view(kind); });
  any_of("state", request.states(), [](int state) { return int64_t{state}; });
  if (!request.subject().empty()) {
    where += " AND subject = " + parameters.NextName();
    parameters.Add(request.subject());
  }
  const std::string text = fmt::format("SELECT {} FROM job WHERE {} ORDER BY number DESC LIMIT {}",
                                       kColumns, where, wanted + 1);
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListJobsResponse> {
    v1::ListJobsResponse response;
    std::vector<Row> rows =
        ReadRows([&](const auto& outs, auto row) { sql.QueryOnce(text, parameters, outs, row); });
    if (rows.size() > wanted) {
      rows.pop_back();
      response.set_next_page_token(std::to_string(rows.back().job.number()));
    }
    for (Row& row : rows) *response.add_jobs() = std::move(row.job);
    for (v1::JobCount& count : ReadCounts(sql)) *response.add_counts() = std::move(count);
    return response;
  });
}

absl::StatusOr<Job> Jobs::Get(uint64_t number) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<Job> {
    auto row = ReadOne(sql, number);
    if (!row) return NoJob(number);
    return std::move(row->job);
  });
}

absl::StatusOr<Job> Jobs::Cancel(uint64_t number, const Database::Operation& write) {
  Job job;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    auto row = ReadOne(sql, number);
    if (!row) return NoJob(number);
    const Job::State before = row->job.state();
    if (before == Job::STATE_WAITING) {
      End(*row, Job::STATE_CANCELLED, clock_.WallNs());
    } else if (before == Job::STATE_RUNNING) {
      row->job.set_cancel_requested(true);
      sql.Announce(kJobCancelled, std::to_string(number));
    } else {
      return absl::FailedPreconditionError(
          fmt::format("job {} {}: there is nothing to cancel", number, WordOf(before)));
    }
    if (write) RETURN_IF_ERROR(write(sql));
    Keep(sql, *row, before);
    job = std::move(row->job);
    return absl::OkStatus();
  }));
  return job;
}

absl::StatusOr<Job> Jobs::Retry(uint64_t number, const Database::Operation& write) {
  Job job;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    auto row = ReadOne(sql, number);
    if (!row) return NoJob(number);
    const Job::State before = row->job.state();
    if (before != Job::STATE_FAILED && before != Job::STATE_CANCELLED) {
      return absl::FailedPreconditionError(fmt::format(
          "job {} {}: only what failed or was cancelled is tried again", number, WordOf(before)));
    }
    if (const auto open = FindOpen(sql, row->job.kind(), row->job.subject())) {
      return absl::FailedPreconditionError(fmt::format("job {} does the same already", *open));
    }
    if (write) RETURN_IF_ERROR(write(sql));
    row->job.set_attempts(0);
    row->job.set_ended_unix_ns(0);
    row->job.clear_error();
    WaitAgain(sql, *row, clock_.WallNs(), 0);
    Keep(sql, *row, before);
    job = std::move(row->job);
    return absl::OkStatus();
  }));
  return job;
}

absl::StatusOr<std::vector<v1::JobCount>> Jobs::Count() {
  return database_.Read(
      [](Sql& sql) -> absl::StatusOr<std::vector<v1::JobCount>> { return ReadCounts(sql); });
}

}  // namespace gleaner::cloud
