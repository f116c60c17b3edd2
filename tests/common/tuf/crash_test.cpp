// A power cut at every step: what is on the disk afterwards is what was, or what is to be.
#include <gmock/gmock.h>

#include "common/crash_point.h"
#include "tests/common/tuf/lab.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"

namespace gleaner::tuf {
namespace {

constexpr int64_t kNow = 1'800'000'000;
constexpr int kKilled = 128 + 9;

class TufCrash : public testing::Test {
 protected:
  void SetUp() override {
#if !GLEANER_CRASH_POINTS
    GTEST_SKIP() << "this build has no crash points";
#endif
  }
  static int Run(const std::string& at, const std::string& arguments) {
    return Shell(fmt::format("GLEANER_CRASH_AT={} {}/tuf_crash_child {} 2>/dev/null", at, BinDir(),
                             arguments))
        .first;
  }
  std::string Refresh(const std::string& state, const std::string& folder) {
    FolderFetcher fetcher(folder);
    Client client = Client::Open({.packaged_root = ReadFile(a_ + "/1.root.json", 1 << 20).value(),
                                  .state_path = state},
                                 clock_)
                        .value();
    EXPECT_EQ(client.note(), "");
    return NameOf(client.Refresh(fetcher));
  }

  Lab lab_{kNow};
  FakeClock clock_{0, kNow* kNanosPerSecond};
  std::string a_ = lab_.FirstStage();
  std::string b_ = lab_.SecondStage(a_);
};

TEST_F(TufCrash, OfAClientAtAnyStepLeavesOldOrNewTrustAndRefusesNoHonestFile) {
  const std::string c = lab_.ThirdStage(b_);
  for (const char* at :
       {"tuf.root_kept", "tuf.timestamp_kept", "tuf.snapshot_kept", "tuf.targets_kept"}) {
    SCOPED_TRACE(at);
    const std::string state = lab_ / fmt::format("state.{}", at);
    ASSERT_EQ(Refresh(state, a_), "ok");
    EXPECT_EQ(Run(at, fmt::format("client {} {}/1.root.json {} {}", c, a_, state, kNow)), kKilled);
    // Whatever it had proven by then is not forgotten; the rest comes at the next attempt.
    EXPECT_EQ(Refresh(state, a_), "wrong_key");
    EXPECT_EQ(Refresh(state, c), "ok");
    EXPECT_EQ(Refresh(state, c), "ok");
  }
}

TEST_F(TufCrash, OfAClientAfterItsTimestampStillRefusesARollback) {
  const std::string state = lab_ / "state";
  EXPECT_EQ(
      Run("tuf.timestamp_kept", fmt::format("client {} {}/1.root.json {} {}", b_, a_, state, kNow)),
      kKilled);
  EXPECT_EQ(Refresh(state, a_), "rollback");
  EXPECT_EQ(Refresh(state, b_), "ok");
}

// Negative control: where nothing is kept before it is used, the same cut lets a rollback through.
TEST_F(TufCrash, OfAClientThatKeepsNothingWouldBeSeen) {
  const std::string state = lab_ / "state";
  EXPECT_EQ(Run("tuf.timestamp_kept GLEANER_FAULT=tuf.keep_nothing",
                fmt::format("client {} {}/1.root.json {} {}", b_, a_, state, kNow)),
            kKilled);
  EXPECT_EQ(Refresh(state, a_), "ok");
}

TEST_F(TufCrash, OfAKeeperAtAnyStepIsMendedByTheNextRefresh) {
  for (const char* name : {"snapshot2", "timestamp2"}) {
    ASSERT_TRUE(WriteFileDurably(lab_ / name, lab_.key(name).ToPem()).ok());
  }
  for (const char* at : {"tuf.root_published", "tuf.targets_published", "tuf.snapshot_published"}) {
    SCOPED_TRACE(at);
    const std::string state = lab_ / fmt::format("state.{}", at);
    ASSERT_EQ(Refresh(state, b_), "ok");
    const std::string folder = lab_.Copy(b_, fmt::format("repository.{}", at));
    {
      Repository repository = Repository::Open(folder).value();
      ASSERT_TRUE(repository
                      .DraftRoot(lab_.RootOf({"root2", "root3"}, {"targets2", "targets3"},
                                             "snapshot2", "timestamp2"))
                      .ok());
      lab_.Sign(repository, {"root1", "root2", "root3", "targets2", "targets3"});
    }
    const std::string arguments =
        fmt::format("refresh {} {} {} {}", folder, kNow, lab_ / "snapshot2", lab_ / "timestamp2");
    EXPECT_EQ(Run(at, arguments), kKilled);
    EXPECT_EQ(Run("", arguments), 0);
    EXPECT_EQ(Refresh(state, folder), "ok");
    EXPECT_EQ(Run("", arguments), 0);
    EXPECT_EQ(Refresh(state, folder), "ok");
  }
}

}  // namespace
}  // namespace gleaner::tuf
