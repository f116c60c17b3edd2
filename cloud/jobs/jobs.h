// The one queue of background work: rows of a table, so that nothing that was asked for is lost
// when a server stops, and any server takes what waits.
//
// A job is of a kind ("media-check"), for a subject (a clip's id) and on behalf of a share (a
// device), between which turns are taken. A kind has one open job (waiting or running) for a
// subject. Its states:
//
//   waiting → running → done
//                     → waiting     an attempt failed, or what it needs isn't there now
//                     → failed      the last attempt failed, or another can't help
//                     → cancelled   somebody asked for it
//
// Whoever runs a job holds a lease, which it extends while it works. A lease that ran out is taken
// for a server that was lost: the job waits again, and what its old holder still wants to write is
// refused (ABORTED), since the claim that it names is no longer the last. A job's end is written in
// one transaction with what the job changes elsewhere, so that work is done twice at worst and
// counted once. The clocks of servers on one database may differ by a few seconds, not by more.
//
// What is written is one transaction at a time over all servers (database.h), so two claims never
// see the same job waiting: there is no need of SKIP LOCKED.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "common/clock.h"
#include "gleaner/v1/jobs.pb.h"

namespace gleaner::cloud {

RoomTables JobTables();

struct NewJob {
  std::string_view kind;
  std::string_view subject;
  std::string_view share = "";
  std::string_view parameters = "";  // JSON
  int32_t priority = 0;
  int64_t run_after_unix_ns = 0;
  uint32_t max_attempts = 3;
};

// Within a room's transaction; may throw SqlError. The number of the job: of the open one, which
// stays as it is, where the kind has one for this subject.
uint64_t AddJob(Sql& sql, const NewJob& job, int64_t now_unix_ns);

// Announced (Database::Listen) when a job of a kind can run: "kind share".
inline constexpr std::string_view kJobWaits = "job.waits";
// Announced with its number when a job's state changes.
inline constexpr std::string_view kJobChanged = "job.changed";

// Announced with its number when a job that runs is to end.
inline constexpr std::string_view kJobCancelled = "job.cancelled";

// A claim on a job: which job, and which of all the claims on it.
struct JobClaim {
  uint64_t number = 0;
  uint64_t claim = 0;
};

// Within a transaction; may throw SqlError. Whether whoever made this claim has the job still.
bool IsHeld(Sql& sql, const JobClaim& claim);

struct ClaimedJob {
  JobClaim claim;
  v1::Job job;
};

struct JobRow;  // job_rows.h

struct JobProgress {
  JobClaim claim;
  double progress = 0;
  std::string doing;
};

// What a room does when a job of its kind ends without being done: it failed for good or was
// cancelled, as its state says. Each may be empty.
struct OnJobGivenUp {
  // In the transaction of that end; may throw SqlError.
  std::function<void(Sql& sql, const v1::Job& job)> write;
  // Once that is durable; on the thread that ended it.
  std::function<void(const v1::Job& job)> kept;
};

// Thread-safe; blocks. Errors as Database, and what is named.
class Jobs {
 public:
  static constexpr int64_t kLeaseNs = 60 * kNanosPerSecond;
  // Ended jobs are forgotten after a week, those that were done after a day.
  static constexpr int64_t kKeepDoneNs = 24 * 3600 * kNanosPerSecond;
  static constexpr int64_t kKeepOthersNs = 7 * kKeepDoneNs;

  // Both must outlive it.
  Jobs(Database& database, Clock& clock) : database_(database), clock_(clock) {}

  Database& database() { return database_; }
  Clock& clock() { return clock_; }

  // Before anybody else calls anything; the last for a kind counts.
  void OnGivenUp(std::string kind, OnJobGivenUp hook);

  absl::StatusOr<uint64_t> Add(const NewJob& job);

  // --- for whoever runs jobs (job_runner.h)

  // Those for which something of `kind` can run now, in ascending order.
  absl::StatusOr<std::vector<std::string>> FindShares(std::string_view kind);
  // The next job of a share that can run now; `worker` has it from now on.
  absl::StatusOr<std::optional<ClaimedJob>> Claim(std::string_view kind, std::string_view share,
                                                  std::string_view worker);
  // Extends leases and notes how far jobs are. The numbers of those that are to end: they were
  // cancelled, or are somebody else's by now.
  absl::StatusOr<std::vector<uint64_t>> Extend(const std::vector<JobProgress>& running);
  // It is done, and `write` (may be empty) is written with it. ABORTED if it is another's by now:
  // then nothing is written.
  absl::Status Finish(const JobClaim& claim, std::string_view result,
                      const Database::Operation& write);
  // An attempt failed: it waits for `wait_ns`, or has failed for good if it was the last one or
  // `final`. OK also if it is another's by now.
  absl::Status Fail(const JobClaim& claim, std::string_view error, bool final, int64_t wait_ns);
  // Not its fault: it waits for `wait_ns`, and the attempt doesn't count. Cancelled if that was
  // asked for meanwhile.
  absl::Status GiveBack(const JobClaim& claim, std::string_view why, int64_t wait_ns);
  // Takes what is leased from holders whose lease ran out, or from all if `all`: for a server that
  // knows that there is no other. How many.
  absl::StatusOr<uint64_t> TakeBack(std::string_view kind, bool all);
  // Removes jobs that ended long ago, at most a thousand. How many.
  absl::StatusOr<uint64_t> Forget();

  // --- for people

  // INVALID_ARGUMENT for a page token that isn't one.
  absl::StatusOr<v1::ListJobsResponse> List(const v1::ListJobsRequest& request);
  // These three: NOT_FOUND without such a job; the job as it is then.
  absl::StatusOr<v1::Job> Get(uint64_t number);
  // FAILED_PRECONDITION: see jobs.proto. `write` (may be empty) is written with it.
  absl::StatusOr<v1::Job> Cancel(uint64_t number, const Database::Operation& write = {});
  absl::StatusOr<v1::Job> Retry(uint64_t number, const Database::Operation& write = {});

  absl::StatusOr<std::vector<v1::JobCount>> Count();

 private:
  using GivenUp = std::vector<v1::Job>;

  // Write, and then who wants to know hears of the jobs that it gave up.
  absl::Status Write(const std::function<absl::Status(Sql& sql, GivenUp& given_up)>& operation);
  // Ends a job that isn't done.
  void GiveUp(Sql& sql, JobRow& row, v1::Job::State state, GivenUp& given_up);
  // What becomes of a job whose attempt failed.
  void AfterFailure(Sql& sql, JobRow& row, std::string_view error, bool final, int64_t wait_ns,
                    GivenUp& given_up);

  Database& database_;
  Clock& clock_;
  std::map<std::string, OnJobGivenUp, std::less<>> on_given_up_;  // by kind
};

}  // namespace gleaner::cloud
