// A device whose processor others have taken.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "tests/data/footage.h"
#include "tests/e2e/rig.h"

namespace gleaner::e2e {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kClips = 16;  // as many as can be open

// Gets to run for about 1 ms of every 500, from the stop on: what takes it 50 ms takes half a
// minute, and the disk is as slow.
TEST(Starved, ADeviceStoresTheClipsInHandAtAStopHoweverLongThatTakes) {
  Rig rig;
  DeviceSetup device{.videos = {Footage("cup.mp4"), Footage("vtest.avi")},
                     .pace = "realtime",
                     .loop = true,
                     .when = "motion > 0.01",
                     .post = "9min",
                     .max_clip = "10min"};
  for (int i = 1; i < kClips; ++i) {
    device.more += fmt::format(
        "[[rule]]\nname = \"rule-{}\"\nwhen = \"motion > 0.01\"\npost = \"9min\"\nmax_clip = "
        "\"10min\"\n",
        i);
  }
  Process edge = rig.StartDevice(device);
  ASSERT_TRUE(Eventually([&] {
    return edge.Log().find(" fired: clip") != std::string::npos &&
           Number(rig.Status(device), "capturing") == kClips;
  })) << edge.Log();
  edge.Signal(SIGTERM);
  const auto begun = std::chrono::steady_clock::now();
  while (edge.running() && std::chrono::steady_clock::now() - begun < seconds(300)) {
    std::this_thread::sleep_for(milliseconds(1));
    edge.Signal(SIGSTOP);
    std::this_thread::sleep_for(milliseconds(499));
    edge.Signal(SIGCONT);
  }
  EXPECT_EQ(edge.Wait(seconds(60)), 0) << edge.Log();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  RecordProperty("seconds", fmt::format("{:.1f}", took.count()));
  const nlohmann::json status = rig.Status(device);
  EXPECT_EQ(Number(status, "pendingClips"), kClips) << status.dump(2) << edge.Log();
  EXPECT_EQ(Number(status, "failedTotal"), 0) << status.dump(2);
}

}  // namespace
}  // namespace gleaner::e2e
