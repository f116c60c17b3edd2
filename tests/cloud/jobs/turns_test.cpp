#include "cloud/jobs/turns.h"

#include <gtest/gtest.h>

#include "common/clock.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kSecond = kNanosPerSecond;

// Who gets `count` turns one after the other on one worker, when each device always has a clip
// that waits and costs what is said of it.
std::string Order(Turns& turns, const std::map<std::string, int64_t>& costs_s, int count) {
  std::string order;
  for (const auto& [device, cost] : costs_s) turns.Add(device);
  for (int i = 0; i < count; ++i) {
    const std::string device = turns.Next().value();
    order += device;
    turns.Add(device);
    turns.Done(device, costs_s.at(device) * kSecond);
  }
  return order;
}

TEST(Turns, DevicesTakeTurns) {
  Turns turns(1);
  EXPECT_EQ(Order(turns, {{"a", 1}, {"b", 1}, {"c", 1}}, 7), "abcabca");
}

TEST(Turns, DevicesTakeTurnsAlsoWhenNothingCostsAnything) {
  Turns turns(1);
  EXPECT_EQ(Order(turns, {{"a", 0}, {"b", 0}}, 6), "ababab");
}

TEST(Turns, ADeviceWithExpensiveClipsGetsAsMuchTimeAsTheOthersAndNotMore) {
  Turns turns(1);
  EXPECT_EQ(Order(turns, {{"a", 5}, {"b", 1}}, 13), "abbbbbabbbbba");
}

TEST(Turns, ANewcomerStartsWhereTheOthersAre) {
  Turns turns(1);
  Order(turns, {{"a", 10}, {"b", 10}}, 10);
  EXPECT_EQ(Order(turns, {{"a", 10}, {"b", 10}, {"c", 10}}, 6).find("ccc"), std::string::npos);
}

TEST(Turns, WhoeverPausesDoesNotLoseWhatItOwes) {
  Turns turns(1);
  turns.Add("a");
  turns.Add("b");
  EXPECT_EQ(turns.Next(), "a");
  turns.Done("a", 100 * kSecond);
  EXPECT_EQ(turns.Next(), "b");
  turns.Done("b", kSecond);
  EXPECT_EQ(Order(turns, {{"a", 1}, {"b", 10}}, 10), "bbbbbbbbbb");
}

TEST(Turns, OneWorkerIsLeftForWhoeverComes) {
  Turns turns(3);
  turns.Add("b");
  EXPECT_EQ(turns.Next(), "b");
  turns.Done("b", 0);
  for (int i = 0; i < 2; ++i) {
    turns.Add("a");
    EXPECT_EQ(turns.Next(), "a");
  }
  turns.Add("a");
  EXPECT_FALSE(turns.ready());
  EXPECT_FALSE(turns.Next().has_value());
  turns.Add("b");
  EXPECT_TRUE(turns.ready());
  EXPECT_EQ(turns.Next(), "b");
  turns.Done("a", kSecond);
  EXPECT_EQ(turns.Next(), "a");
}

TEST(Turns, TheOnlyDeviceMayHaveEveryWorker) {
  Turns turns(2);
  for (int i = 0; i < 2; ++i) {
    turns.Add("a");
    EXPECT_EQ(turns.Next(), "a");
  }
}

TEST(Turns, WorkersAreSharedOutAmongThoseThatWait) {
  Turns turns(4);
  std::map<std::string, int> running;
  for (int i = 0; i < 4; ++i) {
    turns.Add("a");
    turns.Add("b");
    ++running[turns.Next().value()];
  }
  EXPECT_EQ(running["a"], 2);
  EXPECT_EQ(running["b"], 2);
}

}  // namespace
}  // namespace gleaner::cloud
