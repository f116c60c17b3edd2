#include "common/tuf/client.h"

#include <gmock/gmock.h>

#include "tests/common/tuf/lab.h"

namespace gleaner::tuf {
namespace {

constexpr int64_t kNow = 1'800'000'000;

class TufClient : public testing::Test {
 protected:
  Client Open(const std::string& state) {
    return Client::Open({.packaged_root = ReadFile(a_ + "/1.root.json", 1 << 20).value(),
                         .state_path = state.empty() ? "" : lab_ / state},
                        clock_)
        .value();
  }
  static std::string Refresh(Client& client, const std::string& folder) {
    FolderFetcher fetcher(folder);
    return NameOf(client.Refresh(fetcher));
  }

  Lab lab_{kNow};
  FakeClock clock_{0, kNow* kNanosPerSecond};
  std::string a_ = lab_.FirstStage();
};

TEST_F(TufClient, FollowsARepositoryThroughNewTargetsAndANewRoot) {
  const std::string b = lab_.SecondStage(a_);
  const std::string c = lab_.ThirdStage(b);
  Client client = Open("state");
  EXPECT_EQ(NameOf(client.Find(kGoods1).status()), "missing");
  EXPECT_EQ(Refresh(client, a_), "ok");
  EXPECT_TRUE(client.Find(kGoods1).ok());
  EXPECT_EQ(NameOf(client.Find(kGoods2).status()), "missing");
  EXPECT_EQ(Refresh(client, b), "ok");
  EXPECT_TRUE(client.Find(kGoods2).ok());
  EXPECT_EQ(Refresh(client, c), "ok");
  EXPECT_EQ(client.root().version, 2u);
  EXPECT_EQ(client.targets()->version, 3u);
  // One that never saw the steps between comes to the same.
  Client late = Open("");
  EXPECT_EQ(Refresh(late, c), "ok");
  EXPECT_EQ(late.root().version, 2u);
}

TEST_F(TufClient, RemembersAfterARestartWhatItTrusted) {
  const std::string b = lab_.SecondStage(a_);
  {
    Client client = Open("state");
    EXPECT_EQ(Refresh(client, b), "ok");
  }
  Client again = Open("state");
  EXPECT_EQ(again.note(), "");
  EXPECT_EQ(Refresh(again, a_), "rollback");
  EXPECT_EQ(Refresh(again, b), "ok");
}

TEST_F(TufClient, WritesNothingWhereNothingIsNew) {
  Client client = Open("state");
  EXPECT_EQ(Refresh(client, a_), "ok");
  const std::string before = ReadFile(lab_ / "state", 1 << 22).value();
  ASSERT_EQ(::unlink((lab_ / "state").c_str()), 0);
  EXPECT_EQ(Refresh(client, a_), "ok");
  EXPECT_FALSE(std::filesystem::exists(lab_ / "state"));
  EXPECT_FALSE(before.empty());
}

TEST_F(TufClient, KeepsTheLastGoodTargetsThroughAnAttack) {
  const std::string b = lab_.SecondStage(a_);
  Client client = Open("state");
  EXPECT_EQ(Refresh(client, b), "ok");
  EXPECT_EQ(Refresh(client, a_), "rollback");
  EXPECT_TRUE(client.Find(kGoods2).ok());
}

TEST_F(TufClient, IsFrozenByARepositoryThatStandsStill) {
  Client client = Open("state");
  EXPECT_EQ(Refresh(client, a_), "ok");
  clock_.StepWall(kDay * kNanosPerSecond - kNanosPerSecond);
  EXPECT_EQ(Refresh(client, a_), "ok");
  clock_.StepWall(kNanosPerSecond);
  EXPECT_EQ(Refresh(client, a_), "freeze");
}

TEST_F(TufClient, BelievesThePackageWhereTheKeptStateIsUnreadable) {
  Client first = Open("state");
  EXPECT_EQ(Refresh(first, a_), "ok");
  lab_.Write(lab_ / "state", "{\"root\": \"x");
  Client client = Open("state");
  EXPECT_THAT(client.note(), testing::HasSubstr("begun anew from the root of the package"));
  EXPECT_EQ(Refresh(client, a_), "ok");
  lab_.Write(lab_ / "state", "{\"root\": \"x\"}");
  Client again = Open("state");
  EXPECT_THAT(again.note(), testing::HasSubstr("begun anew from the root of the package"));
  EXPECT_EQ(Refresh(again, a_), "ok");
}

TEST_F(TufClient, TakesTheNewerOfTheKeptAndThePackagedRoot) {
  const std::string c = lab_.ThirdStage(lab_.SecondStage(a_));
  {
    Client client = Open("state");
    EXPECT_EQ(Refresh(client, c), "ok");
  }
  EXPECT_EQ(Open("state").root().version, 2u);
  const Client packaged =
      Client::Open({.packaged_root = ReadFile(c + "/2.root.json", 1 << 20).value(),
                    .state_path = lab_ / "other"},
                   clock_)
          .value();
  EXPECT_EQ(packaged.root().version, 2u);
}

TEST_F(TufClient, HandsOnWhatTheTransportSays) {
  class Broken : public Fetcher {
    absl::Status Fetch(const std::string& /*path*/, const Sink& /*sink*/) override {
      return absl::UnavailableError("no network");
    }
  } broken;
  Client client = Open("");
  const absl::Status status = client.Refresh(broken);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_FALSE(RefusalOf(status).has_value());
}

// A thief of the timestamp key can sign a version that no honest one will reach; keys that are
// exchanged end that.
TEST_F(TufClient, RecoversFromAVersionFarAheadByNewKeys) {
  const std::string b = lab_.SecondStage(a_);
  const std::string ahead = lab_.Copy(b, "ahead");
  lab_.PutTimestamp(ahead, kMaxNumber, lab_.Get<Timestamp>(b + "/timestamp.json").content.snapshot);
  Client client = Open("state");
  EXPECT_EQ(Refresh(client, ahead), "ok");
  EXPECT_EQ(Refresh(client, b), "rollback");
  EXPECT_EQ(Refresh(client, lab_.ThirdStage(b)), "ok");
}

TEST_F(TufClient, WalksThroughNoMoreRootsAtOnceThanItMay) {
  const std::string c = lab_.Copy(a_, "many");
  for (int version = 2; version <= kMaxRootRotations + 2; ++version) {
    Root root = lab_.FirstRoot();
    root.version = static_cast<uint64_t>(version);
    lab_.Put(fmt::format("{}/{}.root.json", c, version), root, {"root1", "root2"});
  }
  Client client = Open("");
  EXPECT_EQ(Refresh(client, c), "ok");
  EXPECT_EQ(client.root().version, uint64_t{kMaxRootRotations} + 1);
  EXPECT_EQ(Refresh(client, c), "ok");
  EXPECT_EQ(client.root().version, uint64_t{kMaxRootRotations} + 2);
}

TEST_F(TufClient, ChecksATargetThatComesInPieces) {
  Client client = Open("");
  ASSERT_EQ(Refresh(client, a_), "ok");
  const Target target = client.Find(kGoods1).value();
  TargetCheck good(target);
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(good.Add("1").ok());
  EXPECT_EQ(NameOf(good.Finish()), "ok");
  TargetCheck shorter(target);
  EXPECT_TRUE(shorter.Add("1").ok());
  EXPECT_EQ(NameOf(shorter.Finish()), "altered");
  TargetCheck longer(target);
  EXPECT_EQ(NameOf(longer.Add(std::string(10'001, '1'))), "endless_data");
}

}  // namespace
}  // namespace gleaner::tuf
