// What becomes of a task: the label that its verdict makes.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "cloud/label/annotation.h"
#include "cloud/label/report.h"
#include "cloud/label/tasks.h"
#include "common/status.h"
#include "tests/cloud/label/label_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;
using v1::Task;

using VerdictsTest = LabelRig;

TEST_F(VerdictsTest, TheSameOnceMoreIsTheSameLabel) {
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

TEST_F(VerdictsTest, WhatAnAnnotatorIsGivenNeverSaysOfWhichKindItIs) {
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

TEST_F(VerdictsTest, WhoAcceptsWhatIsKnownToBeWrongMakesNoLabelThatCounts) {
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

TEST_F(VerdictsTest, WhoRejectsAPrelabelThatShowsNothingAcceptsIt) {
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

TEST_F(VerdictsTest, AVerdictFitsWhatWasShown) {
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

}  // namespace
}  // namespace gleaner::cloud
