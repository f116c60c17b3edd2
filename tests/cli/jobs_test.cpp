// The commands of jobs, against a real server side.
#include "cloud/jobs/jobs.h"

#include <gmock/gmock.h>

#include "cli/commands.h"
#include "common/status.h"
#include "tests/cli/commands_testing.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class JobsCommandsTest : public CommandsTest {
 protected:
  // Three jobs: one that waits, one that runs, one that failed.
  void Fill() {
    Start();
    for (const char* subject : {"first", "second", "third"}) {
      ASSERT_TRUE(jobs_->Add({.kind = "press", .subject = subject, .share = "cart-1"}).ok());
    }
    const auto failed = jobs_->Claim("press", "cart-1", "server-1").value();
    ASSERT_TRUE(jobs_->Fail(failed->claim, "no \x1b[31mink", true, 0).ok());
    const auto running = jobs_->Claim("press", "cart-1", "server-1").value();
    ASSERT_TRUE(jobs_->Extend({{running->claim, 0.25, "pressing"}}).ok());
  }
};

TEST_F(JobsCommandsTest, ListsJobsWithWhatCameOfThem) {
  Fill();
  Client client = Connect();
  const std::string all = Output([&] { return ListJobs(client, {}); });
  EXPECT_THAT(all, AllOf(HasSubstr("JOB  KIND   SUBJECT  FOR"), HasSubstr("25 %, pressing"),
                         HasSubstr("no \\x1b[31mink"),
                         HasSubstr("press: 1 waiting, 1 running, 1 failed\n")));
  const std::string failed = Output([&] { return ListJobs(client, {.states = {"failed"}}); });
  EXPECT_THAT(failed, AllOf(HasSubstr("first"), Not(HasSubstr("second"))));
  EXPECT_THAT(Output([&] { return ListJobs(client, {.subject = "nothing"}); }),
              HasSubstr("No jobs match this."));
  const absl::Status wrong = ListJobs(client, {.states = {"finished"}});
  EXPECT_TRUE(absl::IsInvalidArgument(wrong));
  EXPECT_THAT(std::string(Message(wrong)), HasSubstr("waiting, running, done, failed, cancelled"));
}

TEST_F(JobsCommandsTest, ShowsCancelsAndRetriesOne) {
  Fill();
  Client client = Connect();
  EXPECT_THAT(Output([&] { return ShowJob(client, 1, false); }),
              AllOf(HasSubstr("job       1, press of first"), HasSubstr("attempts  1 of 3"),
                    HasSubstr("error     no \\x1b[31mink")));
  EXPECT_THAT(Output([&] { return RetryJob(client, 1, false); }), HasSubstr("state     waiting"));
  EXPECT_THAT(Output([&] { return CancelJob(client, 3, false); }),
              HasSubstr("state     cancelled"));
  EXPECT_THAT(Output([&] { return CancelJob(client, 2, false); }), HasSubstr("state     ending"));
  EXPECT_THAT(Output([&] { return ShowJob(client, 2, true); }),
              AllOf(HasSubstr("\"cancelRequested\": true"), HasSubstr("\"number\": \"2\"")));
  EXPECT_TRUE(absl::IsFailedPrecondition(CancelJob(client, 3, false)));
  EXPECT_TRUE(absl::IsNotFound(ShowJob(client, 99, false)));
}

}  // namespace
}  // namespace gleaner::cli
