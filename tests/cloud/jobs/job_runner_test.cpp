#include "cloud/jobs/job_runner.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/status.h"
#include "tests/cloud/jobs/jobs_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using v1::Job;

class JobRunnerTest : public QueueTest {
 protected:
  ~JobRunnerTest() override { runner_.reset(); }

  using Run = std::function<absl::Status(JobRun&)>;
  void Start(Run run, size_t at_once = 1, bool alone = false, OnJobGivenUp on_given_up = {}) {
    runner_ = std::make_unique<JobRunner>(*jobs_, clock_,
                                          JobRunner::Options{.worker = "me", .alone = alone});
    runner_->Add({.name = "press",
                  .at_once = at_once,
                  .run = std::move(run),
                  .on_given_up = std::move(on_given_up)});
    runner_->Start();
  }
  void Second() {
    clock_.Advance(kNanosPerSecond);
    runner_->Tick();
  }
  // Time goes on until `state` is the job's.
  Job WaitFor(uint64_t number, Job::State state) {
    for (;;) {
      Job job = Get(number);
      if (job.state() == state) return job;
      Second();
    }
  }

  std::unique_ptr<JobRunner> runner_;
};

TEST_F(JobRunnerTest, RunsWhatWaitedAndWhatComes) {
  const uint64_t waited = Add("a");
  Start([](JobRun& run) { return run.Finish("pressed " + run.job().subject()); });
  EXPECT_EQ(WaitFor(waited, Job::STATE_DONE).result(), "pressed a");
  EXPECT_EQ(Get(waited).worker(), "me");
  const uint64_t came = Add("b", "cart-2");
  EXPECT_EQ(WaitFor(came, Job::STATE_DONE).result(), "pressed b");
}

TEST_F(JobRunnerTest, OkAloneIsDoneToo) {
  const uint64_t number = Add("a");
  Start([](JobRun&) { return absl::OkStatus(); });
  EXPECT_EQ(WaitFor(number, Job::STATE_DONE).result(), "");
}

TEST_F(JobRunnerTest, WhatFailsIsTriedAgainUntilItsAttemptsAreUsedUp) {
  const uint64_t number = Add("a");
  std::atomic<int> tries = 0, failed = 0;
  Start([&](JobRun&) { return absl::InternalError(fmt::format("dry {}", ++tries)); }, 1, false,
        {.write = [&](Sql&, const Job&) { ++failed; }, .kept = {}});
  EXPECT_EQ(WaitFor(number, Job::STATE_FAILED).error(), "dry 3");
  runner_->Stop();
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(failed, 1);
}

TEST_F(JobRunnerTest, WhatCanNeverBeDoneIsTriedOnce) {
  const uint64_t number = Add("a");
  std::atomic<int> tries = 0;
  Start([&](JobRun&) {
    ++tries;
    return absl::NotFoundError("there is no such clip");
  });
  EXPECT_EQ(WaitFor(number, Job::STATE_FAILED).error(), "there is no such clip");
  runner_->Stop();
  EXPECT_EQ(tries, 1);
}

TEST_F(JobRunnerTest, WhatCantBeDoneNowIsTriedUntilItCan) {
  const uint64_t number = Add("a");
  std::atomic<int> tries = 0;
  Start([&](JobRun&) -> absl::Status {
    if (++tries < 10) return absl::UnavailableError("no memory");
    return absl::OkStatus();
  });
  EXPECT_EQ(WaitFor(number, Job::STATE_DONE).attempts(), 1u);
}

TEST_F(JobRunnerTest, ProgressIsSeenWhileItRuns) {
  const uint64_t number = Add("a");
  std::atomic<bool> go_on = false;
  Start([&](JobRun& run) {
    run.Report(0.5, "half of it");
    go_on.wait(false);
    return absl::OkStatus();
  });
  while (Get(number).progress() != 0.5) Second();
  EXPECT_EQ(Get(number).doing(), "half of it");
  go_on = true;
  go_on.notify_all();
  EXPECT_EQ(WaitFor(number, Job::STATE_DONE).doing(), "");
}

// Waits until it is asked to end, as a long job does.
absl::Status Endless(JobRun& run) {
  std::mutex mutex;
  std::condition_variable_any asked;
  std::unique_lock lock(mutex);
  asked.wait(lock, run.stop(), [] { return false; });
  return absl::CancelledError("asked to end");
}

TEST_F(JobRunnerTest, ACancelledJobEndsAndTheNextGoesOn) {
  const uint64_t number = Add("a");
  Start([](JobRun& run) { return run.job().subject() == "a" ? Endless(run) : absl::OkStatus(); });
  WaitFor(number, Job::STATE_RUNNING);
  ASSERT_TRUE(jobs_->Cancel(number).ok());
  WaitFor(number, Job::STATE_CANCELLED);
  WaitFor(Add("b"), Job::STATE_DONE);
}

TEST_F(JobRunnerTest, AStopGivesBackWhatRuns) {
  const uint64_t number = Add("a");
  Start(Endless);
  WaitFor(number, Job::STATE_RUNNING);
  runner_->Stop();
  EXPECT_EQ(Get(number).state(), Job::STATE_WAITING);
  EXPECT_EQ(Get(number).attempts(), 0u);
}

TEST_F(JobRunnerTest, ALongJobKeepsItsLease) {
  const uint64_t number = Add("a");
  Start(Endless);
  WaitFor(number, Job::STATE_RUNNING);
  for (int64_t passed = 0; passed < 5 * Jobs::kLeaseNs; passed += kNanosPerSecond) Second();
  EXPECT_EQ(Get(number).attempts(), 1u);
  EXPECT_EQ(Get(number).state(), Job::STATE_RUNNING);
}

TEST_F(JobRunnerTest, WhatALostServerLeftIsRunAgain) {
  Add("a");
  const auto lost = *Claim();
  Start([](JobRun&) { return absl::OkStatus(); });
  const Job job = WaitFor(lost.claim.number, Job::STATE_DONE);
  EXPECT_EQ(job.worker(), "me");
  EXPECT_EQ(job.attempts(), 2u);
}

TEST_F(JobRunnerTest, AJobThatKillsItsServerEachTimeFailsAtLast) {
  const uint64_t number = Add("a");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Claim());
    ASSERT_EQ(jobs_->TakeBack("press", true).value(), 1u);
  }
  EXPECT_EQ(Get(number).state(), Job::STATE_FAILED);
  EXPECT_THAT(Get(number).error(), HasSubstr("server-1 was lost"));
}

TEST_F(JobRunnerTest, AsManyRunAtOnceAsTheKindAllows) {
  for (int i = 0; i < 20; ++i) Add(fmt::format("{}", i), fmt::format("cart-{}", i % 2));
  std::mutex mutex;
  size_t now = 0, most = 0;
  Start(
      [&](JobRun&) {
        {
          std::lock_guard lock(mutex);
          most = std::max(most, ++now);
        }
        std::this_thread::yield();
        std::lock_guard lock(mutex);
        --now;
        return absl::OkStatus();
      },
      3);
  for (uint64_t number = 1; number <= 20; ++number) WaitFor(number, Job::STATE_DONE);
  EXPECT_LE(most, 3u);
}

TEST_F(JobRunnerTest, SharesTakeTurns) {
  for (int i = 0; i < 4; ++i) Add(fmt::format("many-{}", i), "cart-1");
  for (int i = 0; i < 2; ++i) Add(fmt::format("few-{}", i), "cart-2");
  std::vector<std::string> order;
  Start([&](JobRun& run) {
    order.push_back(run.job().subject());
    return absl::OkStatus();
  });
  while (Counts() != "0 0 0") std::this_thread::yield();  // time stands still
  runner_->Stop();
  EXPECT_THAT(order, ElementsAre("many-0", "few-0", "many-1", "few-1", "many-2", "many-3"));
}

}  // namespace
}  // namespace gleaner::cloud
