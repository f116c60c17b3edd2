#include "cloud/fleet/device_events.h"

#include <gmock/gmock.h>

#include <vector>

#include "cloud/events/event_hub.h"

namespace gleaner::cloud {
namespace {

class DeviceEventsTest : public testing::Test {
 protected:
  // The topics of what was published since the last call, of all devices.
  std::vector<std::string> Told() {
    std::string text;
    EXPECT_TRUE(reader_.Take(1 << 20, &text));
    std::vector<std::string> topics;
    constexpr std::string_view kEvent = "event: ";
    for (size_t at = text.find(kEvent); at != std::string::npos; at = text.find(kEvent, at + 1)) {
      const size_t begin = at + kEvent.size();
      topics.push_back(text.substr(begin, text.find('\n', begin) - begin));
    }
    return topics;
  }

  // When it moves, the thread of `events_` looks too: the second to look finds nothing.
  FakeClock clock_;
  EventHub hub_;
  DeviceEvents events_{hub_, clock_, 30 * kNanosPerSecond};
  EventReader reader_ = *hub_.Read("", "");
  v1::HeartbeatRequest heartbeat_;
};

using Topics = std::vector<std::string>;

TEST_F(DeviceEventsTest, TellsOnceASecondADevice) {
  events_.OnHeard("cart-1");
  EXPECT_EQ(Told(), Topics{"devices"});
  for (int i = 0; i < 10; ++i) events_.OnHeard("cart-1");
  EXPECT_EQ(Told(), Topics{});
  events_.OnHeard("cart-2");
  EXPECT_EQ(Told(), Topics{"devices"});
  clock_.Advance(kNanosPerSecond);
  events_.Look();
  EXPECT_EQ(Told(), Topics{"devices"});  // what was held back, once
  events_.Look();
  EXPECT_EQ(Told(), Topics{});
}

TEST_F(DeviceEventsTest, TellsOfADeviceThatFellSilentOnce) {
  events_.OnHeard("cart-1");
  Told();
  clock_.Advance(30 * kNanosPerSecond);
  events_.Look();
  EXPECT_EQ(Told(), Topics{});
  clock_.Advance(kNanosPerSecond);
  events_.Look();
  EXPECT_EQ(Told(), Topics{"devices"});
  clock_.Advance(100 * kNanosPerSecond);
  events_.Look();
  EXPECT_EQ(Told(), Topics{});
  events_.OnHeard("cart-1");
  EXPECT_EQ(Told(), Topics{"devices"});
}

TEST_F(DeviceEventsTest, TellsOfProblemsWhenTheyChange) {
  events_.OnHeartbeat("cart-1", heartbeat_);
  EXPECT_EQ(Told(), Topics{});
  heartbeat_.add_problems()->set_text("the disk is full");
  events_.OnHeartbeat("cart-1", heartbeat_);
  EXPECT_EQ(Told(), Topics{"problems"});
  heartbeat_.set_policy_version("another");
  events_.OnHeartbeat("cart-1", heartbeat_);
  EXPECT_EQ(Told(), Topics{});
  heartbeat_.clear_problems();
  events_.OnHeartbeat("cart-1", heartbeat_);
  EXPECT_EQ(Told(), Topics{"problems"});
}

}  // namespace
}  // namespace gleaner::cloud
