// A wrong password must not lock the device out.
#include "edge/camera/login_guard.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "common/status.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kMinute = 60 * kNanosPerSecond;
const Credentials kWrong{"admin", "wrong"};
bool Never() { return false; }

TEST(LoginGuard, LetsARefusedLoginRestForMinutesTwiceAsLongEachTime) {
  FakeClock clock;
  LoginGuard guard(clock);
  for (const int64_t minutes : {5, 10, 20, 40, 60, 60}) {
    ASSERT_TRUE(guard.Begin("cam", kWrong, Never).ok());
    guard.Refused("cam", kWrong);
    EXPECT_EQ(guard.WaitNs("cam", kWrong), minutes * kMinute);
    clock.Advance(minutes * kMinute - 1);
    EXPECT_TRUE(absl::IsPermissionDenied(guard.Begin("cam", kWrong, Never)));
    clock.Advance(1);
    EXPECT_EQ(guard.WaitNs("cam", kWrong), 0);
  }
}

TEST(LoginGuard, TriesAnotherPasswordAtOnceAndAnotherHost) {
  FakeClock clock;
  LoginGuard guard(clock);
  ASSERT_TRUE(guard.Begin("cam", kWrong, Never).ok());
  guard.Refused("cam", kWrong);
  EXPECT_TRUE(guard.Begin("cam", {"admin", "right"}, Never).ok());
  EXPECT_TRUE(guard.Begin("other", kWrong, Never).ok());
  // Not forgotten for that.
  EXPECT_FALSE(guard.Begin("cam", kWrong, Never).ok());
}

TEST(LoginGuard, TriesALoginThatWasTakenOnceMoreAfterSecondsAndThenLetsItRest) {
  FakeClock clock;
  LoginGuard guard(clock);
  const auto login = [&](bool taken) {
    clock.Advance(guard.WaitNs("cam", kWrong));
    ASSERT_TRUE(guard.Begin("cam", kWrong, Never).ok());
    if (taken) {
      guard.Accepted("cam", kWrong);
    } else {
      guard.Refused("cam", kWrong);
    }
  };
  login(true);
  login(false);
  EXPECT_EQ(guard.WaitNs("cam", kWrong), 10 * kNanosPerSecond);
  login(false);
  EXPECT_EQ(guard.WaitNs("cam", kWrong), 5 * kMinute);
  login(false);
  EXPECT_EQ(guard.WaitNs("cam", kWrong), 10 * kMinute);
  // And anew.
  login(true);
  login(false);
  EXPECT_EQ(guard.WaitNs("cam", kWrong), 10 * kNanosPerSecond);
}

TEST(LoginGuard, ACameraThatTakesAndRefusesInTurnIsNotHammered) {
  FakeClock clock;
  LoginGuard guard(clock);
  const int64_t end = clock.MonotonicNs() + 60 * kMinute;
  int refused = 0;
  while (clock.MonotonicNs() < end) {
    clock.Advance(guard.WaitNs("cam", kWrong) + 1);
    ASSERT_TRUE(guard.Begin("cam", kWrong, Never).ok());
    guard.Accepted("cam", kWrong);
    guard.Refused("cam", kWrong);
    ++refused;
  }
  EXPECT_LE(refused, 2 * 60 / 5 + 2);
}

TEST(LoginGuard, EightChannelsThatAreRefusedAtOnceAreRefusedOnce) {
  FakeClock clock;
  LoginGuard guard(clock);
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(guard.Begin("recorder", kWrong, Never).ok());
    guard.Accepted("recorder", kWrong);
  }
  for (int i = 0; i < 8; ++i) guard.Refused("recorder", kWrong);
  EXPECT_EQ(guard.WaitNs("recorder", kWrong), 10 * kNanosPerSecond);
}

TEST(LoginGuard, TakesNoAnswerToALoginForARefusal) {
  FakeClock clock;
  LoginGuard guard(clock);
  ASSERT_TRUE(guard.Begin("cam", kWrong, Never).ok());
  guard.NoAnswer("cam", kWrong);
  EXPECT_EQ(guard.WaitNs("cam", kWrong), 5 * kMinute);
  const Credentials right{"admin", "right"};
  ASSERT_TRUE(guard.Begin("cam", right, Never).ok());
  guard.Accepted("cam", right);
  ASSERT_TRUE(guard.Begin("cam", right, Never).ok());
  guard.NoAnswer("cam", right);
  EXPECT_EQ(guard.WaitNs("cam", right), 0) << "that was the network";
}

TEST(LoginGuard, LetsOneOfEightChannelsTryAndTellsTheOthersWhatCameOfIt) {
  FakeClock clock;
  LoginGuard guard(clock);
  ASSERT_TRUE(guard.Begin("recorder", kWrong, Never).ok());
  std::atomic<int> waiting{0}, refused{0};
  {
    std::vector<std::jthread> channels;
    for (int i = 0; i < 7; ++i) {
      channels.emplace_back([&] {
        const absl::Status status = guard.Begin("recorder", kWrong, [&, first = true]() mutable {
          if (first) ++waiting;
          first = false;
          return false;
        });
        if (absl::IsPermissionDenied(status)) ++refused;
      });
    }
    while (waiting < 7) std::this_thread::yield();
    guard.Refused("recorder", kWrong);
  }
  EXPECT_EQ(refused, 7);
}

TEST(LoginGuard, LetsAllInOnceOneHasBeenTaken) {
  FakeClock clock;
  LoginGuard guard(clock);
  const Credentials right{"admin", "right"};
  ASSERT_TRUE(guard.Begin("recorder", right, Never).ok());
  guard.Accepted("recorder", right);
  EXPECT_TRUE(guard.Begin("recorder", right, Never).ok());
  EXPECT_TRUE(guard.Begin("recorder", right, Never).ok());
}

TEST(LoginGuard, EndsTheWaitForAnotherCameraWhenItIsInterrupted) {
  FakeClock clock;
  LoginGuard guard(clock);
  ASSERT_TRUE(guard.Begin("recorder", kWrong, Never).ok());
  EXPECT_TRUE(absl::IsCancelled(guard.Begin("recorder", kWrong, [] { return true; })));
}

}  // namespace
}  // namespace gleaner::edge
