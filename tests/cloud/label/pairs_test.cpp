// Tasks for two people: nobody judges both of a pair, whatever people do.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "cloud/label/tasks.h"
#include "tests/cloud/label/label_testing.h"

namespace gleaner::cloud {
namespace {

using v1::Task;

using PairsTest = LabelRig;

TEST_F(PairsTest, ATaskForTwoIsForTwoAndTheSecondSeesNoPrelabel) {
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

TEST_F(PairsTest, WhoDidOneOfAPairDoesNotGetTheOtherThatWasPutAsideMeanwhile) {
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

TEST_F(PairsTest, WhoGivesOneOfAPairBackGetsTheOtherOnceSomebodyElseTookIt) {
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

// People take, finish, skip, give back and fall asleep, as a seed says. Whatever they do, nobody
// has what another has, nobody judges both of a pair, and all is done in the end.
class PairsProperty : public PairsTest, public testing::WithParamInterface<int> {};

TEST_P(PairsProperty, NoTwoPeopleHaveOneTaskAndNobodyHasBothOfAPair) {
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

INSTANTIATE_TEST_SUITE_P(Seeds, PairsProperty, testing::Range(1, 5));

}  // namespace
}  // namespace gleaner::cloud
