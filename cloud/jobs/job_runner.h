// Runs jobs of the kinds that it was given, on threads of its own, fairly between shares: see
// turns.h. Any number of servers may run the same kinds.
//
// Whoever adds a job announces it, so it begins at once; for what was announced while nobody heard,
// and for jobs that were to wait, the queue is looked at every second. Leases are extended every
// ten. A stop is no failure: what is under way is asked to end and given back, and its attempt
// doesn't count.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "cloud/jobs/jobs.h"
#include "cloud/jobs/turns.h"
#include "common/backoff.h"
#include "common/clock.h"

namespace gleaner::cloud {

// One attempt at a job, as its kind sees it. Thread-safe.
class JobRun {
 public:
  JobRun(Jobs& jobs, ClaimedJob claimed) : jobs_(jobs), claimed_(std::move(claimed)) {}

  const v1::Job& job() const { return claimed_.job; }
  const JobClaim& claim() const { return claimed_.claim; }
  // The job was cancelled or the server stops: to be heeded within a second or so, by returning
  // CANCELLED.
  std::stop_token stop() const { return stop_.get_token(); }
  // How far it is, 0 to 1, and in words. Costs nothing; people see it within a second.
  void Report(double progress, std::string doing);
  // The job is done, and `write` (may be empty) is written in the same transaction. ABORTED if the
  // job is another's by now: then nothing is written, and that is what the attempt should return.
  absl::Status Finish(std::string_view result, const Database::Operation& write = {});

 private:
  friend class JobRunner;

  Jobs& jobs_;
  const ClaimedJob claimed_;
  std::stop_source stop_;
  std::mutex mutex_;
  double progress_ = 0;
  std::string doing_;
  bool news_ = false;  // Extend doesn't know it yet
  bool finished_ = false;
};

struct JobKind {
  std::string name;
  // How many this process runs at once, 1 to 64.
  size_t at_once = 1;
  // Does it, and blocks. What it returns says what becomes of the job:
  //   OK                    done (by Finish, or without a result)
  //   UNAVAILABLE, RESOURCE_EXHAUSTED
  //                         what it needs isn't there (no memory, a full disk, a service that is
  //                         away): it is tried again, and so are all others of the kind, after a
  //                         wait that grows to a minute; no attempt is counted
  //   INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION
  //                         failed: another attempt would end in the same way
  //   any other             the attempt failed; another follows as long as there is one left
  std::function<absl::Status(JobRun& run)> run;
  OnJobGivenUp on_given_up;
};

class JobRunner {
 public:
  struct Options {
    // Its name for people, another for each process.
    std::string worker;
    // Nobody else runs jobs on this database: what is running when this starts was left behind.
    bool alone = false;
  };

  // Both must outlive it.
  JobRunner(Jobs& jobs, Clock& clock, Options options);
  // Stops.
  ~JobRunner();

  // Before Start, and before anybody cancels a job of the kind.
  void Add(JobKind kind);
  // Begins.
  void Start();
  // Returns when nothing runs any more. Safe to repeat.
  void Stop();

  // What must be done once a second, and is done by a thread of its own: extends leases, looks for
  // work and for lost servers, forgets old jobs. Public for tests, whose time doesn't wait.
  void Tick();

 private:
  struct Lane {
    explicit Lane(JobKind what);
    const JobKind kind;
    Turns turns;
    Backoff unavailable;  // of the kind as a whole
    Backoff failed;       // of one job
  };
  // Shared with what hears announcements, which may outlive this object.
  struct Board {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::map<std::string, Lane, std::less<>> lanes;  // by kind
    std::map<uint64_t, JobRun*> running;             // by number
    size_t claiming = 0;                             // threads that ask for a job
  };

  void Listen();
  // Under the board's mutex.
  static void AskToEnd(Board& board, uint64_t number);
  void Work(Lane& lane, const std::stop_token& stop);
  // The next job of the lane, begun; null where the share that was next has none.
  std::unique_ptr<JobRun> Next(Lane& lane, const std::stop_token& stop);
  // How long to wait before the next job.
  int64_t After(Lane& lane, JobRun& run, const absl::Status& status);
  void Look(Lane& lane);
  void TakeBack(Lane& lane, bool all);
  // Tells the queue of those that run: of all, or of those with news. False if it couldn't be told.
  bool Extend(bool all);

  Jobs& jobs_;
  Clock& clock_;
  const Options options_;
  const std::shared_ptr<Board> board_;
  std::atomic<int> ticks_ = 0;
  std::vector<std::jthread> threads_;
};

// For Options::worker: the machine's name and the process's number.
std::string WorkerName();

}  // namespace gleaner::cloud
