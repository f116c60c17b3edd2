// A device whose processor others have taken.
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

// Gets to run for 2 ms of every 500, from the stop on: what takes it 50 ms takes 12 s.
TEST(Starved, ADeviceStoresTheClipInHandAtAStopHoweverLongThatTakes) {
  Rig rig;
  const DeviceSetup device{.videos = {Footage("cup.mp4"), Footage("vtest.avi")},
                           .pace = "realtime",
                           .loop = true,
                           .when = "motion > 0.01",
                           .post = "9min",
                           .max_clip = "10min"};
  Process edge = rig.StartDevice(device);
  ASSERT_TRUE(Eventually([&] { return edge.Log().find(" fired: clip") != std::string::npos; }))
      << edge.Log();
  edge.Signal(SIGTERM);
  const auto begun = std::chrono::steady_clock::now();
  while (edge.running() && std::chrono::steady_clock::now() - begun < seconds(300)) {
    std::this_thread::sleep_for(milliseconds(2));
    edge.Signal(SIGSTOP);
    std::this_thread::sleep_for(milliseconds(498));
    edge.Signal(SIGCONT);
  }
  EXPECT_EQ(edge.Wait(seconds(60)), 0) << edge.Log();
  EXPECT_GT(std::chrono::steady_clock::now() - begun, seconds(10)) << "it was hardly starved";
  const nlohmann::json status = rig.Status(device);
  EXPECT_EQ(Number(status, "pendingClips"), 1) << status.dump(2) << edge.Log();
  EXPECT_EQ(Number(status, "failedTotal"), 0) << status.dump(2);
}

}  // namespace
}  // namespace gleaner::e2e
