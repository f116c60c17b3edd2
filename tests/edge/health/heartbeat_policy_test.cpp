// Which of the policies that come with the cloud's answers a device follows.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <iterator>
#include <limits>

#include "tests/data/log_lines.h"
#include "tests/edge/health/heartbeat_testing.h"

namespace gleaner::edge {
namespace {

using testing::HasSubstr;

using HeartbeatPolicyTest = HeartbeatRig;

TEST_F(HeartbeatPolicyTest, AppliesAPolicyWhenItChangesAndNotEachTimeItIsTold) {
  std::vector<v1::Policy> told(6);
  for (size_t i = 0; i < told.size(); ++i) {
    told[i].set_version(i < 2 ? std::string(64, 'v') : i < 4 ? "p2" : std::string(64, 'v'));
    told[i].set_heartbeat_interval_s(3600);
  }
  size_t next = 0;
  cloud_.on_heartbeat = [&](const v1::HeartbeatRequest&, v1::HeartbeatResponse* response) {
    *response->mutable_policy() = told[std::min(next++, told.size() - 1)];
    return grpc::Status::OK;
  };
  Start();
  for (size_t i = 1; i <= told.size(); ++i) {
    ASSERT_TRUE(Heartbeats(i));
    heartbeat_->Poke();
  }
  ASSERT_TRUE(Heartbeats(told.size() + 1));
  const auto applied = policies();
  ASSERT_EQ(applied.size(), 3u);
  EXPECT_EQ(applied[0].version().size(), 64u) << "as long as it may be";
  EXPECT_EQ(applied[1].version(), "p2");
  EXPECT_EQ(heartbeat_->stats().policy_version, applied[2].version());
}

TEST_F(HeartbeatPolicyTest, BringsHomeThePolicyAndFollowsItsInterval) {
  cloud_.on_hello = [](const v1::HelloRequest&, v1::HelloResponse* response) {
    response->mutable_policy()->set_version("p1");
    response->mutable_policy()->set_heartbeat_interval_s(2);
    response->mutable_policy()->set_upload_cap_bytes_per_s(1000);
    return grpc::Status::OK;
  };
  cloud_.on_heartbeat = [](const v1::HeartbeatRequest& request, v1::HeartbeatResponse* response) {
    if (request.policy_version() == "p1") {
      response->mutable_policy()->set_version("p2");
      response->mutable_policy()->set_heartbeat_interval_s(40);
      response->mutable_policy()->set_capture_paused(true);
    }
    return grpc::Status::OK;
  };
  Start();
  ASSERT_TRUE(Heartbeats(1));
  ASSERT_TRUE(Eventually([&] { return policies().size() == 2; }));
  EXPECT_EQ(policies()[0].upload_cap_bytes_per_s(), 1000u);
  EXPECT_TRUE(policies()[1].capture_paused());
  EXPECT_GE(NsUntilHeartbeats(2), 40 * kNanosPerSecond);
  Stop();
  EXPECT_EQ(cloud_.heartbeats[1].policy_version(), "p2");
  EXPECT_EQ(policies().size(), 2u);
  EXPECT_EQ(heartbeat_->stats().policy_version, "p2");
}

TEST_F(HeartbeatPolicyTest, FollowsNoPolicyOutOfBounds) {
  v1::Policy odd[4];
  odd[0].set_heartbeat_interval_s(3601);
  odd[1].set_heartbeat_interval_s(std::numeric_limits<uint32_t>::max());
  odd[2].set_version(std::string(65, 'v'));
  odd[3].set_version("p1\n<3>forged");
  size_t next = 0;
  cloud_.on_heartbeat = [&](const v1::HeartbeatRequest&, v1::HeartbeatResponse* response) {
    *response->mutable_policy() = odd[std::min(next++, std::size(odd) - 1)];
    return grpc::Status::OK;
  };
  Start();
  NsUntilHeartbeats(std::size(odd) + 1);
  EXPECT_TRUE(policies().empty());
  EXPECT_EQ(heartbeat_->stats().policy_version, "");
}

TEST_F(HeartbeatPolicyTest, APolicyThatChangesWithEachAnswerFillsNoLog) {
  LogLines log;
  std::atomic<int> next{0};
  cloud_.on_heartbeat = [&](const v1::HeartbeatRequest&, v1::HeartbeatResponse* response) {
    response->mutable_policy()->set_version(fmt::format("p{}", ++next));
    // Every second one can't be followed.
    response->mutable_policy()->set_heartbeat_interval_s(next % 2 == 0 ? 3601 : 3600);
    return grpc::Status::OK;
  };
  Start();
  for (uint64_t i = 1; i <= 200; ++i) {
    ASSERT_TRUE(Heartbeats(i));
    heartbeat_->Poke();
  }
  ASSERT_TRUE(Heartbeats(201));
  const std::string text = log.text();
  EXPECT_THAT(text, HasSubstr("policy p1 is in force: no upload cap, capture on"));
  EXPECT_THAT(text, HasSubstr("policy \"p2\" is out of bounds"));
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 30);
  EXPECT_GE(policies().size(), 100u) << "followed it is all the same";
}

TEST_F(HeartbeatPolicyTest, KeepsItsOwnIntervalUnderAPolicyWithout) {
  cloud_.on_hello = [](const v1::HelloRequest&, v1::HelloResponse* response) {
    response->mutable_policy()->set_version("p1");
    response->mutable_policy()->set_heartbeat_interval_s(0);
    return grpc::Status::OK;
  };
  Start();
  ASSERT_TRUE(Heartbeats(1));
  EXPECT_EQ(heartbeat_->stats().policy_version, "p1");
  EXPECT_GE(NsUntilHeartbeats(2), options_.interval_ns);
}

}  // namespace
}  // namespace gleaner::edge
