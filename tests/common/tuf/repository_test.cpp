#include "common/tuf/repository.h"

#include <gmock/gmock.h>

#include "tests/common/tuf/lab.h"

namespace gleaner::tuf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kNow = 1'800'000'000;

class TufRepository : public testing::Test {
 protected:
  std::string Take(const std::string& folder) {
    FolderFetcher fetcher(folder);
    Client client =
        Client::Open({.packaged_root = ReadFile(a_ + "/1.root.json", 1 << 20).value()}, clock_)
            .value();
    return NameOf(client.Refresh(fetcher));
  }

  Lab lab_{kNow};
  FakeClock clock_{0, kNow* kNanosPerSecond};
  std::string a_ = lab_.FirstStage();
};

TEST_F(TufRepository, PublishesNothingThatLacksASignature) {
  const std::string at = lab_ / "new";
  Repository repository = Repository::Create(at, lab_.FirstRoot(), kNow + kDay).value();
  lab_.Sign(repository, {"root1", "targets1", "targets2"});
  EXPECT_THAT(std::string(Message(lab_.Refresh(repository))), HasSubstr("the first root"));
  lab_.Sign(repository, {"root2"});
  EXPECT_TRUE(lab_.Refresh(repository).ok());
  lab_.Add(repository, kGoods2, "2");
  lab_.Sign(repository, {"targets1"});
  const auto drafts = repository.Drafts().value();
  ASSERT_EQ(drafts.size(), 1u);
  EXPECT_EQ(drafts[0].signatures, 1u);
  EXPECT_FALSE(drafts[0].complete());
  // The rest goes on meanwhile.
  EXPECT_TRUE(lab_.Refresh(repository).ok());
  EXPECT_EQ(repository.PublishedTargets().value()->content.version, 1u);
  EXPECT_EQ(repository.PublishedTimestamp().value()->content.version, 2u);
}

TEST_F(TufRepository, ForgetsTheSignaturesOfADraftThatIsChanged) {
  Repository repository = Repository::Open(a_).value();
  lab_.Add(repository, kGoods2, "2");
  lab_.Sign(repository, {"targets1", "targets2"});
  EXPECT_TRUE(repository.Drafts().value().at(0).complete());
  lab_.Add(repository, "other", "3");
  EXPECT_EQ(repository.Drafts().value().at(0).signatures, 0u);
  EXPECT_EQ(repository.NextTargets().value().content.targets.size(), 3u);
}

TEST_F(TufRepository, RefusesANewRootWhoseKeysDidNotSignTheTargets) {
  Repository repository = Repository::Open(a_).value();
  ASSERT_TRUE(
      repository.DraftRoot(lab_.RootOf({"root1", "root2"}, {"targets3"}, "snapshot", "timestamp"))
          .ok());
  lab_.Sign(repository, {"root1", "root2"});
  EXPECT_THAT(std::string(Message(lab_.Refresh(repository))),
              HasSubstr("sign the draft of targets with the new keys first"));
  EXPECT_EQ(Take(a_), "ok");
  lab_.Sign(repository, {"targets3"});
  EXPECT_TRUE(lab_.Refresh(repository).ok());
  EXPECT_EQ(Take(a_), "ok");
}

TEST_F(TufRepository, AsksForTheKeysOfTheRootBeforeAsWell) {
  Repository repository = Repository::Open(a_).value();
  ASSERT_TRUE(repository
                  .DraftRoot(lab_.RootOf({"root2", "root3"}, {"targets1", "targets2"}, "snapshot",
                                         "timestamp"))
                  .ok());
  lab_.Sign(repository, {"root2", "root3"});
  const auto draft = repository.Drafts().value().at(0);
  EXPECT_EQ(draft.signatures, 2u);
  EXPECT_EQ(draft.signatures_of_before, 1u);
  EXPECT_FALSE(draft.complete());
  lab_.Sign(repository, {"root1"});
  EXPECT_TRUE(repository.Drafts().value().at(0).complete());
}

TEST_F(TufRepository, SignsWithNoKeyThatNobodyNamed) {
  Repository repository = Repository::Open(a_).value();
  lab_.Add(repository, kGoods2, "2");
  const auto done = repository.Sign(lab_.key("stranger"));
  EXPECT_TRUE(absl::IsFailedPrecondition(done.status())) << done.status();
  EXPECT_THAT(repository.Sign(lab_.key("targets1")).value(), ElementsAre(Role::kTargets));
  const absl::Status refreshed = lab_.Refresh(repository, {"snapshot", "stranger"});
  EXPECT_THAT(std::string(Message(refreshed)),
              HasSubstr("0 of the 1 keys that root version 1 wants for timestamp are at hand"));
}

TEST_F(TufRepository, MakesANewSnapshotOnlyWhereSomethingChangedOrHalfItsLifeIsOver) {
  Repository repository = Repository::Open(a_).value();
  EXPECT_TRUE(lab_.Refresh(repository).ok());
  EXPECT_EQ(repository.PublishedSnapshot().value()->content.version, 1u);
  std::vector<PrivateKey> keys;
  for (const char* name : {"snapshot", "timestamp"}) {
    keys.push_back(PrivateKey::Parse(lab_.key(name).ToPem(), name).value());
  }
  EXPECT_THAT(repository.Refresh(keys, {}, kNow + 3 * kDay).value(), ElementsAre(Role::kTimestamp));
  EXPECT_THAT(repository.Refresh(keys, {}, kNow + 4 * kDay).value(),
              ElementsAre(Role::kSnapshot, Role::kTimestamp));
  const auto expired = repository.Refresh(keys, {}, kNow + 91 * kDay);
  EXPECT_THAT(std::string(Message(expired.status())), HasSubstr("targets expired at"));
}

TEST_F(TufRepository, IsOneProcesssAtATime) {
  const Repository repository = Repository::Open(a_).value();
  EXPECT_TRUE(absl::IsUnavailable(Repository::Open(a_).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Repository::Open(lab_ / "none").status()));
  EXPECT_TRUE(absl::IsAlreadyExists(
      Repository::Create(lab_.Copy(a_, "copy"), lab_.FirstRoot(), kNow).status()));
}

TEST_F(TufRepository, TakesNoTargetThatAClientWouldRefuse) {
  Repository repository = Repository::Open(a_).value();
  lab_.Write(lab_ / "file", "x");
  const auto add = [&](const std::string& path, const std::string& custom) {
    return repository.AddTarget(lab_ / "file", path, custom, kNow + kDay).status();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(add("../x", "")));
  EXPECT_TRUE(absl::IsInvalidArgument(add("x", "[]")));
  EXPECT_EQ(NameOf(add("x", "{\"a\": 0.5}")), "malformed");
  EXPECT_EQ(NameOf(add("x", "{\"a\": \"" + std::string(kMaxCustomBytes, 'x') + "\"}")),
            "malformed");
  EXPECT_TRUE(add("x", "{}").ok());
}

TEST_F(TufRepository, SaysSoWhereADraftWasChangedByHand) {
  Repository repository = Repository::Open(a_).value();
  lab_.Add(repository, kGoods2, "2");
  const std::string path = a_ + "/draft/targets.json";
  std::string text = ReadFile(path, 1 << 20).value();
  text.insert(text.find("\"version\""), "\"more\": 1, ");
  lab_.Write(path, text);
  EXPECT_THAT(std::string(Message(repository.Sign(lab_.key("targets1")).status())),
              HasSubstr("changed by hand"));
}

}  // namespace
}  // namespace gleaner::tuf
