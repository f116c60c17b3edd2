#include "cloud/label/tasks.h"

#include <gmock/gmock.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "cloud/label/annotation.h"
#include "cloud/label/disagreement.h"
#include "cloud/label/shares.h"
#include "cloud/label/task_rows.h"
#include "common/status.h"
#include "tests/cloud/label/label_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using v1::Task;

class TasksTest : public LabelRig {
 protected:
  void Fill(int frames, bool predicted = true, uint64_t sequence = 1) {
    if (!schemas_.Get("carts", 0).ok()) MakeSchema();
    ids_ = AddFrames(sequence, frames);
    if (!predicted) return;
    std::string lines;
    for (const v1::FrameId& id : ids_) lines += LineOf(id, Box(0.25, kBottle, 0.9));
    ASSERT_TRUE(Import(lines).ok());
  }
  std::string Refusal(const v1::CreateTasksRequest& request) {
    v1::CreateTasksRequest of_carts = request;
    of_carts.set_schema("carts");
    const auto status = tasks_.Create(of_carts, {}, operator_).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(Message(status));
  }
  std::vector<v1::FrameId> ids_;
};

TEST_F(TasksTest, EachPersonGetsATaskOfHisOwnAndKeepsItUntilItIsDone) {
  Fill(2);
  EXPECT_EQ(MakeTasks().open(), 2u);
  const auto of_ann = Take(ann_);
  ASSERT_EQ(of_ann.size(), 1u);
  EXPECT_EQ(of_ann[0].prelabel().boxes(0).class_id(), kBottle);
  EXPECT_EQ(of_ann[0].frame().width(), 1280u);
  const auto of_bob = Take(bob_);
  ASSERT_EQ(of_bob.size(), 1u);
  EXPECT_NE(of_ann[0].number(), of_bob[0].number());
  EXPECT_TRUE(Take(eve_).empty());
  clock_.Advance(kNanosPerSecond);
  const auto again = Take(ann_);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].number(), of_ann[0].number());
  EXPECT_GT(again[0].lease_unix_ns(), of_ann[0].lease_unix_ns());
  const auto label = Finish(again[0], ann_).value();
  EXPECT_EQ(label.verdict(), v1::Label::VERDICT_ACCEPTED);
  EXPECT_EQ(label.annotation().boxes(0).confidence(), 0);
  EXPECT_NE(label.prediction(), 0u);
  EXPECT_TRUE(absl::IsFailedPrecondition(Finish(again[0], ann_).status())) << "done is done";
  EXPECT_TRUE(absl::IsFailedPrecondition(Finish(of_bob[0], ann_).status())) << "it is bob's";
  EXPECT_TRUE(Take(ann_).empty());
  EXPECT_EQ(NewestSet().done(), 1u);
  EXPECT_EQ(NewestSet().open(), 1u);
}

TEST_F(TasksTest, ALeaseThatEndedIsTheNextOnesAndWhoComesLateIsTold) {
  Fill(1);
  MakeTasks();
  const auto task = Take(ann_);
  clock_.Advance(Tasks::kLeaseNs - 1);
  EXPECT_TRUE(Take(bob_).empty());
  clock_.Advance(1);
  const auto of_bob = Take(bob_);
  ASSERT_EQ(of_bob.size(), 1u);
  const auto late = Finish(task[0], ann_);
  EXPECT_TRUE(absl::IsFailedPrecondition(late.status()));
  EXPECT_THAT(std::string(Message(late.status())), HasSubstr("is not yours (any more)"));
  EXPECT_TRUE(Finish(of_bob[0], bob_).ok());
}

TEST_F(TasksTest, ALeaseThatEndedUnnoticedCostsNobodyHisWork) {
  Fill(1);
  MakeTasks();
  const auto task = Take(ann_);
  clock_.Advance(2 * Tasks::kLeaseNs);
  EXPECT_TRUE(Finish(task[0], ann_).ok());
}

TEST_F(TasksTest, WhatIsSkippedWaitsForItsRequeue) {
  Fill(1);
  MakeTasks();
  const auto task = Take(ann_);
  EXPECT_TRUE(absl::IsInvalidArgument(tasks_.Skip(task[0].number(), "", ann_)));
  EXPECT_TRUE(absl::IsInvalidArgument(tasks_.Skip(task[0].number(), std::string(201, 'x'), ann_)));
  EXPECT_TRUE(absl::IsFailedPrecondition(tasks_.Skip(task[0].number(), "too dark", bob_)));
  EXPECT_TRUE(absl::IsFailedPrecondition(tasks_.Requeue(task[0].number())));
  ASSERT_TRUE(tasks_.Skip(task[0].number(), "too dark", ann_).ok());
  EXPECT_TRUE(Take(ann_).empty());
  EXPECT_TRUE(Take(bob_).empty());
  EXPECT_EQ(AllTasks()[0].reason(), "too dark");
  EXPECT_EQ(NewestSet().skipped(), 1u);
  ASSERT_TRUE(tasks_.Requeue(task[0].number()).ok());
  EXPECT_EQ(Take(bob_).size(), 1u);
  EXPECT_TRUE(absl::IsNotFound(tasks_.Requeue(1'000)));
}

TEST_F(TasksTest, WhatIsGivenBackIsForOthersAtOnce) {
  Fill(3);
  MakeTasks();
  EXPECT_EQ(Take(ann_, 3).size(), 3u);
  EXPECT_TRUE(Take(bob_).empty());
  EXPECT_EQ(tasks_.Return("carts", ann_).value(), 3u);
  EXPECT_EQ(Take(bob_, 20).size(), 3u);
}

TEST_F(TasksTest, ThePriorityGoesFirstAndSetsOfOnePriorityTakeTurns) {
  Fill(6, false, 1);
  MakeTasks();
  Fill(2, false, 2);
  MakeTasks();
  Fill(1, false, 3);
  v1::CreateTasksRequest urgent;
  urgent.set_priority(1);
  MakeTasks(urgent);
  std::map<uint64_t, uint64_t> set_of;
  for (const Task& task : AllTasks()) set_of[task.number()] = task.set();
  std::vector<uint64_t> sets;
  for (const v1::ReviewTask& task : Take(ann_, 20)) sets.push_back(set_of[task.number()]);
  EXPECT_THAT(sets, ElementsAre(3, 1, 2, 1, 2, 1, 1, 1, 1));
}

TEST_F(TasksTest, FramesThatWaitOrAreLabelledGetNoSecondTask) {
  Fill(3);
  ASSERT_TRUE(Say(ids_[0], {}, ann_).ok());
  v1::TaskSet made = MakeTasks();
  EXPECT_EQ(made.open(), 2u);
  EXPECT_EQ(made.left_out(), 1u);
  made = MakeTasks();
  EXPECT_EQ(made.open(), 0u);
  EXPECT_EQ(made.left_out(), 3u);
  v1::CreateTasksRequest again;
  again.set_also_labelled(true);
  EXPECT_EQ(MakeTasks(again).open(), 1u);
}

TEST_F(TasksTest, ATaskForTwoIsForTwoAndTheSecondSeesNoPrelabel) {
  Fill(1);
  v1::CreateTasksRequest request;
  request.set_pair_share(1);
  EXPECT_EQ(MakeTasks(request).open(), 2u);
  const auto of_ann = Take(ann_, 20);
  ASSERT_EQ(of_ann.size(), 1u) << "only one of the two";
  EXPECT_TRUE(of_ann[0].has_prelabel());
  const auto of_bob = Take(bob_, 20);
  ASSERT_EQ(of_bob.size(), 1u);
  EXPECT_FALSE(of_bob[0].has_prelabel());
  EXPECT_TRUE(Take(eve_, 20).empty());
  ASSERT_TRUE(Finish(of_ann[0], ann_).ok());
  EXPECT_TRUE(Take(ann_, 20).empty());
  clock_.Advance(Tasks::kLeaseNs);
  EXPECT_TRUE(Take(ann_, 20).empty()) << "though bob's lease ended";
  EXPECT_EQ(Take(eve_, 20).size(), 1u);
}

TEST_F(TasksTest, WhatAnAnnotatorIsGivenNeverSaysOfWhichKindItIs) {
  Fill(40);
  v1::CreateTasksRequest request;
  request.set_known_wrong_share(0.5);
  MakeTasks(request);
  std::map<uint64_t, Task::Kind> kinds;
  for (const Task& task : AllTasks()) kinds[task.number()] = task.kind();
  std::set<Task::Kind> seen;
  for (int i = 0; i < 2; ++i) {
    for (v1::ReviewTask task : Take(i == 0 ? ann_ : bob_, 20)) {
      const bool wrong = kinds[task.number()] == Task::KIND_KNOWN_WRONG;
      seen.insert(kinds[task.number()]);
      EXPECT_NE(SaySame(task.prelabel(), Box(0.25, kBottle)), wrong);
      for (const v1::LabelBox& box : task.prelabel().boxes()) EXPECT_GT(box.confidence(), 0);
    }
  }
  EXPECT_EQ(seen.size(), 2u);
  const auto* given = v1::ReviewTask::descriptor();
  for (int i = 0; i < given->field_count(); ++i) {
    EXPECT_THAT(
        given->field(i)->name(),
        testing::AnyOf("number", "frame", "schema", "schema_version", "prelabel", "lease_unix_ns"))
        << "may it tell of which kind a task is?";
  }
}

TEST_F(TasksTest, WhoAcceptsWhatIsKnownToBeWrongMakesNoLabelThatCounts) {
  Fill(1);
  v1::CreateTasksRequest request;
  request.set_known_wrong_share(1);
  MakeTasks(request);
  ASSERT_TRUE(Finish(Take(ann_)[0], ann_).ok());
  EXPECT_TRUE(labels_.Page("carts", nullptr).value().empty());
  EXPECT_TRUE(Take(ann_).empty()) << "it is somebody else's now";
  const auto again = Take(bob_);
  ASSERT_EQ(again.size(), 1u);
  const v1::Annotation right = Box(0.25, kBottle);
  ASSERT_TRUE(Finish(again[0], bob_, &right).ok());
  EXPECT_EQ(labels_.Page("carts", nullptr).value().size(), 1u);
}

TEST_F(TasksTest, AVerdictFitsWhatWasShown) {
  Fill(2);
  v1::CreateTasksRequest half;
  half.set_most(1);
  MakeTasks(half);
  const auto task = Take(ann_);
  v1::SaveLabelRequest request;
  request.set_task(task[0].number());
  const auto refused = [&](v1::Label::Verdict verdict) {
    request.set_verdict(verdict);
    const auto status = tasks_.Save(request, ann_).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(Message(status));
  };
  EXPECT_THAT(refused(v1::Label::VERDICT_CREATED), HasSubstr("verdict: a pre-label is shown"));
  EXPECT_THAT(refused(v1::Label::VERDICT_UNSPECIFIED), HasSubstr("verdict"));
  *request.mutable_annotation() = Box(0.25, kBottle);
  EXPECT_THAT(refused(v1::Label::VERDICT_REJECTED), HasSubstr("annotation"));
  request.set_human_ms(kMaxHumanMs + 1);
  EXPECT_THAT(refused(v1::Label::VERDICT_FIXED), HasSubstr("human_ms"));
  request.set_human_ms(100);
  request.set_verdict(v1::Label::VERDICT_FIXED);
  EXPECT_EQ(tasks_.Save(request, ann_).value().verdict(), v1::Label::VERDICT_ACCEPTED)
      << "nothing was put right";
}

TEST_F(TasksTest, LikelyErrorsAreLookedAtAgainBySomebodyElseAndThenNoMore) {
  Fill(3);
  ASSERT_TRUE(Say(ids_[0], Box(0.25, kBottle), ann_).ok());
  ASSERT_TRUE(Say(ids_[1], Box(0.25, kBox), ann_).ok());
  ASSERT_TRUE(Say(ids_[2], {}, ann_).ok());
  const auto errors = FindLikelyErrors(database(), "carts", "", 0.8, 10).value();
  EXPECT_EQ(errors.looked_at(), 3u);
  ASSERT_EQ(errors.errors_size(), 2);
  EXPECT_EQ(errors.errors(0).why(), "bottle (0.90) where the label has box");
  EXPECT_EQ(errors.errors(1).why(), "bottle (0.90) where the label has nothing");
  EXPECT_EQ(FindLikelyErrors(database(), "carts", "", 0.95, 10).value().errors_size(), 0);
  EXPECT_EQ(FindLikelyErrors(database(), "carts", "other", 0.8, 10).value().errors_size(), 0);
  EXPECT_EQ(FindLikelyErrors(database(), "carts", "", 0.8, 1).value().errors_size(), 1);
  v1::CreateTasksRequest request;
  request.set_likely_errors_from(0.8);
  EXPECT_EQ(MakeTasks(request).open(), 2u);
  EXPECT_TRUE(Take(ann_).empty()) << "they are her own";
  const auto tasks = Take(bob_, 2);
  ASSERT_EQ(tasks.size(), 2u);
  const v1::Annotation still = Box(0.25, kBox);
  ASSERT_TRUE(Finish(tasks[0], bob_, &still).ok());
  ASSERT_TRUE(Finish(tasks[1], bob_).ok());
  EXPECT_EQ(FindLikelyErrors(database(), "carts", "", 0.8, 10).value().errors_size(), 0);
}

TEST_F(TasksTest, WhatCannotBeMadeIsNamed) {
  Fill(1);
  v1::CreateTasksRequest request;
  request.set_most(10'001);
  EXPECT_THAT(Refusal(request), HasSubstr("most: at most 10000"));
  request.Clear();
  request.set_priority(-1'001);
  EXPECT_THAT(Refusal(request), HasSubstr("priority"));
  request.Clear();
  request.set_control_share(0.6);
  request.set_known_wrong_share(0.6);
  EXPECT_THAT(Refusal(request), HasSubstr("known_wrong_share: with control_share at most 1"));
  request.Clear();
  request.set_pair_share(-0.1);
  EXPECT_THAT(Refusal(request), HasSubstr("pair_share: from 0 to 1"));
  request.Clear();
  request.set_likely_errors_from(0.5);
  request.set_filter("device:cart-1");
  EXPECT_THAT(Refusal(request), HasSubstr("likely_errors_from: not together with filter"));
  request.Clear();
  request.set_model(std::string(101, 'm'));
  EXPECT_THAT(Refusal(request), HasSubstr("model"));
  EXPECT_TRUE(absl::IsInvalidArgument(tasks_.Take("carts", 21, ann_).status()));
  EXPECT_TRUE(absl::IsNotFound(tasks_.Take("mugs", 1, ann_).status()));
}

// People take, finish, skip, give back and fall asleep, as a seed says. Whatever they do, nobody
// has what another has, nobody judges both of a pair, and all is done in the end.
class TasksProperty : public TasksTest, public testing::WithParamInterface<int> {};

TEST_P(TasksProperty, NoTwoPeopleHaveOneTaskAndNobodyHasBothOfAPair) {
  Fill(30);
  v1::CreateTasksRequest request;
  request.set_seed(static_cast<uint64_t>(GetParam()));
  request.set_pair_share(0.4);
  request.set_control_share(0.2);
  request.set_known_wrong_share(0.2);
  const uint32_t made = MakeTasks(request).open();
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  const auto draw = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
  std::vector<Principal> people;
  for (const char* name : {"ann", "bob", "eve", "joe"})
    people.push_back({name, v1::ROLE_ANNOTATOR});
  struct Held {
    std::string by;
    int64_t until = 0;
  };
  std::map<uint64_t, Held> held;
  std::map<uint64_t, std::vector<std::string>> said;  // by task
  std::map<std::string, std::vector<v1::ReviewTask>> hands;
  for (int step = 0; step < 300; ++step) {
    const Principal& who = people[draw(4)];
    auto& hand = hands[who.name];
    const uint32_t act = draw(10);
    if (act < 4) {
      hand = Take(who, 1 + draw(5));
      for (const v1::ReviewTask& task : hand) {
        Held& one = held[task.number()];
        EXPECT_TRUE(one.by.empty() || one.by == who.name || one.until <= clock_.WallNs())
            << "task " << task.number() << " is " << one.by << "'s";
        one = {who.name, task.lease_unix_ns()};
      }
    } else if (act < 8 && !hand.empty()) {
      const v1::ReviewTask task = hand.back();
      hand.pop_back();
      const v1::Annotation right = Box(0.25, kBottle);
      const bool his = held[task.number()].by == who.name;
      const auto label = Finish(task, who, draw(4) == 0 ? nullptr : &right);
      EXPECT_EQ(label.ok(), his) << label.status();
      if (label.ok()) {
        said[task.number()].push_back(who.name);
        held.erase(task.number());
      }
    } else if (act == 8 && !hand.empty()) {
      const uint64_t number = hand.back().number();
      hand.pop_back();
      if (tasks_.Skip(number, "why not", who).ok()) {
        held.erase(number);
        EXPECT_TRUE(tasks_.Requeue(number).ok());
      }
    } else if (act == 9 && draw(2) == 0) {
      ASSERT_TRUE(tasks_.Return("carts", who).ok());
      for (auto one = held.begin(); one != held.end();) {
        one = one->second.by == who.name && one->second.until > clock_.WallNs() ? held.erase(one)
                                                                                : std::next(one);
      }
      hand.clear();
    } else {
      clock_.Advance(draw(3) == 0 ? Tasks::kLeaseNs : Tasks::kLeaseNs / 50);
    }
  }
  // Two more, who have seen none of it, finish what is left.
  clock_.Advance(Tasks::kLeaseNs);
  for (int round = 0; round < 100; ++round) {
    for (const char* name : {"zoe", "kim"}) {
      const Principal who{name, v1::ROLE_ANNOTATOR};
      for (const v1::ReviewTask& task : Take(who, 20)) {
        const v1::Annotation right = Box(0.25, kBottle);
        ASSERT_TRUE(Finish(task, who, &right).ok());
        said[task.number()].push_back(name);
      }
    }
  }
  const v1::TaskSet set = NewestSet();
  EXPECT_EQ(set.open(), 0u);
  EXPECT_GE(set.done(), made);
  uint32_t pairs = 0;
  for (const Task& task : AllTasks()) {
    ASSERT_EQ(said[task.number()].size(), 1u) << task.number();
    if (task.pair() == 0) continue;
    ++pairs;
    EXPECT_NE(said[task.number()][0], said[task.pair()].at(0));
  }
  EXPECT_GT(pairs, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TasksProperty, testing::Range(1, 5));

TEST_F(TasksTest, TheNextTaskIsReadFromAnIndexWithoutSorting) {
  if (OnPostgres()) GTEST_SKIP() << "it explains itself in another way";
  std::string plan;
  const auto read = database().Read([&](Sql& sql) {
    int64_t id = 0, parent = 0, unused = 0;
    std::string detail;
    sql.Query(fmt::format("EXPLAIN QUERY PLAN SELECT {} FROM label_task {}", TaskRow::kColumns,
                          kNextTasks),
              In("carts", 0, "ann", 20), Out(id, parent, unused, detail),
              [&] { plan += detail + "\n"; });
    return absl::OkStatus();
  });
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_THAT(plan, HasSubstr("label_task_next"));
  EXPECT_THAT(plan, testing::Not(HasSubstr("TEMP B-TREE")));
}

TEST_F(TasksTest, PeopleAtOnceGetDifferentTasks) {
  Fill(60);
  MakeTasks();
  std::vector<std::vector<uint64_t>> taken(6);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < taken.size(); ++i) {
      threads.emplace_back([&, i] {
        const Principal who{fmt::format("person-{}", i), v1::ROLE_ANNOTATOR};
        for (const v1::ReviewTask& task : Take(who, 10)) taken[i].push_back(task.number());
      });
    }
  }
  std::set<uint64_t> all;
  for (const auto& of_one : taken) all.insert(of_one.begin(), of_one.end());
  EXPECT_EQ(all.size(), 60u);
}

v1::FrameId FrameAt(int64_t pts) {
  v1::FrameId frame;
  frame.set_clip("0123456789abcdef0123");
  frame.set_camera("front");
  frame.set_pts(pts);
  return frame;
}

TEST(ShapesTest, SharesAreWhatWasAskedForAndTheSameForASeed) {
  const Shares shares{.control = 0.2, .known_wrong = 0.1, .pair = 0.3};
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    std::map<Task::Kind, int> kinds;
    int pairs = 0, pairs_of_control = 0;
    constexpr int kFrames = 5'000;
    for (int i = 0; i < kFrames; ++i) {
      const Chosen chosen = Choose(shares, seed, FrameAt(i), true);
      const Chosen again = Choose(shares, seed, FrameAt(i), true);
      EXPECT_EQ(chosen.kind, again.kind);
      EXPECT_EQ(chosen.pair, again.pair);
      ++kinds[chosen.kind];
      pairs += chosen.pair;
      pairs_of_control += chosen.pair && chosen.kind == Task::KIND_CONTROL;
      EXPECT_EQ(Choose(shares, seed, FrameAt(i), false).kind, Task::KIND_BARE);
    }
    // Four standard deviations.
    EXPECT_NEAR(kinds[Task::KIND_CONTROL], 1'000, 113);
    EXPECT_NEAR(kinds[Task::KIND_KNOWN_WRONG], 500, 85);
    EXPECT_NEAR(pairs, 1'500, 130);
    EXPECT_NEAR(pairs_of_control, 300, 68) << "the one doesn't depend on the other";
  }
}

TEST(ShapesTest, WhatIsMadeWrongIsAnotherThingThatTheSchemaAllows) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> share(0, 1);
  for (const auto kind : {v1::LabelSchema::KIND_BOXES, v1::LabelSchema::KIND_CLASSES,
                          v1::LabelSchema::KIND_TRANSCRIPTION}) {
    for (int i = 0; i < 2'000; ++i) {
      v1::LabelSchema schema;
      schema.set_name("carts");
      schema.set_kind(kind);
      const int classes = kind == v1::LabelSchema::KIND_TRANSCRIPTION ? 0 : 1 + i % 4;
      for (int c = 0; c < classes; ++c) schema.add_classes()->set_id(static_cast<uint32_t>(c) + 1);
      v1::Annotation annotation;
      for (int b = 0; kind == v1::LabelSchema::KIND_BOXES && b < i % 3; ++b) {
        v1::LabelBox* box = annotation.add_boxes();
        box->set_width(0.01 + 0.98 * share(random));
        box->set_height(0.01 + 0.98 * share(random));
        box->set_x(share(random) * (1 - box->width()));
        box->set_y(share(random) * (1 - box->height()));
        box->set_class_id(1 + random() % static_cast<uint32_t>(classes));
        box->set_confidence(share(random));
      }
      for (int c = 0; kind == v1::LabelSchema::KIND_CLASSES && c < std::min(classes, i % 3); ++c) {
        annotation.add_classes()->set_class_id(static_cast<uint32_t>(c) + 1);
      }
      if (kind == v1::LabelSchema::KIND_TRANSCRIPTION) {
        annotation.set_text(std::vector<std::string>{"", "4006381333931", "Äpfel", "ÄÖ"}[i % 4]);
      }
      const v1::Annotation wrong = MadeWrong(schema, annotation, share(random));
      EXPECT_FALSE(SaySame(wrong, annotation)) << annotation.ShortDebugString();
      EXPECT_LT(Agreement(kind, wrong, annotation), 1) << annotation.ShortDebugString();
      const auto allowed = CheckAnnotation(schema, wrong, SaidBy::kModel, "annotation");
      EXPECT_TRUE(allowed.ok()) << allowed << wrong.ShortDebugString();
    }
  }
}

}  // namespace
}  // namespace gleaner::cloud
