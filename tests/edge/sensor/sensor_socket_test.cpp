#include "edge/sensor/sensor_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/status.h"
#include "edge/sensor/client/gleaner_sensor.h"
#include "edge/sensor/sensor_message.h"
#include "tests/data/paths.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::edge {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SensorSocketTest : public ::testing::Test {
 protected:
  std::string Path() const { return folder_ / "sensors.sock"; }
  static absl::StatusOr<SensorSocket> Bind(const std::string& path) {
    return SensorSocket::Bind({.path = path, .group = ""});
  }
  // Until the test ends.
  std::jthread Serve() {
    auto socket = Bind(Path());
    EXPECT_TRUE(socket.ok()) << socket.status();
    return std::jthread([this, socket = *std::move(socket)](const std::stop_token& stop) mutable {
      socket.Run(stop, RealClock(), [this](std::string_view text) {
        std::lock_guard lock(mutex_);
        texts_.emplace_back(text);
        changed_.notify_all();
      });
    });
  }
  std::vector<std::string> WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return texts_.size() >= count; });
    return texts_;
  }
  gleaner_sensor Client() const {
    gleaner_sensor client;
    EXPECT_EQ(gleaner_sensor_open(&client, Path().c_str()), 0);
    return client;
  }
  // What a program of ours says: its first line is its input.
  static void Run(const std::string& command) { EXPECT_EQ(std::system(command.c_str()), 0); }

  gleaner::TemporaryFolder folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
};

SensorMessage Parse(const std::string& text) {
  SensorMessage message;
  EXPECT_TRUE(ParseSensorMessage(text, &message)) << text;
  return message;
}

TEST_F(SensorSocketTest, HandsOnWhatTheClientSends) {
  const std::jthread server = Serve();
  gleaner_sensor client = Client();
  const double where[] = {52.51963, -13.40688};
  EXPECT_EQ(gleaner_sensor_number(&client, "weight", 52.31), 0);
  EXPECT_EQ(gleaner_sensor_send(&client, "location", where, 2), 0);
  EXPECT_EQ(gleaner_sensor_event(&client, "stop"), 0);
  gleaner_sensor_close(&client);
  const auto texts = WaitFor(3);
  EXPECT_EQ(Parse(texts[0]).numbers[0], 52.31);
  EXPECT_EQ(Parse(texts[1]).numbers[1], -13.40688);
  EXPECT_EQ(Parse(texts[2]).name, "stop");
  EXPECT_LE(Parse(texts[0]).monotonic_ns, Parse(texts[2]).monotonic_ns);
  EXPECT_LE(Parse(texts[2]).monotonic_ns, RealClock().MonotonicNs());
}

TEST_F(SensorSocketTest, TheClientCountsWhatItHadToDropAndTellsOfItOnce) {
  gleaner_sensor client = Client();
  EXPECT_NE(gleaner_sensor_number(&client, "weight", 1), 0) << "nobody is there yet";
  EXPECT_NE(gleaner_sensor_number(&client, "weight", 2), 0);
  const std::jthread server = Serve();
  EXPECT_EQ(gleaner_sensor_number(&client, "weight", 3), 0);
  EXPECT_EQ(gleaner_sensor_number(&client, "weight", 4), 0);
  const auto texts = WaitFor(2);
  EXPECT_EQ(Parse(texts[0]).lost, 2u);
  EXPECT_EQ(Parse(texts[1]).lost, 0u);
  const std::vector<double> many(100, 1.23456789);
  EXPECT_NE(gleaner_sensor_send(&client, "weight", many.data(), many.size()), 0);
  EXPECT_EQ(errno, EMSGSIZE);
  EXPECT_EQ(client.lost, 1u);
  gleaner_sensor_close(&client);
}

TEST_F(SensorSocketTest, NobodyWaitsForADaemonThatDoesNotRead) {
  const auto socket = Bind(Path());
  ASSERT_TRUE(socket.ok()) << socket.status();
  gleaner_sensor client = Client();
  for (int i = 0; i < 100'000; ++i) gleaner_sensor_number(&client, "weight", i);
  EXPECT_GT(client.lost, 0u);
  gleaner_sensor_close(&client);
}

TEST_F(SensorSocketTest, OfAFloodNoMoreIsReadThanItHasTimeFor) {
  const int64_t start_ns = RealClock().MonotonicNs();
  std::jthread server = Serve();
  std::jthread flood([&](const std::stop_token& stop) {
    gleaner_sensor client = Client();
    while (!stop.stop_requested()) gleaner_sensor_number(&client, "weight", 1);
    gleaner_sensor_close(&client);
  });
  WaitFor(2000);
  flood.request_stop();
  server.request_stop();
  server.join();
  const auto seconds = static_cast<double>(RealClock().MonotonicNs() - start_ns) / kNanosPerSecond;
  // A batch more than a tick has room for.
  EXPECT_LE(static_cast<double>(texts_.size()), (seconds + 0.02) * SensorSocket::kMaxPerSecond * 2);
}

TEST_F(SensorSocketTest, WhatIsTooLongArrivesAsSomethingThatIsNoMessage) {
  const std::jthread server = Serve();
  gleaner_sensor client = Client();
  const std::string text = "weight 1 !" + std::string(5000, '0');
  ASSERT_GT(::sendto(client.socket, text.data(), text.size(), 0,
                     reinterpret_cast<const sockaddr*>(&client.to), sizeof(client.to)),
            0);
  gleaner_sensor_close(&client);
  SensorMessage message;
  EXPECT_FALSE(ParseSensorMessage(WaitFor(1)[0], &message));
}

TEST_F(SensorSocketTest, ReplacesWhatAnEarlierDaemonLeftAndNothingElse) {
  { EXPECT_TRUE(Bind(Path()).ok()); }
  EXPECT_TRUE(Bind(Path()).ok());
  const std::string file = folder_ / "file";
  std::ofstream(file) << "precious";
  const auto refused = Bind(file);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  EXPECT_TRUE(std::filesystem::is_regular_file(file));
  EXPECT_THAT(Message(Bind(folder_ / "none/sensors.sock").status()), HasSubstr("none"));
}

TEST_F(SensorSocketTest, IsForItsOwnerAndGroupAlone) {
  const auto socket = Bind(Path());
  ASSERT_TRUE(socket.ok()) << socket.status();
  struct stat is {};
  ASSERT_EQ(::stat(Path().c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 0777, 0660u);
  const auto other = SensorSocket::Bind({.path = Path(), .group = "no-such-group"});
  EXPECT_THAT(Message(other.status()), HasSubstr("groupadd --system no-such-group"));
}

TEST_F(SensorSocketTest, TheExamplesInCAndPythonAreUnderstood) {
  const std::jthread server = Serve();
  Run("printf '52.5\\n1e3\\n' | " + BinDir() + "/sensor_scale " + Path());
  auto texts = WaitFor(2);
  EXPECT_THAT(texts, Each(StartsWith("weight ")));
  EXPECT_EQ(Parse(texts[1]).numbers[0], 1000);
  Run("printf 'checkout-mismatch\\n' | python3 " + SourceDir() +
      "/edge/sensor/client/checkout.py " + Path());
  EXPECT_EQ(Parse(WaitFor(3)[2]).name, "checkout-mismatch");
}

}  // namespace
}  // namespace gleaner::edge
