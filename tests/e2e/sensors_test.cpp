// What a program on the device tells: from its socket into a rule, a clip and the catalog.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "edge/sensor/client/gleaner_sensor.h"
#include "tests/data/footage.h"
#include "tests/e2e/rig.h"

namespace gleaner::e2e {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST(Sensors, AProgramOnTheDeviceFiresARuleAndItsSeriesLieBesideTheVideo) {
  Rig rig;
  rig.StartServer();
  const std::string path = rig.directory() + "/sensors.sock";
  const DeviceSetup device{.videos = {Footage("box.mp4")},
                           .pace = "realtime",
                           .loop = true,
                           .when = "weight > 50 and within(2s, event.checkout-mismatch > 0)",
                           .cooldown = "60s",
                           .more = "[sensors]\nsocket = \"" + path +
                                   "\"\n"
                                   "[[sensor]]\nname = \"weight\"\nunit = \"g\"\n"
                                   "[[sensor]]\nname = \"checkout-mismatch\"\nevent = true\n"};
  Process running = rig.StartDevice(device);
  gleaner_sensor out;
  ASSERT_EQ(gleaner_sensor_open(&out, path.c_str()), 0);
  ASSERT_TRUE(Eventually([&] { return gleaner_sensor_number(&out, "weight", 20) == 0; }))
      << running.Log();
  // Its cameras may need a moment, and a clip is made only of what they have seen.
  ASSERT_TRUE(Eventually([&] {
    const auto status = rig.DeviceStatus(device);
    return !status.at("cameras").empty() &&
           Number(status.at("cameras")[0].at("health"), "framesTotal") > 30;
  })) << running.Log();
  EXPECT_EQ(gleaner_sensor_number(&out, "weight", 60.5), 0);
  EXPECT_EQ(gleaner_sensor_event(&out, "checkout-mismatch"), 0);
  EXPECT_EQ(gleaner_sensor_event(&out, "no-such-event"), 0) << "the sender isn't told";
  ASSERT_TRUE(Eventually([&] { return rig.Clips().size() == 1; })) << running.Log();

  const std::string id = rig.Clips()[0].at("id");
  EXPECT_THAT(rig.VideoProblems(id), testing::IsEmpty());
  const auto manifest = rig.Call("GetClip", {{"id", id}}).at("manifest");
  bool weighed = false;
  for (const auto& signal : manifest.at("trigger").at("signals")) {
    if (signal.at("name") != "sensor.weight") continue;
    weighed = true;
    EXPECT_EQ(signal.at("unit"), "g");
    EXPECT_THAT(signal.at("value"), Contains(60.5));
  }
  EXPECT_TRUE(weighed) << manifest.dump(2);
  const auto status = rig.DeviceStatus(device);
  EXPECT_EQ(Number(status.at("sensors")[0], "takenTotal"), 2);
  EXPECT_THAT(status.at("problems").dump(), HasSubstr("the last of no-such-event"));
  gleaner_sensor_close(&out);
}

}  // namespace
}  // namespace gleaner::e2e
