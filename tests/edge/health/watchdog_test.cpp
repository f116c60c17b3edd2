#include "edge/health/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "common/file.h"
#include "tests/data/log_lines.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class RecordingNotifier : public Notifier {
 public:
  void Notify(const std::string& state) override {
    std::lock_guard lock(mutex_);
    states_.push_back(state);
  }
  std::vector<std::string> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(states_, {});
  }
  size_t size() {
    std::lock_guard lock(mutex_);
    return states_.size();
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> states_;
};

class WatchdogTest : public testing::Test {
 protected:
  FakeClock clock_;
  RecordingNotifier notifier_;
  Watchdog watchdog_{notifier_, 20 * kNanosPerSecond, clock_};
};

TEST_F(WatchdogTest, IsFedOnlyWhileEveryPartMovesWithinItsOwnLimit) {
  const auto camera = watchdog_.Register("camera front", 60 * kNanosPerSecond);
  const auto upload = watchdog_.Register("upload", 30 * kNanosPerSecond);
  clock_.Advance(30 * kNanosPerSecond);
  EXPECT_THAT(watchdog_.Check(), IsEmpty());
  EXPECT_THAT(notifier_.Take(), ElementsAre("WATCHDOG=1"));

  clock_.Advance(kNanosPerSecond);
  EXPECT_THAT(watchdog_.Check(), ElementsAre("upload"));
  EXPECT_THAT(notifier_.Take(), ElementsAre("STATUS=stuck: upload"));

  clock_.Advance(30 * kNanosPerSecond);
  EXPECT_THAT(watchdog_.Check(), ElementsAre("camera front", "upload"));
  camera->Made();
  EXPECT_THAT(watchdog_.Check(), ElementsAre("upload"));
  EXPECT_THAT(notifier_.Take(), Not(Contains("WATCHDOG=1")));

  upload->Made();
  EXPECT_THAT(watchdog_.Check(), IsEmpty());
  EXPECT_THAT(notifier_.Take(), Contains("WATCHDOG=1"));
}

TEST_F(WatchdogTest, SaysOnceThatAPartIsStuckAndOnceThatItMovesAgain) {
  LogLines lines;
  const auto part = watchdog_.Register("uploader", 10 * kNanosPerSecond);
  watchdog_.Check();
  EXPECT_EQ(lines.text(), "");
  clock_.Advance(11 * kNanosPerSecond);
  for (int i = 0; i < 3; ++i) watchdog_.Check();
  const std::string stuck = lines.text();
  EXPECT_THAT(stuck, HasSubstr("uploader is stuck: no progress for 11 s, limit 10 s"));
  EXPECT_EQ(std::count(stuck.begin(), stuck.end(), '\n'), 1) << stuck;
  part->Made();
  for (int i = 0; i < 3; ++i) watchdog_.Check();
  const std::string all = lines.text();
  EXPECT_THAT(all, HasSubstr("uploader moves again"));
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 2) << all;
}

TEST_F(WatchdogTest, ExpectsNothingOfAPartThatHasEnded) {
  const auto camera = watchdog_.Register("camera file", kNanosPerSecond);
  camera->Retire();
  clock_.Advance(3600 * kNanosPerSecond);
  EXPECT_THAT(watchdog_.Check(), IsEmpty());
}

TEST_F(WatchdogTest, ShowsWhoIsStuckInPlaceOfTheStatusAndThenTheStatusAgain) {
  const auto camera = watchdog_.Register("camera front", kNanosPerSecond);
  watchdog_.Status("watching 1 camera");
  EXPECT_THAT(notifier_.Take(), ElementsAre("STATUS=watching 1 camera"));
  clock_.Advance(2 * kNanosPerSecond);
  watchdog_.Check();
  watchdog_.Status("watching 1 camera, 3 clips wait");
  EXPECT_THAT(notifier_.Take(), ElementsAre("STATUS=stuck: camera front"));
  camera->Made();
  watchdog_.Check();
  EXPECT_THAT(notifier_.Take(),
              ElementsAre("WATCHDOG=1", "STATUS=watching 1 camera, 3 clips wait"));
}

TEST_F(WatchdogTest, ChecksFourTimesInSystemdsPatienceAndSaysGoodbye) {
  std::jthread thread([&](std::stop_token stop) { watchdog_.Run(stop); });
  ASSERT_TRUE(Eventually([&] { return notifier_.size() == 1; }));
  for (size_t n = 2; n <= 5; ++n) {
    ASSERT_TRUE(Eventually([&] {
      if (notifier_.size() >= n) return true;
      clock_.Advance(kNanosPerSecond);
      return false;
    }));
  }
  thread.request_stop();
  thread.join();
  const auto states = notifier_.Take();
  EXPECT_EQ(states.back(), "STOPPING=1");
  EXPECT_EQ(std::count(states.begin(), states.end(), "WATCHDOG=1"),
            static_cast<int64_t>(states.size()) - 1);
}

// What systemd itself would receive.
class NotifySocket : public testing::Test {
 protected:
  NotifySocket() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = folder_.path("notify");
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~NotifySocket() override {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
  }
  std::string Receive() {
    char buffer[1024];
    const ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return size < 0 ? "" : std::string(buffer, static_cast<size_t>(size));
  }

  TemporaryFolder folder_;
  Fd socket_;
  FakeClock clock_;
};

TEST_F(NotifySocket, HearsReadyStatusAndTheWatchdog) {
  const auto notifier = SystemdNotifier();
  Watchdog watchdog(*notifier, 0, clock_);
  watchdog.Ready();
  EXPECT_EQ(Receive(), "READY=1");
  watchdog.Status("watching");
  EXPECT_EQ(Receive(), "STATUS=watching");
  watchdog.Check();
  EXPECT_EQ(Receive(), "WATCHDOG=1");
  EXPECT_EQ(Receive(), "");
}

TEST_F(NotifySocket, TellsTheWatchdogsPatienceToTheProcessItIsMeantFor) {
  EXPECT_EQ(SystemdWatchdogNs(), 0);
  setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(SystemdWatchdogNs(), 30 * kNanosPerSecond);
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(SystemdWatchdogNs(), 0);
}

TEST(WithoutSystemd, NothingIsSentAndNothingFails) {
  unsetenv("NOTIFY_SOCKET");
  FakeClock clock;
  const auto notifier = SystemdNotifier();
  Watchdog watchdog(*notifier, SystemdWatchdogNs(), clock);
  watchdog.Ready();
  EXPECT_THAT(watchdog.Check(), IsEmpty());
}

}  // namespace
}  // namespace gleaner::edge
