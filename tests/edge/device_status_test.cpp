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
  EXPECT_THAT(text, AllOf(HasSubstr("cart-1 at store-7"), HasSubstr("127.0.0.1:1, not connected"),
                          HasSubstr("front   streaming  file h264"), HasSubstr("hand"),
                          HasSubstr("motion > 0.01"),
                          HasSubstr("problems\n  server: no connection to 127.0.0.1:1: ")));
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

// A device of which everything is known.
v1::DeviceStatus Known() {
  v1::DeviceStatus status;
  status.set_device("cart-1");
  status.set_site("store-7");
  status.set_software_version("0.1.0");
  status.set_running(true);
  status.mutable_now()->set_wall_unix_ns(1'700'000'000 * kNanosPerSecond);
  status.mutable_process()->set_uptime_s(7200);
  status.mutable_process()->set_cpu_percent(4.3);
  status.mutable_process()->set_rss_bytes(52 << 20);
  status.mutable_server()->set_address("cloud.example:7443");
  status.mutable_server()->set_connected(true);
  status.mutable_upload()->set_state("idle");
  return status;
}

TEST(DeviceStatusText, SaysOfADeviceAllThatIsKnown) {
  v1::DeviceStatus status = Known();
  status.mutable_server()->set_policy_version("p1");
  status.mutable_server()->set_ahead_ns(6 * kNanosPerSecond);
  status.mutable_upload()->set_state("sending");
  status.mutable_upload()->set_rate_bytes_per_s(5 << 20);
  status.mutable_upload()->set_sent_bytes_total(300 << 20);
  status.mutable_upload()->set_cap_bytes_per_s(10 << 20);
  v1::Problem* problem = status.add_problems();
  problem->set_part("capture");
  problem->set_text("the disk\nis full");
  status.add_problems()->set_text("of no part");
  v1::CameraStatus* front = status.add_cameras();
  front->mutable_description()->set_name("front");
  front->mutable_description()->set_source("rtsp");
  front->mutable_description()->set_codec("h264");
  front->mutable_description()->set_width(1280);
  front->mutable_description()->set_height(720);
  front->mutable_description()->set_encoder("remux");
  front->mutable_health()->set_state(v1::CameraHealth::STATE_STREAMING);
  front->mutable_health()->set_frames_total(9000);
  front->mutable_health()->set_frames_per_s(29.97);
  front->mutable_health()->set_silent_ms(999);
  v1::CameraStatus* back = status.add_cameras();
  back->mutable_description()->set_name("back");
  back->mutable_description()->set_source("v4l2");
  back->mutable_health()->set_state(v1::CameraHealth::STATE_RECONNECTING);
  v1::CameraStatus* file = status.add_cameras();
  file->mutable_description()->set_name("film");
  file->mutable_description()->set_source("file");
  file->mutable_health()->set_state(v1::CameraHealth::STATE_ENDED);
  file->mutable_health()->set_frames_total(1);
  file->mutable_health()->set_silent_ms(1000);
  v1::RuleStatus* rule = status.add_rules();
  rule->mutable_description()->set_name("hand");
  rule->mutable_description()->set_expression("motion > 0.02");
  rule->mutable_description()->set_priority(7);
  rule->set_firings(12);
  rule->set_last_fired_unix_ns(status.now().wall_unix_ns() - 90 * kNanosPerSecond);
  status.add_rules()->mutable_description()->set_name("never");
  EXPECT_EQ(
      ToText(status),
      "device     cart-1 at store-7\n"
      "daemon     0.1.0, up 2 h, 4.3 % of a core, 52.0 MiB\n"
      "server     cloud.example:7443, connected, policy p1; this clock is 6 s behind the server's\n"
      "upload     sending, 5.0 MiB/s, 300.0 MiB sent since the start, at most 10.0 MiB/s\n"
      "\n"
      "problems\n"
      "  capture: the disk\\nis full\n"
      "  of no part\n"
      "\n"
      "CAMERA  STATE         SENDS                 RATE  LAST PACKET  ENCODER\n"
      "front   streaming     rtsp h264 1280×720  30.0/s  999 ms ago   remux\n"
      "back    reconnecting  v4l2                     -  none yet     -\n"
      "film    ended         file                     -  1 s ago      -\n"
      "\n"
      "RULE   FIRED  LAST       PRIORITY  WHEN\n"
      "hand      12  1 min ago         7  motion > 0.02\n"
      "never      0  never             0\n");
}

TEST(DeviceStatusText, SaysNothingOfWhatThereIsNot) {
  EXPECT_EQ(ToText(Known()),
            "device     cart-1 at store-7\n"
            "daemon     0.1.0, up 2 h, 4.3 % of a core, 52.0 MiB\n"
            "server     cloud.example:7443, connected\n"
            "upload     idle, 0 B sent since the start\n");
  v1::DeviceStatus nameless = Known();
  nameless.clear_device();
  nameless.clear_site();
  nameless.set_running(false);
  EXPECT_EQ(ToText(nameless), "device     -\n");
}

TEST(DeviceStatusText, TellsOfAClockThatIsOffByMoreThanFiveSeconds) {
  for (const auto& [ahead_ns, words] :
       {std::pair<int64_t, std::string>{5 * kNanosPerSecond, ""},
        {-5 * kNanosPerSecond, ""},
        {5 * kNanosPerSecond + 1, "; this clock is 5 s behind the server's"},
        {-7200 * kNanosPerSecond, "; this clock is 2 h ahead of the server's"}}) {
    v1::DeviceStatus status = Known();
    status.mutable_server()->set_ahead_ns(ahead_ns);
    EXPECT_THAT(ToText(status), HasSubstr("7443, connected" + words + "\n")) << ahead_ns;
  }
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
