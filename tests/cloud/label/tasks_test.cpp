#include "cloud/label/tasks.h"

#include <gmock/gmock.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "cloud/label/annotation.h"
#include "cloud/label/report.h"
#include "cloud/label/task_rows.h"
#include "common/status.h"
#include "tests/cloud/label/label_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;
using v1::Task;

using TasksTest = LabelRig;

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
  const v1::Annotation other = Box(0.25, kBox);
  EXPECT_TRUE(absl::IsFailedPrecondition(Finish(again[0], ann_, &other).status()))
      << "done is done";
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
  EXPECT_EQ(tasks_.Return(ReturnRequest(), ann_).value(), 3u);
  EXPECT_EQ(Take(bob_, 20).size(), 3u);
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

TEST_F(TasksTest, WhoDidOneOfAPairDoesNotGetTheOtherThatWasPutAsideMeanwhile) {
  Fill(1);
  v1::CreateTasksRequest request;
  request.set_pair_share(1);
  MakeTasks(request);
  const auto of_ann = Take(ann_);
  ASSERT_TRUE(tasks_.Skip(of_ann[0].number(), "too dark", ann_).ok());
  EXPECT_TRUE(Take(ann_).empty());
  const auto of_bob = Take(bob_);
  ASSERT_EQ(of_bob.size(), 1u);
  ASSERT_TRUE(Finish(of_bob[0], bob_).ok());
  ASSERT_TRUE(tasks_.Requeue(of_ann[0].number()).ok());
  EXPECT_TRUE(Take(bob_).empty());
  EXPECT_EQ(Take(ann_).size(), 1u) << "she did neither";
}

TEST_F(TasksTest, WhoGivesOneOfAPairBackGetsTheOtherOnceSomebodyElseTookIt) {
  Fill(1);
  v1::CreateTasksRequest request;
  request.set_pair_share(1);
  MakeTasks(request);
  const auto first = Take(ann_);
  ASSERT_TRUE(first[0].has_prelabel());
  EXPECT_EQ(tasks_.Return(ReturnRequest(), ann_).value(), 1u);
  const auto again = Take(ann_, 20);
  ASSERT_EQ(again.size(), 1u) << "she has seen the pre-label";
  EXPECT_EQ(again[0].number(), first[0].number());
  EXPECT_EQ(tasks_.Return(ReturnRequest(), ann_).value(), 1u);
  const auto of_bob = Take(bob_);
  ASSERT_EQ(of_bob.size(), 1u);
  EXPECT_EQ(of_bob[0].number(), first[0].number());
  const auto other = Take(ann_, 20);
  ASSERT_EQ(other.size(), 1u) << "two people are enough for a pair";
  EXPECT_NE(other[0].number(), first[0].number());
}

TEST_F(TasksTest, WhoWorksOnOneSetGetsItsTasksAndKeepsThoseOfOthers) {
  Fill(3, false, 1);
  MakeTasks();
  Fill(2, false, 2);
  v1::CreateTasksRequest urgent;
  urgent.set_priority(1);
  MakeTasks(urgent);
  const auto of_set = [&](uint64_t set, uint32_t most) {
    std::vector<uint64_t> numbers;
    const auto taken = tasks_.Take(TakeRequest(most, set), ann_).value();
    for (const v1::ReviewTask& task : taken.tasks()) numbers.push_back(task.number());
    return numbers;
  };
  EXPECT_EQ(of_set(1, 2), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(of_set(2, 5), (std::vector<uint64_t>{4, 5}));
  EXPECT_EQ(of_set(1, 5), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(of_set(0, 20).size(), 5u);
  EXPECT_EQ(task_sets_.Get(1).value().taken(), 3u);
  EXPECT_TRUE(of_set(9, 5).empty());
  clock_.Advance(Tasks::kLeaseNs);
  EXPECT_EQ(task_sets_.Get(1).value().taken(), 0u);
  v1::LabelSchema mugs = Carts();
  mugs.set_name("mugs");
  MakeSchema(mugs);
  EXPECT_TRUE(absl::IsInvalidArgument(tasks_.Take(TakeRequest(1, 1, "mugs"), ann_).status()))
      << "of another schema";
}

TEST_F(TasksTest, WhatWasTakenAgainSinceIsNotGivenBackWithTheRest) {
  Fill(3);
  MakeTasks();
  const int64_t lease_ns = Take(ann_, 2)[0].lease_unix_ns();
  clock_.Advance(1);
  // Another window of hers takes one more, and extends its hold on all of them.
  ASSERT_EQ(Take(ann_, 3).size(), 3u);
  EXPECT_EQ(tasks_.Return(ReturnRequest(lease_ns), ann_).value(), 0u);
  EXPECT_EQ(tasks_.Return(ReturnRequest(lease_ns + 1), ann_).value(), 3u);
}

TEST_F(TasksTest, TheSameOnceMoreIsTheSameLabel) {
  Fill(3);
  MakeTasks();
  const auto tasks = Take(ann_, 3);
  const v1::Annotation fixed = Box(0.5, kBox), other = Box(0.25, kBox);
  const auto label = Finish(tasks[0], ann_, &fixed);
  ASSERT_TRUE(label.ok());
  EXPECT_EQ(Finish(tasks[0], ann_, &fixed)->number(), label->number());
  EXPECT_TRUE(absl::IsFailedPrecondition(Finish(tasks[0], ann_, &other).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Finish(tasks[0], ann_, &fixed, 7).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Finish(tasks[0], bob_, &fixed).status()));
  const auto accepted = Finish(tasks[1], ann_);
  EXPECT_EQ(Finish(tasks[1], ann_)->number(), accepted->number());
  v1::SaveLabelRequest reject;
  reject.set_task(tasks[2].number());
  reject.set_verdict(v1::Label::VERDICT_REJECTED);
  const auto rejected = tasks_.Save(reject, ann_);
  EXPECT_EQ(tasks_.Save(reject, ann_)->number(), rejected->number());
  EXPECT_EQ(labels_.Page("carts", nullptr)->size(), 3u);
  EXPECT_EQ(NewestSet().done(), 3u);
}

TEST_F(TasksTest, WhatChangesNothingIsNotAudited) {
  Fill(1);
  int written = 0;
  const auto audit = [&](Sql&) {
    ++written;
    return absl::OkStatus();
  };
  EXPECT_TRUE(tasks_.Take(TakeRequest(1), ann_, audit).ok());
  EXPECT_TRUE(tasks_.Return(ReturnRequest(), ann_, audit).ok());
  EXPECT_FALSE(schemas_.Create(Carts(), ann_, 1, audit)->made());
  v1::ImportPredictionsRequest same;
  same.set_schema("carts");
  same.set_model("ssd");
  same.set_model_version("1");
  same.set_json_lines(LineOf(ids_[0], Box(0.25, kBottle, 0.9)));
  EXPECT_EQ(predictions_.Import(same, ann_, 1, audit)->already(), 1u);
  EXPECT_EQ(written, 0);
  MakeTasks();
  EXPECT_TRUE(tasks_.Take(TakeRequest(1), ann_, audit).ok());
  EXPECT_TRUE(tasks_.Return(ReturnRequest(), ann_, audit).ok());
  EXPECT_EQ(written, 2);
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

TEST_F(TasksTest, WhoRejectsAPrelabelThatShowsNothingAcceptsIt) {
  v1::LabelSchema schema = Carts();
  schema.mutable_classes()->DeleteSubrange(1, 2);
  MakeSchema(schema);
  const auto frames = AddFrames(1, 1);
  // Too wide to stand beside its thing: made wrong, it is gone.
  v1::Annotation wide = Box(0.125, kBottle, 0.9);
  wide.mutable_boxes(0)->set_width(0.75);
  Predict(frames[0], wide);
  v1::CreateTasksRequest request;
  request.set_known_wrong_share(1);
  MakeTasks(request);
  const auto task = Take(ann_);
  ASSERT_TRUE(task.at(0).has_prelabel());
  ASSERT_TRUE(task[0].prelabel().boxes().empty());
  v1::SaveLabelRequest save;
  save.set_task(task[0].number());
  save.set_verdict(v1::Label::VERDICT_REJECTED);
  EXPECT_EQ(tasks_.Save(save, ann_).value().verdict(), v1::Label::VERDICT_ACCEPTED);
  EXPECT_TRUE(labels_.Page("carts", nullptr).value().empty());
  EXPECT_EQ(Take(bob_).size(), 1u);
  v1::GetLabelReportRequest report;
  report.set_schema("carts");
  const auto caught = MakeReport(database(), report).value().caught();
  EXPECT_EQ(caught.labels(), 1u);
  EXPECT_EQ(caught.mean(), 0);
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
  std::vector<uint64_t> aside;
  const auto bring_back = [&] {
    for (const uint64_t number : aside) EXPECT_TRUE(tasks_.Requeue(number).ok());
    aside.clear();
  };
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
        aside.push_back(number);
      }
      if (draw(3) == 0) bring_back();
    } else if (act == 9 && draw(2) == 0) {
      ASSERT_TRUE(tasks_.Return(ReturnRequest(), who).ok());
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
  bring_back();
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
  const auto plan_of = [&](std::string_view rest, const auto& in) {
    std::string plan;
    const auto read = database().Read([&](Sql& sql) {
      int64_t id = 0, parent = 0, unused = 0;
      std::string detail;
      sql.Query(fmt::format("EXPLAIN QUERY PLAN {}{}", TaskColumns::kSelect, rest), in,
                Out(id, parent, unused, detail), [&] { plan += detail + "\n"; });
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read;
    EXPECT_THAT(plan, testing::Not(HasSubstr("TEMP B-TREE")));
    return plan;
  };
  EXPECT_THAT(plan_of(kNextTasks, In("carts", 0, "ann", 20)), HasSubstr("label_task_next "));
  EXPECT_THAT(plan_of(kNextTasksOfSet, In(1, 0, "ann", 20)), HasSubstr("label_task_next_of_set "));
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

}  // namespace
}  // namespace gleaner::cloud
