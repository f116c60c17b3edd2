#include "cloud/jobs/jobs.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>

#include "common/status.h"
#include "tests/cloud/jobs/jobs_testing.h"

namespace gleaner::cloud {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using v1::Job;

using JobsTest = QueueTest;

TEST_F(JobsTest, AJobIsThereAfterARestartAsItWasAsked) {
  const uint64_t number = jobs_
                              ->Add({.kind = "press",
                                     .subject = "clip-1",
                                     .share = "cart-1",
                                     .parameters = R"({"hard":true})",
                                     .priority = -3,
                                     .max_attempts = 7})
                              .value();
  Open();
  const Job job = Get(number);
  EXPECT_EQ(job.kind(), "press");
  EXPECT_EQ(job.subject(), "clip-1");
  EXPECT_EQ(job.share(), "cart-1");
  EXPECT_EQ(job.parameters(), R"({"hard":true})");
  EXPECT_EQ(job.priority(), -3);
  EXPECT_EQ(job.max_attempts(), 7u);
  EXPECT_EQ(job.state(), Job::STATE_WAITING);
  EXPECT_EQ(job.created_unix_ns(), clock_.WallNs());
}

TEST_F(JobsTest, AKindHasOneOpenJobForASubject) {
  const uint64_t first = Add("clip-1");
  EXPECT_EQ(Add("clip-1"), first);
  const auto claimed = Claim();
  EXPECT_EQ(Add("clip-1"), first) << "also while it runs";
  EXPECT_NE(jobs_->Add({.kind = "squeeze", .subject = "clip-1"}).value(), first);
  ASSERT_TRUE(jobs_->Finish(claimed->claim, "", {}).ok());
  EXPECT_NE(Add("clip-1"), first);
}

TEST_F(JobsTest, OfAShareTheHighestPriorityGoesFirstAndThenTheOldest) {
  Add("a");
  Add("b");
  ASSERT_TRUE(jobs_->Add({.kind = "press", .subject = "c", .share = "cart-1", .priority = 1}).ok());
  Add("d", "cart-2");
  EXPECT_EQ(SubjectOf(Claim()), "c");
  EXPECT_EQ(SubjectOf(Claim()), "a");
  EXPECT_EQ(SubjectOf(Claim()), "b");
  EXPECT_EQ(SubjectOf(Claim()), "none");
  EXPECT_EQ(SubjectOf(Claim("cart-2")), "d");
}

TEST_F(JobsTest, NothingRunsBeforeItsTime) {
  ASSERT_TRUE(jobs_
                  ->Add({.kind = "press",
                         .subject = "a",
                         .run_after_unix_ns = clock_.WallNs() + 5 * kNanosPerSecond})
                  .ok());
  EXPECT_EQ(SubjectOf(Claim("")), "none");
  EXPECT_THAT(*jobs_->FindShares("press"), IsEmpty());
  clock_.Advance(5 * kNanosPerSecond);
  EXPECT_THAT(*jobs_->FindShares("press"), ElementsAre(""));
  EXPECT_EQ(SubjectOf(Claim("")), "a");
}

TEST_F(JobsTest, SharesThatHaveSomethingToRunAreFound) {
  for (int i = 0; i < 3; ++i) {
    for (const char* share : {"cart-2", "cart-1", "gate-1"})
      Add(fmt::format("{}{}", share, i), share);
  }
  for (int i = 0; i < 3; ++i) Claim("cart-1");
  EXPECT_THAT(*jobs_->FindShares("press"), ElementsAre("cart-2", "gate-1"));
  EXPECT_THAT(*jobs_->FindShares("squeeze"), IsEmpty());
}

TEST_F(JobsTest, AJobsEndIsWrittenWithWhatItChanges) {
  Add("a");
  auto claimed = *Claim();
  const auto fails = [](Sql&) { return absl::InternalError("no"); };
  EXPECT_FALSE(jobs_->Finish(claimed.claim, "pressed", fails).ok());
  EXPECT_EQ(Get(claimed.claim.number).state(), Job::STATE_RUNNING);
  ASSERT_TRUE(jobs_
                  ->Finish(claimed.claim, "pressed",
                           [](Sql& sql) {
                             CountUp(sql, "pressed", 1);
                             return absl::OkStatus();
                           })
                  .ok());
  const Job job = Get(claimed.claim.number);
  EXPECT_EQ(job.state(), Job::STATE_DONE);
  EXPECT_EQ(job.result(), "pressed");
  EXPECT_EQ(job.progress(), 1);
  EXPECT_EQ(job.ended_unix_ns(), clock_.WallNs());
}

TEST_F(JobsTest, WhoLostALeaseWritesNothingMore) {
  Add("a");
  const auto lost = *Claim();
  clock_.Advance(Jobs::kLeaseNs + 1);
  EXPECT_EQ(jobs_->TakeBack("press", false).value(), 1u);
  const auto taken = *jobs_->Claim("press", "cart-1", "server-2").value();
  EXPECT_EQ(taken.job.attempts(), 2u);
  EXPECT_THAT(taken.job.error(), HasSubstr("server-1 was lost"));
  bool written = false;
  const auto write = [&](Sql&) {
    written = true;
    return absl::OkStatus();
  };
  EXPECT_TRUE(absl::IsAborted(jobs_->Finish(lost.claim, "late", write)));
  EXPECT_FALSE(written);
  EXPECT_TRUE(jobs_->Fail(lost.claim, "late", true, 0).ok());
  EXPECT_TRUE(jobs_->GiveBack(lost.claim, "late", 0).ok());
  EXPECT_EQ(Get(lost.claim.number).state(), Job::STATE_RUNNING);
  EXPECT_THAT(jobs_->Extend({{.claim = lost.claim}, {.claim = taken.claim}}).value(),
              ElementsAre(lost.claim.number));
  EXPECT_TRUE(jobs_->Finish(taken.claim, "", write).ok());
  EXPECT_TRUE(written);
}

TEST_F(JobsTest, ALeaseThatIsExtendedIsNotTakenBack) {
  Add("a");
  const auto claimed = *Claim();
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(Jobs::kLeaseNs / 2 + 1);
    ASSERT_TRUE(
        jobs_->Extend({{.claim = claimed.claim, .progress = 0.25, .doing = "pressing"}}).ok());
    EXPECT_EQ(jobs_->TakeBack("press", false).value(), 0u);
  }
  EXPECT_EQ(Get(claimed.claim.number).progress(), 0.25);
  EXPECT_EQ(Get(claimed.claim.number).doing(), "pressing");
}

TEST_F(JobsTest, AServerThatIsAloneTakesAllBackAtOnce) {
  Add("a");
  Claim();
  EXPECT_EQ(jobs_->TakeBack("press", false).value(), 0u);
  EXPECT_EQ(jobs_->TakeBack("press", true).value(), 1u);
  EXPECT_EQ(SubjectOf(Claim()), "a");
}

TEST_F(JobsTest, AnAttemptThatFailsIsFollowedByOthersUntilTheLast) {
  const uint64_t number = Add("a");
  std::vector<std::string> failed;
  jobs_->OnGivenUp(
      "press", {.write = [&](Sql&, const Job& job) { failed.push_back(job.error()); }, .kept = {}});
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_TRUE(
        jobs_->Fail(Claim()->claim, fmt::format("dry {}", attempt), false, kNanosPerSecond).ok());
    EXPECT_EQ(SubjectOf(Claim()), "none") << "it waits first";
    clock_.Advance(kNanosPerSecond);
  }
  EXPECT_THAT(failed, ElementsAre("dry 3"));
  EXPECT_EQ(Get(number).state(), Job::STATE_FAILED);
  EXPECT_EQ(Get(number).error(), "dry 3");
  EXPECT_EQ(SubjectOf(Claim()), "none");
}

TEST_F(JobsTest, AFailureThatIsFinalIsNotTriedAgain) {
  const uint64_t number = Add("a");
  ASSERT_TRUE(jobs_->Fail(Claim()->claim, "no such clip", true, 0).ok());
  EXPECT_EQ(Get(number).state(), Job::STATE_FAILED);
  EXPECT_EQ(Get(number).attempts(), 1u);
}

TEST_F(JobsTest, WhatIsGivenBackLosesNoAttempt) {
  const uint64_t number = Add("a");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(jobs_->GiveBack(Claim()->claim, "stopped", 0).ok());
  EXPECT_EQ(Get(number).attempts(), 0u);
  EXPECT_EQ(Get(number).state(), Job::STATE_WAITING);
  EXPECT_EQ(Get(number).error(), "stopped");
}

TEST_F(JobsTest, AJobIsCancelledAtOnceOrWhenItEnds) {
  const uint64_t waiting = Add("a");
  EXPECT_EQ(jobs_->Cancel(waiting).value().state(), Job::STATE_CANCELLED);
  EXPECT_EQ(SubjectOf(Claim()), "none");

  const uint64_t running = Add("b");
  const auto claimed = *Claim();
  EXPECT_TRUE(jobs_->Cancel(running).value().cancel_requested());
  EXPECT_EQ(Get(running).state(), Job::STATE_RUNNING);
  EXPECT_THAT(jobs_->Extend({{.claim = claimed.claim}}).value(), ElementsAre(running));
  ASSERT_TRUE(jobs_->GiveBack(claimed.claim, "cancelled", 0).ok());
  EXPECT_EQ(Get(running).state(), Job::STATE_CANCELLED);
  const auto again = jobs_->Cancel(running).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(again));
  EXPECT_THAT(std::string(Message(again)), HasSubstr("was cancelled: there is nothing to cancel"));
  EXPECT_TRUE(absl::IsNotFound(jobs_->Cancel(99).status()));
}

TEST_F(JobsTest, WhateverEndsAJobThatIsNotDoneItsKindWritesInTheSameTransaction) {
  std::vector<std::string> kept;
  jobs_->OnGivenUp("press", {.write = [](Sql& sql, const Job&) { Tally(sql, "given up", "", 1); },
                             .kept =
                                 [&](const Job& job) {
                                   EXPECT_EQ(Get(job.number()).state(), job.state()) << "by then";
                                   kept.push_back(job.subject() + " " + job.error());
                                 }});
  const auto written = [&] {
    return database_
        ->Read([](Sql& sql) -> absl::StatusOr<uint64_t> { return ReadTally(sql, "given up"); })
        .value();
  };
  const auto refuses = [](Sql&) { return absl::InternalError("no"); };
  const uint64_t waiting = Add("waiting");
  EXPECT_FALSE(jobs_->Cancel(waiting, refuses).ok());
  EXPECT_EQ(written(), 0u);
  ASSERT_TRUE(jobs_->Cancel(waiting).ok());
  EXPECT_EQ(written(), 1u);

  Add("failed");
  ASSERT_TRUE(jobs_->Fail(Claim()->claim, "dry", true, 0).ok());
  for (const char* subject : {"stopped", "failed late", "lost"}) Add(subject);
  const auto stopped = *Claim(), late = *Claim(), lost = *Claim();
  for (const auto& one : {stopped, late, lost}) {
    ASSERT_TRUE(jobs_->Cancel(one.claim.number).ok());
  }
  EXPECT_EQ(written(), 2u) << "those that run have not ended yet";
  ASSERT_TRUE(jobs_->GiveBack(stopped.claim, "asked to", 0).ok());
  ASSERT_TRUE(jobs_->Fail(late.claim, "dry", false, 0).ok());
  EXPECT_EQ(jobs_->TakeBack("press", true).value(), 1u);
  EXPECT_EQ(written(), 5u);

  Add("done");
  ASSERT_TRUE(jobs_->Finish(Claim()->claim, "", {}).ok());
  EXPECT_EQ(written(), 5u);
  EXPECT_THAT(kept, ElementsAre("waiting ", "failed dry", "stopped asked to", "failed late dry",
                                "lost its server server-1 was lost"));
}

TEST_F(JobsTest, OnlyWhatFailedOrWasCancelledIsTriedAgain) {
  const uint64_t number = Add("a");
  EXPECT_TRUE(absl::IsFailedPrecondition(jobs_->Retry(number).status()));
  ASSERT_TRUE(jobs_->Fail(Claim()->claim, "dry", true, 0).ok());
  const Job again = jobs_->Retry(number).value();
  EXPECT_EQ(again.state(), Job::STATE_WAITING);
  EXPECT_EQ(again.attempts(), 0u);
  EXPECT_EQ(again.error(), "");
  ASSERT_TRUE(jobs_->Cancel(number).ok());
  const uint64_t other = Add("a");
  const auto refused = jobs_->Retry(number).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(Message(refused)), HasSubstr(std::to_string(other)));
  EXPECT_TRUE(absl::IsNotFound(jobs_->Retry(99).status()));
}

TEST_F(JobsTest, JobsAreCountedByKindAndState) {
  EXPECT_EQ(Counts(), "none");
  for (const char* subject : {"a", "b", "c", "d"}) Add(subject);
  EXPECT_EQ(Counts(), "4 0 0");
  const auto first = *Claim(), second = *Claim();
  EXPECT_EQ(Counts(), "2 2 0");
  ASSERT_TRUE(jobs_->Fail(first.claim, "dry", true, 0).ok());
  ASSERT_TRUE(jobs_->Finish(second.claim, "", {}).ok());
  ASSERT_TRUE(jobs_->Cancel(3).ok());
  EXPECT_EQ(Counts(), "1 0 1");
  clock_.Advance(Jobs::kKeepOthersNs + 1);
  EXPECT_EQ(jobs_->Forget().value(), 3u);
  EXPECT_EQ(Counts(), "1 0 0");
}

TEST_F(JobsTest, WhatIsDoneIsForgottenAfterADayAndWhatFailedAfterAWeek) {
  const uint64_t failed = Add("a"), done = Add("b"), waiting = Add("c");
  ASSERT_TRUE(jobs_->Fail(Claim()->claim, "dry", true, 0).ok());
  ASSERT_TRUE(jobs_->Finish(Claim()->claim, "", {}).ok());
  clock_.Advance(Jobs::kKeepDoneNs);
  EXPECT_EQ(jobs_->Forget().value(), 0u);
  clock_.Advance(1);
  EXPECT_EQ(jobs_->Forget().value(), 1u);
  EXPECT_TRUE(absl::IsNotFound(jobs_->Get(done).status()));
  EXPECT_TRUE(jobs_->Get(failed).ok());
  clock_.Advance(Jobs::kKeepOthersNs);
  EXPECT_EQ(jobs_->Forget().value(), 1u);
  EXPECT_TRUE(jobs_->Get(waiting).ok());
}

TEST_F(JobsTest, ListsInPagesNewestFirstByKindStateAndSubject) {
  for (int i = 1; i <= 5; ++i) Add(fmt::format("clip-{}", i));
  ASSERT_TRUE(jobs_->Add({.kind = "squeeze", .subject = "clip-1"}).ok());
  ASSERT_TRUE(jobs_->Cancel(2).ok());
  const auto subjects = [&](const v1::ListJobsRequest& request) {
    std::vector<std::string> out;
    v1::ListJobsRequest next = request;
    do {
      const auto page = jobs_->List(next).value();
      for (const Job& job : page.jobs()) out.push_back(job.kind() + "/" + job.subject());
      next.set_page_token(page.next_page_token());
      if (!next.page_token().empty()) out.push_back("|");
    } while (!next.page_token().empty());
    return out;
  };
  v1::ListJobsRequest request;
  request.set_page_size(2);
  EXPECT_THAT(subjects(request), ElementsAre("squeeze/clip-1", "press/clip-5", "|", "press/clip-4",
                                             "press/clip-3", "|", "press/clip-2", "press/clip-1"));
  request.set_page_size(0);
  request.add_kinds("press");
  request.add_states(Job::STATE_CANCELLED);
  EXPECT_THAT(subjects(request), ElementsAre("press/clip-2"));
  request.Clear();
  request.set_subject("clip-1");
  EXPECT_THAT(subjects(request), ElementsAre("squeeze/clip-1", "press/clip-1"));
  request.set_page_token("12x");
  EXPECT_TRUE(absl::IsInvalidArgument(jobs_->List(request).status()));
}

TEST_F(JobsTest, AListThatAsksForTooMuchIsRefused) {
  v1::ListJobsRequest kinds, states, subject, name;
  for (int i = 0; i < 33; ++i) kinds.add_kinds("press");
  for (int i = 0; i < 17; ++i) states.add_states(v1::Job::STATE_DONE);
  subject.set_subject(std::string(257, 'x'));
  name.add_kinds(std::string(257, 'x'));
  for (const auto& request : {kinds, states, subject, name}) {
    EXPECT_TRUE(absl::IsInvalidArgument(jobs_->List(request).status()));
  }
  kinds.mutable_kinds()->RemoveLast();
  EXPECT_TRUE(jobs_->List(kinds).ok());
}

TEST_F(JobsTest, TextsThatAreTooLongOrNoTextAreKeptWithinBounds) {
  auto kept = [&, number = uint64_t{0}](const std::string& text) mutable {
    Add(fmt::format("{}", ++number));
    EXPECT_TRUE(jobs_->Fail(Claim()->claim, text, true, 0).ok());
    return Get(number).error();
  };
  std::string text(5'000, 'x');
  text[10] = '\0';
  EXPECT_EQ(kept(text).size(), 2'000u);
  EXPECT_EQ(kept(text)[10], ' ');
  std::string umlauts = "x";  // so that the bound lies within a character
  while (umlauts.size() < 3'000) umlauts += "\u00e4";
  EXPECT_EQ(kept(umlauts), umlauts.substr(0, 1'999));
  EXPECT_EQ(kept("a\xff\xc3"), "a??");
}

TEST_F(JobsTest, WhoListensHearsOfWorkOnceItIsCommitted) {
  struct Heard {
    std::mutex mutex;
    std::vector<std::string> texts;
  };
  // The database's own thread may still call when this test has ended.
  const auto heard = std::make_shared<Heard>();
  database_->Listen(std::string(kJobWaits), [heard](const std::string& text) {
    std::lock_guard lock(heard->mutex);
    if (!text.empty()) heard->texts.push_back(text);
  });
  const auto none = [&] {
    std::lock_guard lock(heard->mutex);
    return heard->texts.empty();
  };
  const auto refuses = [&](Sql& sql) {
    AddJob(sql, {.kind = "press", .subject = "z", .share = "nobody"}, 0);
    sql.Run("INSERT INTO nowhere VALUES (:a)", In(1));
    return absl::OkStatus();
  };
  EXPECT_FALSE(database_->Write(refuses).ok());
  // On PostgreSQL it may take a moment until anybody listens.
  for (int i = 0; none(); ++i) {
    Add(fmt::format("clip-{}", i));
    std::this_thread::yield();
  }
  std::lock_guard lock(heard->mutex);
  EXPECT_THAT(heard->texts, Each("press cart-1"));
}

TEST_F(JobsTest, NoJobIsClaimedTwiceWhateverTheNumberOfClaimants) {
  for (int i = 0; i < 60; ++i) Add(fmt::format("clip-{}", i));
  std::mutex mutex;
  std::multiset<std::string> claimed;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        while (const auto one = Claim()) {
          std::lock_guard lock(mutex);
          claimed.insert(one->job.subject());
        }
      });
    }
  }
  EXPECT_EQ(claimed.size(), 60u);
  EXPECT_EQ(std::set<std::string>(claimed.begin(), claimed.end()).size(), 60u);
}

}  // namespace
}  // namespace gleaner::cloud
