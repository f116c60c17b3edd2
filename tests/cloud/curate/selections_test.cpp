#include "cloud/curate/selections.h"

#include <gmock/gmock.h>

#include <set>

#include "tests/cloud/curate/curate_testing.h"

namespace gleaner::cloud {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr uint32_t kBottle = 1, kMug = 2;

class SelectionsTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  CurateRig rig_{folder_ / ""};
};

std::set<std::string> FramesOf(const v1::GetSelectionResponse& selection) {
  std::set<std::string> frames;
  for (const v1::SelectionPick& pick : selection.picks()) {
    frames.insert(pick.frame().clip() + "/" + std::to_string(pick.frame().pts()));
  }
  return frames;
}

TEST_F(SelectionsTest, AreFramesWithReasonsByNameAndPlace) {
  for (uint64_t clip = 1; clip <= 6; ++clip) rig_.AddClip(clip, 5);
  const auto made = rig_.Select(CurateRig::Request("first"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->selection().picks(), 6U);
  EXPECT_EQ(made->selection().made_by(), "ann");
  EXPECT_EQ(made->selection().pool().frames(), 30U);
  EXPECT_EQ(made->selection().pool().embedded(), 30U);
  EXPECT_EQ(made->selection().pool().clusters(), 18U);
  EXPECT_EQ(made->selection().embedding_model(), "test-embedding");
  EXPECT_EQ(FramesOf(*made).size(), 6U);
  std::set<std::string> strategies;
  for (const v1::SelectionPick& pick : made->picks()) {
    EXPECT_NE(pick.reason(), "");
    EXPECT_NE(pick.cluster(), 0U);
    EXPECT_THAT(pick.site(), HasSubstr("store-"));
    strategies.insert(pick.strategy());
  }
  EXPECT_THAT(strategies, Contains("random"));
  EXPECT_THAT(strategies, Contains("random_after_dedup"));
  EXPECT_THAT(strategies, Contains("hybrid"));
}

TEST_F(SelectionsTest, AskTheEmbeddingModelThatMostFramesHaveOrTheNamedOne) {
  const auto frames = rig_.AddClip(1, 6);
  rig_.Embed(frames[0], "another", {1, 0});
  const auto usual = rig_.Select(CurateRig::Request("usual"));
  ASSERT_TRUE(usual.ok()) << usual.status();
  EXPECT_EQ(usual->selection().embedding_model(), "test-embedding");
  EXPECT_EQ(usual->selection().pool().embedded(), 6U);
  v1::CreateSelectionRequest request = CurateRig::Request("named");
  request.set_embedding_model("another");
  const auto named = rig_.Select(request);
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->selection().pool().embedded(), 1U);
}

TEST_F(SelectionsTest, NeverOfferEmptyBackgroundNorWhatHasALabel) {
  std::set<std::string> not_offered;
  for (uint64_t clip = 1; clip <= 4; ++clip) {
    const auto frames = rig_.AddClip(clip, 4);
    rig_.MakeBackground(frames[0]);
    rig_.Label(frames[1], kMug);
    for (const size_t i : {0, 1}) {
      not_offered.insert(frames[i].clip + "/" + std::to_string(frames[i].pts));
    }
  }
  const auto made = rig_.Select(CurateRig::Request("all", 100));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->selection().pool().background(), 4U);
  EXPECT_EQ(made->selection().pool().labelled(), 4U);
  EXPECT_EQ(made->selection().picks(), 8U);
  for (const std::string& frame : FramesOf(*made)) EXPECT_FALSE(not_offered.contains(frame));
  EXPECT_THAT(made->selection().notes(), Contains(HasSubstr("8 of 100 frames were chosen")));
}

TEST_F(SelectionsTest, KnowWhatIsLabelledThoughTheFilterDoesNotFindIt) {
  const auto frames = rig_.AddClip(1, 6);
  for (size_t i = 0; i < 3; ++i) rig_.Label(frames[i], kMug);
  v1::CreateSelectionRequest request = CurateRig::Request("rest", 3);
  request.set_filter("reviewed:no");
  const auto made = rig_.Select(request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->selection().pool().frames(), 3U);
  EXPECT_EQ(made->selection().pool().embedded(), 3U);
  EXPECT_EQ(made->selection().pool().labelled(), 3U);
  for (const v1::SelectionPick& pick : made->picks()) EXPECT_GE(pick.frame().pts(), 3000);
}

TEST_F(SelectionsTest, AskTheNamedModel) {
  const auto frames = rig_.AddClip(1, 10);
  for (size_t i = 0; i < frames.size(); ++i) {
    rig_.Predict(frames[i], {CurateRig::Box(.25, kBottle, .95)}, "ssd");
    rig_.Predict(frames[i], {CurateRig::Box(.25, kMug, i == 7 ? .51 : .9)}, "other");
  }
  v1::CreateSelectionRequest request = CurateRig::Request("doubt", 3);
  request.set_model("other");
  request.add_arms()->set_strategy("margin");
  request.mutable_arms(0)->set_share(1);
  const auto made = rig_.Select(request);
  ASSERT_TRUE(made.ok()) << made.status();
  const v1::SelectionPick& last = made->picks(2);
  if (FramesOf(*made).contains(frames[7].clip + "/7000")) {
    for (const v1::SelectionPick& pick : made->picks()) {
      EXPECT_EQ(pick.predicted(), "mug");
      if (pick.strategy() == "margin" && pick.frame().pts() == 7000) {
        EXPECT_EQ(pick.reason(), "margin 0.02 between mug and nothing");
      }
    }
  }
  EXPECT_EQ(last.strategy(), "margin");
}

TEST_F(SelectionsTest, HoldTheFilterAndTheQuotas) {
  for (uint64_t clip = 1; clip <= 8; ++clip) rig_.AddClip(clip, 6);
  v1::CreateSelectionRequest request = CurateRig::Request("few", 20);
  request.set_filter("site:store-1");
  request.mutable_quotas()->set_device(2);
  const auto made = rig_.Select(request);
  ASSERT_TRUE(made.ok()) << made.status();
  std::map<std::string, int> devices;
  for (const v1::SelectionPick& pick : made->picks()) {
    EXPECT_EQ(pick.site(), "store-1");
    EXPECT_LE(++devices[pick.device()], 2);
  }
  EXPECT_EQ(made->selection().picks(), 6U);
  EXPECT_THAT(made->selection().notes(), Contains(HasSubstr("within the quotas")));
}

TEST_F(SelectionsTest, AreRefusedByWhatIsWrong) {
  rig_.AddClip(1, 6);
  const auto why = [&](const std::function<void(v1::CreateSelectionRequest&)>& change) {
    v1::CreateSelectionRequest request = CurateRig::Request("x");
    change(request);
    return std::string(Message(rig_.Ask(request).status()));
  };
  EXPECT_THAT(why([](auto& r) { r.set_name("No Name"); }), HasSubstr("name: "));
  EXPECT_THAT(why([](auto& r) { r.set_schema("none"); }), HasSubstr("none"));
  EXPECT_THAT(why([](auto& r) { r.set_filter("colour:red"); }), HasSubstr("colour"));
  EXPECT_THAT(why([](auto& r) { r.set_budget(2); }), HasSubstr("budget: "));
  EXPECT_THAT(why([](auto& r) { r.set_model("a\nb"); }), HasSubstr("model: "));
  EXPECT_THAT(why([](auto& r) { r.add_arms()->set_strategy("psychic"); }),
              HasSubstr("arms: there is no strategy"));
  EXPECT_THAT(why([](auto& r) {
                for (int i = 0; i < 20; ++i) r.add_arms()->set_strategy("margin");
              }),
              HasSubstr("at most 16"));
}

TEST_F(SelectionsTest, HaveANameOnceAndTheSameJobWhileTheyAreChosen) {
  rig_.AddClip(1, 6);
  const auto first = rig_.Ask(CurateRig::Request("one"));
  const auto again = rig_.Ask(CurateRig::Request("one"));
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->number(), again->number());
  ASSERT_TRUE(rig_.Work().ok());
  EXPECT_TRUE(absl::IsAlreadyExists(rig_.Ask(CurateRig::Request("one")).status()));
}

TEST_F(SelectionsTest, AJobThatCannotBeDoneSaysWhyAndLeavesNothing) {
  EXPECT_TRUE(absl::IsFailedPrecondition(rig_.Select(CurateRig::Request("empty")).status()));
  rig_.AddClip(1, 6);
  v1::CreateSelectionRequest request = CurateRig::Request("doubt");
  request.add_arms()->set_strategy("margin");
  request.mutable_arms(0)->set_share(1);
  const auto made = rig_.Select(request);
  EXPECT_THAT(std::string(Message(made.status())), HasSubstr("margin needs a model's predictions"));
  request = CurateRig::Request("likeness");
  request.set_embedding_model("none");
  EXPECT_TRUE(absl::IsNotFound(rig_.Select(request).status()));
  EXPECT_THAT(rig_.selections->List({})->selections(), IsEmpty());
}

TEST_F(SelectionsTest, OfMoreFramesThanFitAreChosenFromASample) {
  const TemporaryFolder folder;
  CurateRig rig(folder / "", 20);
  for (uint64_t clip = 1; clip <= 10; ++clip) rig.AddClip(clip, 6);
  const auto made = rig.Select(CurateRig::Request("sampled", 8));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->selection().picks(), 8U);
  EXPECT_EQ(made->selection().pool().frames(), 60U);
  EXPECT_THAT(made->selection().notes(), Contains(HasSubstr("of the 60 frames")));
  const auto again = rig.Select(CurateRig::Request("again", 8));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(FramesOf(*made), FramesOf(*again));
}

TEST_F(SelectionsTest, AreFoundByTheirNameWhereFiltersAre) {
  for (uint64_t clip = 1; clip <= 5; ++clip) rig_.AddClip(clip, 6);
  const auto made = rig_.Select(CurateRig::Request("monday"));
  ASSERT_TRUE(made.ok()) << made.status();
  Frames frames(rig_.catalog->database());
  const auto find = [&](const std::string& text) -> absl::StatusOr<std::set<std::string>> {
    auto filter = ParseFilter(text, 0, TestWords(), FilterOf::kFrames);
    if (!filter.ok()) return filter.status();
    v1::ListFramesRequest request;
    request.set_page_size(500);
    auto page = frames.List(request, *filter);
    if (!page.ok()) return page.status();
    std::set<std::string> found;
    for (const v1::Frame& frame : page->frames()) {
      found.insert(frame.id().clip() + "/" + std::to_string(frame.id().pts()));
    }
    return found;
  };
  EXPECT_EQ(*find("selected:monday"), FramesOf(*made));
  EXPECT_EQ(find("-selected:monday")->size(), 24U);
  const auto nobody = find("selected:tuesday");
  EXPECT_THAT(std::string(Message(nobody.status())), HasSubstr("there is no selection tuesday"));
  // And are left out of the next one by whoever wants that.
  v1::CreateSelectionRequest request = CurateRig::Request("tuesday", 24);
  request.set_filter("-selected:monday");
  const auto next = rig_.Select(request);
  ASSERT_TRUE(next.ok()) << next.status();
  for (const std::string& frame : FramesOf(*next)) EXPECT_FALSE(FramesOf(*made).contains(frame));
}

TEST_F(SelectionsTest, AreListedNewestFirstAndPickedThroughInPages) {
  for (uint64_t clip = 1; clip <= 4; ++clip) rig_.AddClip(clip, 5);
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(rig_.Select(CurateRig::Request(name)).ok());
  v1::ListSelectionsRequest list;
  list.set_page_size(2);
  auto page = rig_.selections->List(list);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->selections(0).name(), "c");
  EXPECT_EQ(page->selections(1).name(), "b");
  list.set_page_token(page->next_page_token());
  page = rig_.selections->List(list);
  EXPECT_EQ(page->selections(0).name(), "a");
  EXPECT_EQ(page->next_page_token(), "");

  v1::GetSelectionRequest get;
  get.set_name("a");
  get.set_page_size(4);
  v1::GetSelectionResponse all;
  do {
    const auto picks = rig_.selections->Get(get);
    ASSERT_TRUE(picks.ok()) << picks.status();
    all.mutable_picks()->MergeFrom(picks->picks());
    get.set_page_token(picks->next_page_token());
  } while (!get.page_token().empty());
  EXPECT_EQ(FramesOf(all), FramesOf(*rig_.Get("a")));
  get.set_page_token("x");
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.selections->Get(get).status()));
  get.set_name("nobody");
  get.clear_page_token();
  EXPECT_TRUE(absl::IsNotFound(rig_.selections->Get(get).status()));
}

TEST_F(SelectionsTest, CompareTellsWhatIsInBothWhereTheyDifferAndWhatBecameOfEach) {
  std::vector<FrameName> frames;
  for (uint64_t clip = 1; clip <= 6; ++clip) {
    for (const FrameName& frame : rig_.AddClip(clip, 6)) {
      frames.push_back(frame);
      rig_.Predict(frame, {CurateRig::Box(.25, kBottle, .9)});
    }
  }
  v1::CreateSelectionRequest request = CurateRig::Request("odd", 9);
  request.set_filter("site:store-1");
  const auto odd = rig_.Select(request);
  request = CurateRig::Request("all", 36);
  const auto all = rig_.Select(request);
  ASSERT_TRUE(odd.ok() && all.ok()) << odd.status() << all.status();
  rig_.clock.Advance(kNanosPerSecond);
  // Two frames of "odd": one as it was predicted, one not.
  const auto name = [&](int i) {
    const v1::FrameId& id = odd->picks(i).frame();
    return FrameName{id.clip(), id.camera(), id.pts()};
  };
  rig_.Label(name(0), kBottle, 1500);
  rig_.Label(name(1), kMug, 4500);
  rig_.Label(name(1), kMug, 500);

  v1::CompareSelectionsRequest compare;
  compare.set_from("odd");
  compare.set_to("all");
  const auto compared = rig_.selections->Compare(compare);
  ASSERT_TRUE(compared.ok()) << compared.status();
  EXPECT_EQ(compared->both(), 9U);
  EXPECT_EQ(compared->from().labelled(), 2U);
  EXPECT_EQ(compared->from().created(), 2U);
  EXPECT_EQ(compared->from().class_changed(), 1U);
  EXPECT_EQ(compared->from().human_ms(), 6500U);
  EXPECT_EQ(compared->to().labelled(), 2U);
  EXPECT_EQ(compared->from().gone(), 0U);
  EXPECT_GT(compared->both_clusters(), 0U);
  bool site = false;
  for (const v1::SelectionDifference& one : compared->differences()) {
    if (one.what() != "site" || one.value() != "store-0") continue;
    site = true;
    EXPECT_EQ(one.from(), 0U);
    EXPECT_EQ(one.to(), 18U);
  }
  EXPECT_TRUE(site);
  compare.set_to("nobody");
  EXPECT_TRUE(absl::IsNotFound(rig_.selections->Compare(compare).status()));
}

TEST_F(SelectionsTest, AJobThatIsToEndEndsAndLeavesNothing) {
  for (uint64_t clip = 1; clip <= 4; ++clip) rig_.AddClip(clip, 5);
  PoolReader reader(rig_.catalog->database());
  std::stop_source stop;
  stop.request_stop();
  const auto read = reader.Read({.filter = {}, .schema = "carts"}, stop.get_token(), [](size_t) {});
  EXPECT_TRUE(absl::IsCancelled(read.status()));
}

}  // namespace
}  // namespace gleaner::cloud
