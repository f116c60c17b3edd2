#include "edge/health/heartbeat.h"

#include <gmock/gmock.h>

#include <future>
#include <iterator>
#include <limits>

#include "common/backoff.h"
#include "common/version.h"
#include "tests/data/log_lines.h"
#include "tests/edge/health/heartbeat_testing.h"

namespace gleaner::edge {
namespace {

using testing::HasSubstr;

using HeartbeatTest = HeartbeatRig;

size_t CountOf(const std::string& text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST_F(HeartbeatTest, SaysHelloOnceAndThenHowItIs) {
  Start();
  ASSERT_TRUE(Heartbeats(1));
  sent_bytes_ = 5'000'000;
  const int64_t took = NsUntilHeartbeats(2);
  EXPECT_GE(took, 10 * kNanosPerSecond);
  Stop();
  ASSERT_EQ(cloud_.hellos.size(), 1u);
  EXPECT_EQ(cloud_.hellos[0].site(), "store-1");
  EXPECT_EQ(cloud_.hellos[0].software_version(), Version());
  EXPECT_GT(cloud_.hellos[0].now().wall_unix_ns(), 0);
  const v1::HeartbeatRequest& beat = cloud_.heartbeats[1];
  EXPECT_EQ(beat.boot_id(), std::string(16, '\x07'));
  EXPECT_EQ(beat.spool().used_bytes(), 40u);
  EXPECT_EQ(beat.upload().state(), "sending");
  EXPECT_NEAR(static_cast<double>(beat.upload().rate_bytes_per_s()), 5e6 * 1e9 / took, 1e5);
  EXPECT_GT(beat.process().rss_bytes(), 1u << 20);
  EXPECT_GE(beat.process().cpu_percent(), 0);
  EXPECT_NEAR(beat.process().uptime_s(), took / 1e9, 1);
  EXPECT_EQ(beat.cameras(0).name(), "front");
  ASSERT_EQ(beat.problems_size(), 16);
  EXPECT_EQ(beat.problems(0).part(), "spool");
  EXPECT_EQ(beat.problems(0).text().size(), 512u);
  EXPECT_EQ(beat.problem(), beat.problems(0).text());
}

TEST_F(HeartbeatTest, PutsEveryFigureInItsField) {
  sources_.spool = [] {
    return SpoolStats{.quota_bytes = 100,
                      .used_bytes = 40,
                      .pending_clips = 3,
                      .pending_bytes = 30,
                      .oldest_pending_s = 7,
                      .committed_total = 11,
                      .evicted_total = 12,
                      .expired_total = 13,
                      .suppressed_total = 14,
                      .failed_total = 15,
                      .quarantined = 2};
  };
  sources_.upload = [] {
    return UploadStats{.state = "backing-off",
                       .sent_bytes = 900,
                       .resent_bytes = 100,
                       .cuts = 5,
                       .cap_bytes_per_s = 77};
  };
  clock_.Advance(kNanosPerSecond);  // the machine has been up for a while
  Start();
  ASSERT_TRUE(Heartbeats(1));
  Stop();
  const v1::HeartbeatRequest& beat = cloud_.heartbeats[0];
  EXPECT_EQ(beat.spool().ShortDebugString(),
            "quota_bytes: 100 used_bytes: 40 pending_clips: 3 pending_bytes: 30 oldest_pending_s: "
            "7 committed_total: 11 evicted_total: 12 expired_total: 13 suppressed_total: 14 "
            "failed_total: 15 quarantined: 2");
  EXPECT_EQ(beat.upload().ShortDebugString(),
            "state: \"backing-off\" sent_bytes_total: 900 resent_bytes_total: 100 cuts_total: 5 "
            "cap_bytes_per_s: 77")
      << "and no rate before there is a second look";
  EXPECT_EQ(beat.now().monotonic_ns(), clock_.MonotonicNs());
  EXPECT_EQ(beat.now().wall_unix_ns(), clock_.WallNs());
  EXPECT_EQ(beat.now().wall_uncertainty_ns(), clock_.WallUncertaintyNs());
}

TEST_F(HeartbeatTest, TriesAgainAfterABackOffThatGrowsUntilOneIsAnswered) {
  // Whether each heartbeat is answered, and when its hello or itself came.
  const std::vector<bool> answered = {false, false, false, false, true, false, false, true};
  std::vector<int64_t> times;
  cloud_.on_heartbeat = [&](const v1::HeartbeatRequest&, v1::HeartbeatResponse*) {
    times.push_back(clock_.MonotonicNs());
    return times.size() > answered.size() || answered[times.size() - 1]
               ? grpc::Status::OK
               : grpc::Status(grpc::StatusCode::UNAVAILABLE, "later");
  };
  clock_.AutoAdvance(true);
  LogLines lines;
  Start();
  ASSERT_TRUE(cloud_.Await([&] { return times.size() > answered.size(); }));
  Stop();
  Backoff expected(options_.backoff_base_ns, options_.backoff_cap_ns, options_.seed);
  for (size_t i = 0; i < answered.size(); ++i) {
    if (answered[i]) expected.Reset();
    EXPECT_EQ(times[i + 1] - times[i], answered[i] ? options_.interval_ns : expected.NextNs())
        << "after heartbeat " << i + 1;
  }
  EXPECT_GE(cloud_.hellos.size(), 6u) << "one after each that failed";
  // Each change is a line, and nothing else is.
  const std::string text = lines.text();
  EXPECT_EQ(CountOf(text, "heartbeat: later"), 2u) << text;
  EXPECT_EQ(CountOf(text, "connected to the server"), 2u) << text;
}

TEST_F(HeartbeatTest, HasNoRateOfUploadsWhileItIsNotConnected) {
  std::atomic<bool> away{false};
  cloud_.on_heartbeat = [&](const v1::HeartbeatRequest&, v1::HeartbeatResponse*) {
    return away ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "later") : grpc::Status::OK;
  };
  Start();
  ASSERT_TRUE(Heartbeats(1));
  sent_bytes_ = 5'000'000;
  NsUntilHeartbeats(2);
  EXPECT_GT(heartbeat_->stats().upload_rate_bytes_per_s, 0u);
  away = true;
  sent_bytes_ = 50'000'000;
  ASSERT_TRUE(Eventually([&] {
    clock_.Advance(kNanosPerSecond);
    return !heartbeat_->stats().connected;
  }));
  EXPECT_EQ(heartbeat_->stats().upload_rate_bytes_per_s, 0u);
}

TEST_F(HeartbeatTest, ConnectsAnewWhenTheServerDoesNotAnswer) {
  options_.deadline_ns = 50 * kNanosPerMilli;
  const auto release = std::make_shared<std::promise<void>>();
  cloud_.on_hello = [release](const v1::HelloRequest&, v1::HelloResponse*) {
    release->get_future().wait();
    return grpc::Status::OK;
  };
  Start();
  const auto before = link_->Channel();
  EXPECT_TRUE(Eventually([&] { return !heartbeat_->stats().problem.empty(); }));
  EXPECT_TRUE(Eventually([&] { return link_->Channel() != before; }));
  release->set_value();
}

TEST_F(HeartbeatTest, SaysOnceThatItsClockIsOffAndAgainWhenItIsOffAgain) {
  std::atomic<int64_t> ahead_s{0};
  cloud_.on_heartbeat = [&](const v1::HeartbeatRequest&, v1::HeartbeatResponse* response) {
    response->set_server_unix_ns(clock_.WallNs() + ahead_s * kNanosPerSecond);
    return grpc::Status::OK;
  };
  LogLines lines;
  Start();
  uint64_t beats = 0;
  for (const int64_t ahead : {5, -5, 6, 7, 0, -6}) {
    ahead_s = ahead;
    if (beats > 0) heartbeat_->Poke();
    ASSERT_TRUE(Heartbeats(++beats));
    ASSERT_TRUE(
        Eventually([&] { return heartbeat_->stats().server_ahead_ns == ahead * kNanosPerSecond; }));
  }
  Stop();
  const std::string text = lines.text();
  EXPECT_EQ(CountOf(text, "this device's clock is"), 2u) << text;
  EXPECT_EQ(CountOf(text, "this device's clock is 6.0 s behind the server's"), 1u) << text;
  EXPECT_EQ(CountOf(text, "this device's clock is 6.0 s ahead of the server's"), 1u) << text;
}

TEST_F(HeartbeatTest, HandsOnWhatTheServerFindsInThePicturesAndNothingThatForgesLines) {
  std::vector<std::vector<v1::CameraNotice>> heard;
  sources_.notices = [&](const std::vector<v1::CameraNotice>& notices) {
    std::lock_guard lock(mutex_);
    heard.push_back(notices);
  };
  cloud_.on_heartbeat = [&](const v1::HeartbeatRequest&, v1::HeartbeatResponse* response) {
    const int many = cloud_.heartbeats.size() == 1 ? 20 : 0;
    for (int i = 0; i < many; ++i) {
      v1::CameraNotice* notice = response->add_notices();
      notice->set_camera(i == 0 ? "no name" : "camera-" + std::to_string(i));
      notice->set_text("damage\nforged line " + std::string(1000, 'x'));
    }
    return grpc::Status::OK;
  };
  Start();
  ASSERT_TRUE(Heartbeats(1));
  NsUntilHeartbeats(2);
  Stop();
  ASSERT_GE(heard.size(), 2u);
  ASSERT_EQ(heard[0].size(), 8u);
  EXPECT_EQ(heard[0][0].camera(), "camera-1");
  EXPECT_EQ(heard[0][0].text().substr(0, 18), "damage forged line");
  EXPECT_LE(heard[0][0].text().size(), 256u);
  EXPECT_TRUE(heard[1].empty()) << "all that holds, each time";
}

TEST_F(HeartbeatTest, BelievesNoTimeThatCannotBe) {
  std::atomic<int> told{0};
  sources_.server_time = [&](int64_t, int64_t, int64_t) { ++told; };
  // From 2020 to 2200 it may be.
  static constexpr int64_t kOdd[] = {std::numeric_limits<int64_t>::min(),
                                     -1,
                                     1,
                                     1'577'836'800 * kNanosPerSecond - 1,
                                     7'258'118'400 * kNanosPerSecond + 1,
                                     std::numeric_limits<int64_t>::max()};
  size_t next = 0;
  cloud_.on_heartbeat = [&](const v1::HeartbeatRequest&, v1::HeartbeatResponse* response) {
    response->set_server_unix_ns(kOdd[std::min(next++, std::size(kOdd) - 1)]);
    return grpc::Status::OK;
  };
  Start();
  NsUntilHeartbeats(std::size(kOdd) + 1);
  EXPECT_EQ(heartbeat_->stats().server_ahead_ns, 0);
  EXPECT_EQ(told, 0);
}

TEST_F(HeartbeatTest, SaysHelloAgainWhenWhatItSaysHasChanged) {
  Start();
  ASSERT_TRUE(Heartbeats(1));
  open_ = true;
  NsUntilHeartbeats(2);
  NsUntilHeartbeats(3);
  Stop();
  ASSERT_EQ(cloud_.hellos.size(), 2u);
  EXPECT_EQ(cloud_.hellos[0].cameras(0).codec(), "");
  EXPECT_EQ(cloud_.hellos[1].cameras(0).codec(), "h264");
}

TEST_F(HeartbeatTest, SaysHelloAgainAfterTheServerWasAway) {
  Start();
  ASSERT_TRUE(Heartbeats(1));
  cloud_.Stop();
  // The call that was under way may end with the server's own farewell; the next finds nobody.
  const std::string away = "no connection to " + cloud_.address() + ": nobody listens there";
  EXPECT_TRUE(Eventually([&] {
    clock_.Advance(kNanosPerSecond);
    const auto stats = heartbeat_->stats();
    return !stats.connected && stats.problem.find(away) != std::string::npos;
  })) << heartbeat_->stats().problem;
  cloud_.Start();
  NsUntilHeartbeats(2);
  Stop();
  EXPECT_EQ(cloud_.hellos.size(), 2u);
  EXPECT_EQ(heartbeat_->stats().problem, "");
}

TEST_F(HeartbeatTest, SaysHelloAgainAfterARestartBetweenTwoHeartbeats) {
  Start();
  ASSERT_TRUE(Heartbeats(1));
  cloud_.Stop();
  cloud_.Start();
  NsUntilHeartbeats(2);
  Stop();
  EXPECT_EQ(cloud_.hellos.size(), 2u);
}

TEST_F(HeartbeatTest, SaysHelloAgainWhenTheUploadSawTheConnectionFail) {
  Start();
  ASSERT_TRUE(Heartbeats(1));
  link_->NoteLoss();
  NsUntilHeartbeats(2);
  Stop();
  EXPECT_EQ(cloud_.hellos.size(), 2u);
}

TEST_F(HeartbeatTest, WaitsForAServerThatIsDownAtTheStart) {
  cloud_.Stop();
  Start();
  ASSERT_TRUE(Eventually([&] { return !heartbeat_->stats().problem.empty(); }));
  cloud_.Start();
  NsUntilHeartbeats(1);
  EXPECT_TRUE(heartbeat_->stats().connected);
}

TEST_F(HeartbeatTest, BeatsAtOnceWhenPoked) {
  Start();
  ASSERT_TRUE(Heartbeats(1));
  heartbeat_->Poke();
  EXPECT_TRUE(Heartbeats(2));
}

TEST_F(HeartbeatTest, KnowsHowFarItsClockIsFromTheServers) {
  std::atomic<int64_t> told{0};
  sources_.server_time = [&](int64_t server_unix_ns, int64_t sent_ns, int64_t received_ns) {
    EXPECT_LE(sent_ns, received_ns);
    told = server_unix_ns;
  };
  cloud_.on_heartbeat = [&](const v1::HeartbeatRequest&, v1::HeartbeatResponse* response) {
    response->set_server_unix_ns(clock_.WallNs() + 3600 * kNanosPerSecond);
    return grpc::Status::OK;
  };
  Start();
  ASSERT_TRUE(Heartbeats(1));
  EXPECT_EQ(heartbeat_->stats().server_ahead_ns, 3600 * kNanosPerSecond);
  EXPECT_EQ(told.load(), cloud_.Locked([&] { return clock_.WallNs() + 3600 * kNanosPerSecond; }));
}

TEST_F(HeartbeatTest, StopsAtOnceWhenTheServerHangs) {
  // Shared: the server's thread may outlive this scope by a moment.
  const auto entered = std::make_shared<std::promise<void>>();
  const auto release = std::make_shared<std::promise<void>>();
  cloud_.on_hello = [entered, release](const v1::HelloRequest&, v1::HelloResponse*) {
    entered->set_value();
    release->get_future().wait();
    return grpc::Status::OK;
  };
  Start();
  entered->get_future().wait();
  const int64_t start = RealClock().MonotonicNs();
  Stop();
  EXPECT_LT(RealClock().MonotonicNs() - start, kNanosPerSecond);
  release->set_value();
}

TEST(HeartbeatOptions, TakesAnIntervalOfASecondToAnHour) {
  for (const auto& [text, seconds] : {std::pair{"1s", 1}, {"1h", 3600}}) {
    auto reader = ConfigReader::Parse(std::string("interval = \"") + text + "\"", "test.toml");
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ(HeartbeatOptions::Read(*reader).interval_ns, seconds * kNanosPerSecond);
    EXPECT_TRUE(reader->Finish().ok());
  }
  auto reader = ConfigReader::Parse("interval = \"999ms\"", "test.toml");
  HeartbeatOptions::Read(*reader);
  EXPECT_FALSE(reader->Finish().ok());
}

TEST(HeartbeatOptions, KeepsTheIntervalWithinTheContract) {
  auto reader = ConfigReader::Parse("interval = \"2h\"", "test.toml");
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(HeartbeatOptions::Read(*reader).interval_ns, 10 * kNanosPerSecond);
  EXPECT_FALSE(reader->Finish().ok());
}

}  // namespace
}  // namespace gleaner::edge
