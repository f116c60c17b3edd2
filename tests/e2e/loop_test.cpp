// The whole loop on real footage: camera → trigger → clip → spool → gRPC → catalog → gateway.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "tests/data/footage.h"
#include "tests/data/paths.h"
#include "tests/e2e/rig.h"

namespace gleaner::e2e {
namespace {

using std::chrono::seconds;
using ::testing::IsEmpty;

TEST(Loop, BringsRealFootageFromThreeDevicesIntoTheCatalog) {
  Rig rig;
  rig.StartServer();
  // A hand with a box (H.264, kept as it is), a hand with a bottle (H.264), pedestrians (MS-MPEG-4,
  // encoded anew).
  std::vector<DeviceSetup> devices = {
      {.name = "cart-1", .site = "store-7", .videos = {Footage("box.mp4")}},
      {.name = "cart-2", .site = "store-7", .videos = {Footage("cup.mp4")}},
      {.name = "gate-1", .site = "yard-2", .videos = {Footage("vtest.avi")}},
  };
  std::vector<Process> running;
  for (const DeviceSetup& device : devices) {
    running.push_back(rig.StartDevice(device, {"--until-drained"}));
  }
  for (Process& process : running) {
    EXPECT_EQ(process.Wait(seconds(90)), 0) << process.Log();
  }

  const auto clips = rig.Clips();
  std::map<std::string, int> per_device;
  for (const auto& clip : clips) {
    ++per_device[clip.at("device").get<std::string>()];
    const std::string id = clip.at("id");
    EXPECT_THAT(rig.DigestProblems(id), IsEmpty());
    EXPECT_THAT(rig.VideoProblems(id), IsEmpty());
    const auto manifest = rig.Call("GetClip", {{"id", id}}).at("manifest");
    EXPECT_EQ(manifest.at("trigger").at("rule"), "test-rule");
    EXPECT_FALSE(manifest.at("trigger").at("signals").empty());
    EXPECT_TRUE(clip.value("hasPreview", false));
  }
  for (const DeviceSetup& device : devices) {
    EXPECT_GE(per_device[device.name], 1) << device.name;
    EXPECT_THAT(rig.LedgerProblems(device), IsEmpty());
    EXPECT_EQ(rig.Device(device.name).value("site", ""), device.site);
  }
  // Every video is decoded once in the sandbox and found to be what its manifest says.
  EXPECT_TRUE(Eventually([&] {
    return Number(rig.Call("GetSummary"), "mediaOk") == static_cast<int64_t>(clips.size());
  })) << rig.Call("GetSummary").dump(2);

  // The filter language reaches the same clips.
  const auto filtered = rig.Call("ListClips", {{"filter", "device:cart-1,cart-2 site:store-7"}});
  EXPECT_EQ(Number(filtered, "total"), per_device["cart-1"] + per_device["cart-2"]);
}

TEST(Loop, KeepsTwoCamerasOfOneDeviceTogetherInOneClip) {
  Rig rig;
  rig.StartServer();
  const DeviceSetup device{.videos = {Footage("cup.mp4"), Footage("box.mp4")},
                           .when = "camera.cam-1.motion > 0.02"};
  Process edge = rig.StartDevice(device, {"--until-drained"});
  EXPECT_EQ(edge.Wait(seconds(60)), 0) << edge.Log();
  const auto clips = rig.Clips();
  ASSERT_FALSE(clips.empty());
  const std::string id = clips.back().at("id");
  EXPECT_THAT(rig.VideoProblems(id), IsEmpty());
  EXPECT_EQ(rig.Call("GetClip", {{"id", id}}).at("manifest").at("video").size(), 2u);
}

TEST(Loop, CatchesUpWhenTheServerComesLater) {
  Rig rig;
  const DeviceSetup device{.videos = {Footage("cup.mp4")}};
  Process edge = rig.StartDevice(device, {"--until-drained"});
  // Clips wait in the spool while there is nobody to send them to.
  ASSERT_TRUE(Eventually([&] {
    return edge.Log().find("watching") != std::string::npos &&
           Number(rig.Status(device), "pendingClips") > 0;
  })) << edge.Log();
  EXPECT_TRUE(edge.running()) << edge.Log();
  rig.StartServer();
  EXPECT_EQ(edge.Wait(seconds(60)), 0) << edge.Log();
  EXPECT_FALSE(rig.Clips().empty());
  EXPECT_EQ(Number(rig.Status(device), "pendingClips"), 0);
}

// What stays of a server whose catalog is lost: its objects, wherever these are.
TEST(Loop, GoesOnAfterALostCatalogWasMadeAnewFromTheObjects) {
  Rig rig;
  rig.StartServer();
  const DeviceSetup device{.videos = {Footage("box.mp4")}};
  Process edge = rig.StartDevice(device, {"--until-drained"});
  EXPECT_EQ(edge.Wait(seconds(90)), 0) << edge.Log();
  const auto all = [&] {
    std::map<std::string, std::string> receipts;
    for (const auto& clip : rig.Clips()) {
      const std::string id = clip.at("id");
      receipts[id] = rig.Call("GetClip", {{"id", id}}).at("manifestSha256");
      receipts[id] += clip.at("committedUnixNs");
    }
    return receipts;
  };
  const auto before = all();
  ASSERT_FALSE(before.empty());
  EXPECT_EQ(rig.server().Stop(), 0) << rig.server().Log();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(rig.directory() + "/cloud/catalog.db" + suffix);
  }
  Process recover(
      {BinDir() + "/gleaner-cloud", "--config", rig.directory() + "/cloud.toml", "recover"},
      rig.directory() + "/recover.log");
  EXPECT_EQ(recover.Wait(seconds(60)), 0) << recover.Log();
  rig.StartServer();
  EXPECT_EQ(all(), before);
  for (const auto& [id, receipt] : before) {
    EXPECT_THAT(rig.DigestProblems(id), IsEmpty());
    EXPECT_THAT(rig.VideoProblems(id), IsEmpty());
  }
  EXPECT_TRUE(Eventually([&] {
    return Number(rig.Call("GetSummary"), "mediaOk") == static_cast<int64_t>(before.size());
  })) << rig.Call("GetSummary").dump(2);
}

}  // namespace
}  // namespace gleaner::e2e
