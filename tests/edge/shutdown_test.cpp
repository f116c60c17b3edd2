#include "edge/shutdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Lets who sleeps on it live through one second at a time.
class SecondsClock : public FakeClock {
 public:
  bool Sleep(std::stop_token stop, int64_t) override {
    std::unique_lock lock(mutex_);
    asleep_ = true;
    changed_.notify_all();
    changed_.wait(lock, stop, [this] { return passed_; });
    passed_ = asleep_ = false;
    return !stop.stop_requested();
  }
  // On return the sleeper is asleep again, or has ended.
  void Pass(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return asleep_ || ended_; });
      if (ended_) return;
      passed_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return (asleep_ && !passed_) || ended_; });
    }
  }
  void End() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool asleep_ = false;
  bool passed_ = false;
  bool ended_ = false;
};

class ShutdownTest : public ::testing::Test, public Notifier {
 protected:
  void Notify(const std::string& state) override {
    std::lock_guard lock(mutex_);
    notes_.push_back(state);
  }
  std::vector<std::string> Notes() {
    std::lock_guard lock(mutex_);
    return std::exchange(notes_, {});
  }
  std::vector<std::string> GivenUp() {
    std::lock_guard lock(mutex_);
    return given_up_;
  }

  std::mutex mutex_;
  std::vector<std::string> notes_, given_up_;
  std::stop_source stop_;
  SecondsClock clock_;
  Shutdown shutdown_{stop_.get_token(), *this, clock_, [this](const std::string& why) {
                       {
                         std::lock_guard lock(mutex_);
                         given_up_.push_back(why);
                       }
                       clock_.End();
                     }};
};

TEST_F(ShutdownTest, GivesUpAStageThatHasNotMovedForItsLimit) {
  stop_.request_stop();
  shutdown_.Enter("the clips in hand have not moved", 5);
  clock_.Pass(5);  // in the first of which it has moved: it began
  EXPECT_THAT(GivenUp(), IsEmpty());
  clock_.Pass(1);
  EXPECT_THAT(GivenUp(), ElementsAre("stopping: the clips in hand have not moved for 5 s"));
}

TEST_F(ShutdownTest, LastsAsLongAsThereIsProgress) {
  stop_.request_stop();
  shutdown_.Enter("the clips in hand have not moved", 5);
  for (int i = 0; i < 100; ++i) {
    clock_.Pass(4);
    shutdown_.Moved();
  }
  EXPECT_THAT(GivenUp(), IsEmpty());
  clock_.Pass(6);
  EXPECT_THAT(GivenUp(), ElementsAre(HasSubstr("for 5 s")));
}

TEST_F(ShutdownTest, EachStageHasALimitOfItsOwn) {
  stop_.request_stop();
  shutdown_.Enter("the cameras have not ended", 3);
  clock_.Pass(3);
  shutdown_.Enter("the connection has not closed", 4);
  clock_.Pass(4);
  EXPECT_THAT(GivenUp(), IsEmpty());
  clock_.Pass(1);
  EXPECT_THAT(GivenUp(), ElementsAre("stopping: the connection has not closed for 4 s"));
}

TEST_F(ShutdownTest, AsksTheServiceManagerForTimeWhileItMoves) {
  stop_.request_stop();
  shutdown_.Enter("the clips in hand have not moved", 60);
  clock_.Pass(1);
  EXPECT_THAT(Notes(), ElementsAre("EXTEND_TIMEOUT_USEC=70000000\nWATCHDOG=1"));
  clock_.Pass(10);
  EXPECT_THAT(Notes(), IsEmpty());
  shutdown_.Moved();
  clock_.Pass(1);
  EXPECT_THAT(Notes(), ElementsAre(HasSubstr("EXTEND_TIMEOUT_USEC=70000000")));
}

TEST_F(ShutdownTest, CountsNothingBeforeTheStopAndAsksForNothing) {
  shutdown_.Enter("the clips in hand have not moved", 1);
  // Nobody sleeps on the clock yet: it waits for the stop.
  EXPECT_THAT(GivenUp(), IsEmpty());
  EXPECT_THAT(Notes(), IsEmpty());
  stop_.request_stop();
  clock_.Pass(1);
  EXPECT_THAT(GivenUp(), IsEmpty());
}

}  // namespace
}  // namespace gleaner::edge
