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
  std::string Id(const std::string& name) const { return lab_.key(name).public_key().id; }
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
  EXPECT_THAT(repository.Sign(lab_.key("targets1")).value(),
              ElementsAre(testing::Field(&Repository::Signing::role, Role::kTargets)));
  const absl::Status refreshed = lab_.Refresh(repository, {"snapshot", "stranger"});
  EXPECT_THAT(std::string(Message(refreshed)),
              HasSubstr("0 of the 1 keys that root version 1 wants for timestamp are at hand"));
}

TEST_F(TufRepository, SaysWhoSignedADraftAndWhoElseMay) {
  Repository repository = Repository::Open(a_).value();
  ASSERT_TRUE(repository
                  .DraftRoot(lab_.RootOf({"root2", "root3"}, {"targets1", "targets2"}, "snapshot",
                                         "timestamp"))
                  .ok());
  lab_.Sign(repository, {"root2"});
  const auto draft = repository.Drafts().value().at(0);
  EXPECT_THAT(draft.signed_by, ElementsAre(Id("root2")));
  EXPECT_THAT(draft.may_sign, ElementsAre(Id("root3")));
  EXPECT_THAT(draft.signed_by_of_before, ElementsAre(Id("root2")));
  EXPECT_THAT(draft.may_sign_of_before, ElementsAre(Id("root1")));
}

TEST_F(TufRepository, CountsNoSignatureThatIsNotNeeded) {
  Repository repository = Repository::Open(a_).value();
  Root root =
      lab_.RootOf({"root1", "root2", "root3"}, {"targets1", "targets2"}, "snapshot", "timestamp");
  root.Of(Role::kRoot).threshold = 2;
  ASSERT_TRUE(repository.DraftRoot(root).ok());
  lab_.Sign(repository, {"root1", "root2", "root3"});
  const auto draft = repository.Drafts().value().at(0);
  EXPECT_EQ(draft.signatures, 2u);
  EXPECT_EQ(draft.signed_by.size(), 3u);
  EXPECT_TRUE(lab_.Refresh(repository).ok());
}

TEST_F(TufRepository, SignsNothingTwiceWithTheSameKey) {
  Repository repository = Repository::Open(a_).value();
  lab_.Add(repository, kGoods2, "2");
  EXPECT_FALSE(repository.Sign(lab_.key("targets1")).value().at(0).had_signed);
  const auto again = repository.Sign(lab_.key("targets1")).value().at(0);
  EXPECT_TRUE(again.had_signed);
  EXPECT_EQ(again.version, 2u);
  lab_.Add(repository, "other", "3");
  EXPECT_FALSE(repository.Sign(lab_.key("targets1")).value().at(0).had_signed);
}

TEST_F(TufRepository, SignsAnewWhereTheSignatureThatIsThereIsNotOfTheseBytes) {
  Repository repository = Repository::Open(a_).value();
  lab_.Add(repository, kGoods2, "2");
  const Targets drafted = repository.NextTargets().value().content;
  lab_.Write(a_ + "/draft/targets.json",
             Write(drafted, {{Id("targets1"), lab_.key("targets1").Sign("other").value()}}));
  EXPECT_FALSE(repository.Sign(lab_.key("targets1")).value().at(0).had_signed);
  EXPECT_EQ(repository.Drafts().value().at(0).signatures, 1u);
}

TEST_F(TufRepository, WithdrawsADraftAndLeavesWhatIsPublished) {
  Repository repository = Repository::Open(a_).value();
  EXPECT_TRUE(absl::IsNotFound(repository.Discard(Role::kTargets).status()));
  EXPECT_TRUE(absl::IsNotFound(repository.Discard(Role::kSnapshot).status()));
  lab_.Add(repository, kGoods2, "2");
  EXPECT_THAT(repository.Discard(Role::kTargets).value(), ElementsAre(Role::kTargets));
  EXPECT_TRUE(repository.Drafts().value().empty());
  EXPECT_EQ(repository.NextTargets().value().content.version, 1u);
  EXPECT_TRUE(lab_.Refresh(repository).ok());
  EXPECT_EQ(Take(a_), "ok");
}

TEST_F(TufRepository, WithdrawsWithARootTheTargetsThatWereDraftedForItsKeysAlone) {
  Repository repository = Repository::Open(a_).value();
  const Root rotated = lab_.RootOf({"root1", "root2"}, {"targets3"}, "snapshot", "timestamp");
  ASSERT_TRUE(repository.DraftRoot(rotated).ok());
  EXPECT_EQ(repository.Drafts().value().size(), 2u);
  EXPECT_THAT(repository.Discard(Role::kRoot).value(), ElementsAre(Role::kRoot, Role::kTargets));
  EXPECT_TRUE(repository.Drafts().value().empty());
  ASSERT_TRUE(repository.DraftRoot(rotated).ok());
  lab_.Add(repository, kGoods2, "2");
  EXPECT_THAT(repository.Discard(Role::kRoot).value(), ElementsAre(Role::kRoot));
  lab_.Sign(repository, {"targets1", "targets2"});
  EXPECT_TRUE(lab_.Refresh(repository).ok());
  EXPECT_EQ(Take(a_), "ok");
}

TEST_F(TufRepository, WithdrawsOnlyTheChangesOfTargetsThatANewRootNeeds) {
  Repository repository = Repository::Open(a_).value();
  ASSERT_TRUE(
      repository.DraftRoot(lab_.RootOf({"root1", "root2"}, {"targets3"}, "snapshot", "timestamp"))
          .ok());
  lab_.Add(repository, kGoods2, "2");
  EXPECT_THAT(repository.Discard(Role::kTargets).value(), ElementsAre());
  EXPECT_EQ(repository.NextTargets().value().content.targets.size(), 1u);
  EXPECT_THAT(std::string(Message(repository.Discard(Role::kTargets).status())),
              HasSubstr("needs it: discard that one"));
  lab_.Sign(repository, {"root1", "root2", "targets3"});
  EXPECT_TRUE(lab_.Refresh(repository).ok());
  EXPECT_EQ(Take(a_), "ok");
}

TEST_F(TufRepository, IsStillOneWhereItsFirstDraftsAreWithdrawn) {
  Repository repository =
      Repository::Create(lab_ / "new", lab_.FirstRoot(), kNow + 90 * kDay).value();
  EXPECT_THAT(std::string(Message(repository.Discard(Role::kRoot).status())),
              HasSubstr("no root is published yet"));
  EXPECT_THAT(std::string(Message(repository.Discard(Role::kTargets).status())),
              HasSubstr("the first publication needs it"));
  lab_.Add(repository, kGoods2, "2");
  EXPECT_THAT(repository.Discard(Role::kTargets).value(), ElementsAre());
  EXPECT_TRUE(repository.NextTargets().value().content.targets.empty());
  lab_.Sign(repository, {"root1", "root2", "targets1", "targets2"});
  EXPECT_TRUE(lab_.Refresh(repository).ok());
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
