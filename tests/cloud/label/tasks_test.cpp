#include "cloud/label/tasks.h"

#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "cloud/label/task_rows.h"
#include "common/status.h"
#include "tests/cloud/label/label_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

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

TEST_F(TasksTest, APersonHasFewTasksHoweverManySetsThereAre) {
  Fill(15, false, 1);
  MakeTasks();
  Fill(15, false, 2);
  MakeTasks();
  const auto take = [&](uint64_t set) { return tasks_.Take(TakeRequest(15, set), ann_); };
  EXPECT_EQ(take(1)->tasks_size(), 15);
  EXPECT_EQ(take(2)->tasks_size(), 5) << "twenty in all";
  EXPECT_EQ(take(2)->tasks_size(), 5);
  Fill(15, false, 3);
  MakeTasks();
  EXPECT_TRUE(absl::IsFailedPrecondition(take(3).status())) << take(3).status();
  ASSERT_EQ(tasks_.Return(ReturnRequest(), ann_).value(), 20u);
  EXPECT_EQ(take(3)->tasks_size(), 15);
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
