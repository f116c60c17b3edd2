#include "cloud/label/task_sets.h"

#include <gmock/gmock.h>

#include <map>

#include "cloud/label/disagreement.h"
#include "common/status.h"
#include "tests/cloud/label/label_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using v1::Task;

class TaskSetsTest : public LabelRig {
 protected:
  std::string Refusal(const v1::CreateTasksRequest& request) {
    v1::CreateTasksRequest of_carts = request;
    of_carts.set_schema("carts");
    const auto status = task_sets_.Create(of_carts, {}, operator_).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(Message(status));
  }
  // The sets of the tasks that a person gets, in their order.
  std::vector<uint64_t> SetsOf(const std::vector<v1::ReviewTask>& taken) {
    std::map<uint64_t, uint64_t> set_of;
    for (const Task& task : AllTasks()) set_of[task.number()] = task.set();
    std::vector<uint64_t> sets;
    for (const v1::ReviewTask& task : taken) sets.push_back(set_of[task.number()]);
    return sets;
  }
};

TEST_F(TaskSetsTest, ThePriorityGoesFirstAndSetsOfOnePriorityTakeTurns) {
  Fill(6, false, 1);
  MakeTasks();
  Fill(2, false, 2);
  MakeTasks();
  Fill(1, false, 3);
  v1::CreateTasksRequest urgent;
  urgent.set_priority(1);
  MakeTasks(urgent);
  EXPECT_THAT(SetsOf(Take(ann_, 20)), ElementsAre(3, 1, 2, 1, 2, 1, 1, 1, 1));
}

TEST_F(TaskSetsTest, ASetIsFoundByItsNumberAsInTheList) {
  Fill(3);
  MakeTasks();
  Take(ann_, 2);
  const auto set = task_sets_.Get(1);
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(set->SerializeAsString(), NewestSet().SerializeAsString());
  EXPECT_EQ(set->open(), 3u);
  EXPECT_EQ(set->taken(), 2u);
  for (const uint64_t none : {uint64_t{0}, uint64_t{2}, ~uint64_t{0}, uint64_t{1} << 63}) {
    EXPECT_TRUE(absl::IsNotFound(task_sets_.Get(none).status())) << none;
  }
}

TEST_F(TaskSetsTest, TasksThatNobodyMayTakeLetNoLaterSetOvertake) {
  Fill(6);
  v1::CreateTasksRequest pairs;
  pairs.set_pair_share(1);
  MakeTasks(pairs);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Finish(Take(ann_)[0], ann_).ok());
  // The others of the three pairs wait for a second person, who doesn't come.
  Fill(3, false, 2);
  MakeTasks();
  EXPECT_THAT(SetsOf(Take(ann_, 20)), ElementsAre(2, 1, 2, 1, 2, 1));
}

TEST_F(TaskSetsTest, APredictionThatTheVersionCannotSayIsNoPrelabel) {
  Fill(1);
  v1::LabelSchema without_bottles = Carts();
  without_bottles.mutable_classes()->DeleteSubrange(0, 1);
  MakeSchema(without_bottles);
  v1::CreateTasksRequest request;
  request.set_control_share(0.5);
  MakeTasks(request);
  EXPECT_EQ(AllTasks()[0].kind(), Task::KIND_BARE);
  EXPECT_EQ(AllTasks()[0].prediction(), 0u);
  const auto task = Take(ann_);
  ASSERT_EQ(task.size(), 1u);
  EXPECT_FALSE(task[0].has_prelabel());
  const v1::Annotation said = Box(0.25, kBox);
  ASSERT_TRUE(Finish(task[0], ann_, &said).ok());
  v1::CreateTasksRequest of_the_first;
  of_the_first.set_schema_version(1);
  of_the_first.set_also_labelled(true);
  MakeTasks(of_the_first);
  EXPECT_TRUE(Take(ann_).at(0).has_prelabel());
}

TEST_F(TaskSetsTest, FramesThatWaitOrAreLabelledGetNoSecondTask) {
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

TEST_F(TaskSetsTest, LikelyErrorsAreLookedAtAgainBySomebodyElseAndThenNoMore) {
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

TEST_F(TaskSetsTest, LikelyErrorsThatWaitForALookMakeRoomForTheNext) {
  Fill(2);
  for (const v1::FrameId& id : ids_) ASSERT_TRUE(Say(id, {}, ann_).ok());
  v1::CreateTasksRequest request;
  request.set_likely_errors_from(0.8);
  request.set_most(1);
  EXPECT_EQ(MakeTasks(request).open(), 1u);
  EXPECT_EQ(MakeTasks(request).open(), 1u);
  EXPECT_EQ(MakeTasks(request).open(), 0u);
  EXPECT_NE(AllTasks()[0].frame().pts(), AllTasks()[1].frame().pts());
}

TEST_F(TaskSetsTest, WhatCannotBeMadeIsNamed) {
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
  EXPECT_TRUE(absl::IsInvalidArgument(tasks_.Take(TakeRequest(21), ann_).status()));
  EXPECT_TRUE(absl::IsNotFound(tasks_.Take(TakeRequest(1, 0, "mugs"), ann_).status()));
}

}  // namespace
}  // namespace gleaner::cloud
