#include "cloud/jobs/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "cloud/database/pages.h"
#include "cloud/jobs/job_rows.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

using v1::Job;

constexpr size_t kMaxForgotten = 1'000;
constexpr int kMaxKinds = 32, kMaxStates = 16;  // that a list asks for
constexpr size_t kMaxNameBytes = 256;
constexpr size_t kMaxTextBytes = 2'000;

// Text from anywhere that becomes a column: bounded, whole characters of UTF-8, no NUL.
std::string JobText(std::string_view text) {
  std::string valid = ValidUtf8(text);
  std::replace(valid.begin(), valid.end(), '\0', ' ');
  return Shorten(std::move(valid), kMaxTextBytes);
}

void End(JobRow& row, Job::State state, int64_t now_ns) {
  row.job.set_state(state);
  row.job.set_ended_unix_ns(now_ns);
  row.job.set_cancel_requested(false);
  row.job.clear_doing();
}

// It waits for another attempt.
void WaitAgain(Sql& sql, JobRow& row, int64_t now_ns, int64_t wait_ns) {
  row.job.set_state(Job::STATE_WAITING);
  row.job.set_run_after_unix_ns(now_ns + wait_ns);
  row.job.set_progress(0);
  row.job.clear_doing();
  if (wait_ns == 0) AnnounceWaitingJob(sql, row.job.kind(), row.job.share());
}

// A long list would keep the database busy for everybody.
absl::Status CheckBounds(const v1::ListJobsRequest& request) {
  if (request.kinds_size() > kMaxKinds) {
    return absl::InvalidArgumentError(fmt::format("kinds: at most {}", kMaxKinds));
  }
  if (request.states_size() > kMaxStates) {
    return absl::InvalidArgumentError(fmt::format("states: at most {}", kMaxStates));
  }
  const auto too_long = [](const std::string& text) { return text.size() > kMaxNameBytes; };
  if (std::any_of(request.kinds().begin(), request.kinds().end(), too_long) ||
      too_long(request.subject())) {
    return absl::InvalidArgumentError(
        fmt::format("kinds, subject: at most {} bytes each", kMaxNameBytes));
  }
  return absl::OkStatus();
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

}  // namespace

uint64_t AddJob(Sql& sql, const NewJob& job, int64_t now_unix_ns) {
  if (const auto open = FindOpenJob(sql, job.kind, job.subject)) return *open;
  const uint64_t number = InsertJob(sql, job, now_unix_ns);
  if (job.run_after_unix_ns <= now_unix_ns) AnnounceWaitingJob(sql, job.kind, job.share);
  return number;
}

bool IsHeld(Sql& sql, const JobClaim& claim) { return ReadHeldJob(sql, claim).has_value(); }

void Jobs::OnGivenUp(std::string kind, OnJobGivenUp hook) {
  on_given_up_.insert_or_assign(std::move(kind), std::move(hook));
}

absl::Status Jobs::Write(
    const std::function<absl::Status(Sql& sql, GivenUp& given_up)>& operation) {
  GivenUp given_up;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
    given_up.clear();
    return operation(sql, given_up);
  }));
  for (const Job& job : given_up) {
    const auto hook = on_given_up_.find(job.kind());
    if (hook != on_given_up_.end() && hook->second.kept) hook->second.kept(job);
  }
  return absl::OkStatus();
}

void Jobs::GiveUp(Sql& sql, JobRow& row, Job::State state, GivenUp& given_up) {
  End(row, state, clock_.WallNs());
  const auto hook = on_given_up_.find(row.job.kind());
  if (hook != on_given_up_.end() && hook->second.write) hook->second.write(sql, row.job);
  given_up.push_back(row.job);
}

void Jobs::AfterFailure(Sql& sql, JobRow& row, std::string_view error, bool final, int64_t wait_ns,
                        GivenUp& given_up) {
  Job& job = row.job;
  job.set_error(JobText(error));
  if (job.cancel_requested()) {
    GiveUp(sql, row, Job::STATE_CANCELLED, given_up);
  } else if (final || job.attempts() >= job.max_attempts()) {
    GiveUp(sql, row, Job::STATE_FAILED, given_up);
  } else {
    WaitAgain(sql, row, clock_.WallNs(), wait_ns);
  }
  KeepJob(sql, row, Job::STATE_RUNNING);
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
  std::optional<ClaimedJob> claimed;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
    const int64_t now_ns = clock_.WallNs();
    claimed.reset();
    std::vector<JobRow> rows =
        ReadJobs(sql,
                 "WHERE kind = :kind AND state = 1 AND share = :share AND run_after_ns <= :now "
                 "ORDER BY priority DESC, number LIMIT 1",
                 In(kind, share, now_ns));
    if (rows.empty()) return absl::OkStatus();
    JobRow& row = rows.front();
    row.job.set_state(Job::STATE_RUNNING);
    row.job.set_attempts(row.job.attempts() + 1);
    row.job.set_started_unix_ns(now_ns);
    row.job.set_worker(std::string(worker));
    ++row.claims;
    row.lease_ns = now_ns + kLeaseNs;
    KeepJob(sql, row, Job::STATE_WAITING);
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
      auto row = ReadHeldJob(sql, one.claim);
      if (!row || row->job.cancel_requested()) to_end.push_back(one.claim.number);
      if (!row) continue;
      row->lease_ns = clock_.WallNs() + kLeaseNs;
      row->job.set_progress(std::clamp(one.progress, 0.0, 1.0));
      row->job.set_doing(JobText(one.doing));
      KeepJob(sql, *row, Job::STATE_RUNNING);
    }
    return absl::OkStatus();
  }));
  return to_end;
}

absl::Status Jobs::Finish(const JobClaim& claim, std::string_view result,
                          const Database::Operation& write) {
  return database_.Write([&](Sql& sql) -> absl::Status {
    auto row = ReadHeldJob(sql, claim);
    if (!row) {
      return absl::AbortedError(
          fmt::format("job {} is another's by now, or was cancelled", claim.number));
    }
    if (write) RETURN_IF_ERROR(write(sql));
    End(*row, Job::STATE_DONE, clock_.WallNs());
    row->job.set_progress(1);
    row->job.set_result(JobText(result));
    row->job.clear_error();
    KeepJob(sql, *row, Job::STATE_RUNNING);
    return absl::OkStatus();
  });
}

absl::Status Jobs::Fail(const JobClaim& claim, std::string_view error, bool final,
                        int64_t wait_ns) {
  return Write([&](Sql& sql, GivenUp& given_up) {
    auto row = ReadHeldJob(sql, claim);
    if (row) AfterFailure(sql, *row, error, final, wait_ns, given_up);
    return absl::OkStatus();
  });
}

absl::Status Jobs::GiveBack(const JobClaim& claim, std::string_view why, int64_t wait_ns) {
  return Write([&](Sql& sql, GivenUp& given_up) {
    auto row = ReadHeldJob(sql, claim);
    if (!row) return absl::OkStatus();
    row->job.set_attempts(row->job.attempts() - 1);
    row->job.set_error(JobText(why));
    if (row->job.cancel_requested()) {
      GiveUp(sql, *row, Job::STATE_CANCELLED, given_up);
    } else {
      WaitAgain(sql, *row, clock_.WallNs(), wait_ns);
    }
    KeepJob(sql, *row, Job::STATE_RUNNING);
    return absl::OkStatus();
  });
}

absl::StatusOr<uint64_t> Jobs::TakeBack(std::string_view kind, bool all) {
  uint64_t taken = 0;
  RETURN_IF_ERROR(Write([&](Sql& sql, GivenUp& given_up) {
    const int64_t before_ns = all ? std::numeric_limits<int64_t>::max() : clock_.WallNs();
    std::vector<JobRow> rows =
        ReadJobs(sql, "WHERE kind = :kind AND state = 2 AND lease_ns < :now", In(kind, before_ns));
    for (JobRow& row : rows) {
      AfterFailure(sql, row, fmt::format("its server {} was lost", row.job.worker()), false, 0,
                   given_up);
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
      for (const auto& [one, its_kind] : old) RemoveJob(sql, one, its_kind, state);
      forgotten += old.size();
    }
    return absl::OkStatus();
  }));
  return forgotten;
}

absl::StatusOr<v1::ListJobsResponse> Jobs::List(const v1::ListJobsRequest& request) {
  RETURN_IF_ERROR(CheckBounds(request));
  ASSIGN_OR_RETURN(const int64_t before, PageBefore(request.page_token()));
  const uint32_t wanted = PageSize(request.page_size());
  Parameters parameters;
  std::string where = "number < " + parameters.NextName();
  parameters.Add(before);
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
  const std::string rest = fmt::format("WHERE {} ORDER BY number DESC LIMIT {}", where, wanted + 1);
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListJobsResponse> {
    v1::ListJobsResponse response;
    std::vector<JobRow> rows = ReadJobsOnce(sql, rest, parameters);
    if (rows.size() > wanted) {
      rows.pop_back();
      response.set_next_page_token(std::to_string(rows.back().job.number()));
    }
    for (JobRow& row : rows) *response.add_jobs() = std::move(row.job);
    for (v1::JobCount& count : ReadJobCounts(sql)) *response.add_counts() = std::move(count);
    return response;
  });
}

absl::StatusOr<Job> Jobs::Get(uint64_t number) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<Job> {
    auto row = ReadJob(sql, number);
    if (!row) return NoJob(number);
    return std::move(row->job);
  });
}

absl::StatusOr<Job> Jobs::Cancel(uint64_t number, const Database::Operation& write) {
  Job job;
  RETURN_IF_ERROR(Write([&](Sql& sql, GivenUp& given_up) -> absl::Status {
    auto row = ReadJob(sql, number);
    if (!row) return NoJob(number);
    const Job::State before = row->job.state();
    if (before != Job::STATE_WAITING && before != Job::STATE_RUNNING) {
      return absl::FailedPreconditionError(
          fmt::format("job {} {}: there is nothing to cancel", number, WordOf(before)));
    }
    if (write) RETURN_IF_ERROR(write(sql));
    if (before == Job::STATE_WAITING) {
      GiveUp(sql, *row, Job::STATE_CANCELLED, given_up);
    } else {
      row->job.set_cancel_requested(true);
      sql.Announce(kJobCancelled, std::to_string(number));
    }
    KeepJob(sql, *row, before);
    job = std::move(row->job);
    return absl::OkStatus();
  }));
  return job;
}

absl::StatusOr<Job> Jobs::Retry(uint64_t number, const Database::Operation& write) {
  Job job;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    auto row = ReadJob(sql, number);
    if (!row) return NoJob(number);
    const Job::State before = row->job.state();
    if (before != Job::STATE_FAILED && before != Job::STATE_CANCELLED) {
      return absl::FailedPreconditionError(fmt::format(
          "job {} {}: only what failed or was cancelled is tried again", number, WordOf(before)));
    }
    if (const auto open = FindOpenJob(sql, row->job.kind(), row->job.subject())) {
      return absl::FailedPreconditionError(fmt::format("job {} does the same already", *open));
    }
    if (write) RETURN_IF_ERROR(write(sql));
    row->job.set_attempts(0);
    row->job.set_ended_unix_ns(0);
    row->job.clear_error();
    WaitAgain(sql, *row, clock_.WallNs(), 0);
    KeepJob(sql, *row, before);
    job = std::move(row->job);
    return absl::OkStatus();
  }));
  return job;
}

absl::StatusOr<std::vector<v1::JobCount>> Jobs::Count() {
  return database_.Read(
      [](Sql& sql) -> absl::StatusOr<std::vector<v1::JobCount>> { return ReadJobCounts(sql); });
}

}  // namespace gleaner::cloud
