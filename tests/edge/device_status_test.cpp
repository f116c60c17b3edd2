// `gleaner-edge status` against a daemon that runs on real footage, and without one.
#include "edge/device_status.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "common/message_json.h"
#include "common/status.h"
#include "edge/daemon.h"
#include "tests/data/footage.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::edge {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class DeviceStatusTest : public ::testing::Test {
 protected:
  // A device whose server is a port that nobody listens on, and `more`.
  Config Configure(const std::string& more) {
    std::ofstream(folder_ / "edge.toml")
        << "device = \"cart-1\"\nsite = \"store-7\"\n[server]\naddress = \"127.0.0.1:1\"\n"
        << "plaintext = true\n[spool]\ndirectory = \"" << folder_ / "spool"
        << "\"\nquota = \"16 MiB\"\n"
        << more;
    auto config = Config::Load(folder_ / "edge.toml");
    EXPECT_TRUE(config.ok()) << config.status();
    return *std::move(config);
  }
  static std::string Camera(const std::string& name, const std::string& url,
                            const std::string& more = "loop = true\n") {
    return fmt::format("[[camera]]\nname = \"{}\"\nurl = \"{}\"\n{}", name, url, more);
  }
  static std::string Rule(const std::string& when) {
    return fmt::format(
        "[[rule]]\nname = \"hand\"\nwhen = \"{}\"\npre = \"1s\"\npost = \"1s\"\npriority = 7\n",
        when);
  }
  std::jthread Run(const Config& config) {
    return std::jthread([config](const std::stop_token& stop) {
      const absl::Status run = RunDaemon({.config = config}, RealClock(), stop);
      EXPECT_TRUE(run.ok()) << run;
    });
  }
  // Asks until the answer is as `wanted`; the last answer.
  v1::DeviceStatus Await(const Config& config,
                         const std::function<bool(const v1::DeviceStatus&)>& wanted) {
    for (;;) {
      const auto status = ReadDeviceStatus(config, RealClock());
      if (status.ok() && wanted(*status)) return *status;
      std::this_thread::yield();
    }
  }
  static std::string ProblemOf(const v1::DeviceStatus& status, const std::string& part) {
    std::string text;
    for (const v1::Problem& problem : status.problems()) {
      if (problem.part() == part) text += problem.text() + "|";
    }
    return text;
  }

  gleaner::TemporaryFolder folder_;
};

TEST_F(DeviceStatusTest, TellsOfCamerasRulesServerAndSpoolWhileTheDaemonRuns) {
  const Config config = Configure(Camera("front", Footage("cup.mp4")) + Rule("motion > 0.01"));
  const std::jthread daemon = Run(config);
  const v1::DeviceStatus status = Await(config, [](const v1::DeviceStatus& status) {
    return status.running() && status.rules_size() == 1 && status.rules(0).firings() > 0 &&
           status.spool().last_sequence() > 0 && status.problems_size() > 0;
  });
  EXPECT_EQ(status.device(), "cart-1");
  EXPECT_EQ(status.site(), "store-7");
  ASSERT_EQ(status.cameras_size(), 1);
  EXPECT_EQ(status.cameras(0).description().source(), "file");
  EXPECT_EQ(status.cameras(0).description().codec(), "h264");
  EXPECT_GT(status.cameras(0).description().width(), 0u);
  EXPECT_EQ(status.cameras(0).description().encoder(), "remux");
  EXPECT_EQ(status.cameras(0).health().state(), v1::CameraHealth::STATE_STREAMING);
  EXPECT_GT(status.cameras(0).health().frames_total(), 0u);
  EXPECT_EQ(status.rules(0).description().name(), "hand");
  EXPECT_GT(status.rules(0).last_fired_unix_ns(), 0);
  EXPECT_LE(status.rules(0).last_fired_unix_ns(), status.now().wall_unix_ns());
  EXPECT_EQ(status.server().address(), "127.0.0.1:1");
  EXPECT_FALSE(status.server().connected());
  EXPECT_GT(status.process().rss_bytes(), 0u);
  EXPECT_EQ(status.spool().directory(), folder_ / "spool");

  const std::string text = ToText(status);
  EXPECT_THAT(
      text, AllOf(HasSubstr("cart-1 at store-7"), HasSubstr("127.0.0.1:1, not connected"),
                  HasSubstr("front   streaming  file h264"), HasSubstr("hand"),
                  HasSubstr("motion > 0.01"), HasSubstr("problems\n  server: ipv4:127.0.0.1:1: ")));
  EXPECT_THAT(ToJson(status), AllOf(HasSubstr("\"running\": true"), HasSubstr("\"framesTotal\""),
                                    HasSubstr("\"lastFiredUnixNs\"")));
}

// That the server is away is one fault, however many parts of the daemon wait for it.
TEST_F(DeviceStatusTest, SaysEachFaultOnce) {
  const Config config =
      Configure(Camera("front", folder_ / "nothing.mp4", "") + Rule("motion > 0.01"));
  const std::jthread daemon = Run(config);
  const v1::DeviceStatus status = Await(config, [&](const v1::DeviceStatus& status) {
    return !ProblemOf(status, "camera front").empty() && !ProblemOf(status, "server").empty();
  });
  EXPECT_EQ(status.problems_size(), 2) << ToText(status);
  EXPECT_THAT(ProblemOf(status, "camera front"), HasSubstr("nothing.mp4"));
  EXPECT_EQ(status.cameras(0).health().state(), v1::CameraHealth::STATE_ENDED);
}

TEST_F(DeviceStatusTest, SaysThatThereIsNoCameraOrNoRule) {
  for (const std::string& more : {std::string(), Camera("front", Footage("cup.mp4"))}) {
    const Config config = Configure(more);
    const std::jthread daemon = Run(config);
    const v1::DeviceStatus status =
        Await(config, [](const v1::DeviceStatus& status) { return status.running(); });
    EXPECT_THAT(ProblemOf(status, "configuration"),
                HasSubstr(more.empty() ? "there is no camera" : "there is no rule"));
  }
}

TEST_F(DeviceStatusTest, WithoutADaemonTellsWhatTheSpoolHolds) {
  const Config config = Configure(Camera("front", Footage("cup.mp4")) + Rule("motion > 0.01"));
  const auto never = ReadDeviceStatus(config, RealClock());
  EXPECT_TRUE(absl::IsNotFound(never.status())) << never.status();
  EXPECT_THAT(
      std::string(Message(never.status())),
      HasSubstr("the daemon is not running, and there is no spool in " + config.spool.directory));
  {
    const std::jthread daemon = Run(config);
    Await(config, [](const v1::DeviceStatus& status) { return status.running(); });
  }
  const auto status = ReadDeviceStatus(config, RealClock());
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_FALSE(status->running());
  EXPECT_EQ(ProblemOf(*status, "daemon"), "the daemon is not running|");
  EXPECT_GT(status->spool().quota_bytes(), 0u);
  EXPECT_THAT(ToText(*status), AllOf(HasSubstr("problems\n  daemon: the daemon is not running"),
                                     HasSubstr("in use     "), Not(HasSubstr("CAMERA"))));
}

TEST_F(DeviceStatusTest, HoldsNoAddressOfACamera) {
  const Config config =
      Configure(Camera("front", "rtsp://admin:hunter2@127.0.0.1:1/stream?pwd=hunter3", "") +
                Rule("motion > 0.01"));
  const std::jthread daemon = Run(config);
  const v1::DeviceStatus status = Await(config, [](const v1::DeviceStatus& status) {
    return status.cameras_size() == 1 && !status.cameras(0).health().problem().empty();
  });
  for (const std::string& said : {ToText(status), ToJson(status)}) {
    EXPECT_THAT(said, Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace gleaner::edge
