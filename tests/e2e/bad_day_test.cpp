// Bad input and bad days at the level of whole programs: a clear sentence, a bounded degradation,
// nothing lost.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/data/footage.h"
#include "tests/data/paths.h"
#include "tests/e2e/rig.h"

namespace gleaner::e2e {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kConfigError = 2;

void Append(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

TEST(BadDay, AWrongConfigurationIsRefusedWithEveryLineThatIsWrong) {
  Rig rig;
  const DeviceSetup device{.videos = {Footage("cup.mp4")},
                           .when = "motion >",
                           .more = "[upload]\nwindow_chunks = 0\n[clip]\nencodrs = []\n"};
  Process edge = rig.StartDevice(device, {"--check-config"});
  EXPECT_EQ(edge.Wait(seconds(10)), kConfigError);
  EXPECT_THAT(edge.Log(),
              AllOf(HasSubstr("cart-1.toml:"), HasSubstr("window_chunks"),
                    HasSubstr("clip.encodrs: is not a known setting"), HasSubstr("when: ")));
}

TEST(BadDay, ACheckedConfigurationSaysSoAndStartsNothing) {
  Rig rig;
  Process edge = rig.StartDevice({.videos = {Footage("cup.mp4")}}, {"--check-config"});
  EXPECT_EQ(edge.Wait(seconds(10)), 0) << edge.Log();
  EXPECT_FALSE(std::filesystem::exists(rig.SpoolOf("cart-1") + "/spool.db"));
}

TEST(BadDay, ACameraThatIsNotVideoIsReportedAndTheOthersGoOn) {
  Rig rig;
  rig.StartServer();
  const std::string text = rig.directory() + "/notes.mp4";
  Append(text, "this is not a video, whatever its name says\n");
  const DeviceSetup device{.videos = {text, Footage("cup.mp4")}};
  Process edge = rig.StartDevice(device);
  EXPECT_TRUE(Eventually([&] {
    return rig.Device("cart-1").value("problem", "").find("cam-1") != std::string::npos;
  })) << rig.Device("cart-1").dump(2)
      << edge.Log();
  EXPECT_TRUE(Eventually([&] { return !rig.Clips().empty(); })) << edge.Log();
  EXPECT_EQ(rig.Device("cart-1").value("state", ""), "STATE_DEGRADED");
  EXPECT_EQ(edge.Stop(), 0) << edge.Log();
}

TEST(BadDay, ATruncatedFileGivesTheClipsThatAreInIt) {
  Rig rig;
  rig.StartServer();
  const std::string cut = rig.directory() + "/cut.avi";
  std::filesystem::copy_file(Footage("vtest.avi"), cut);
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) / 3);
  const DeviceSetup device{.videos = {cut}};
  Process edge = rig.StartDevice(device, {"--until-drained"});
  EXPECT_EQ(edge.Wait(seconds(60)), 0) << edge.Log();
  EXPECT_FALSE(rig.Clips().empty());
  EXPECT_THAT(rig.LedgerProblems(device), IsEmpty());
  for (const auto& clip : rig.Clips()) EXPECT_THAT(rig.VideoProblems(clip.at("id")), IsEmpty());
}

TEST(BadDay, ACorruptLedgerIsSetAsideAndTheDaemonWatchesOn) {
  Rig rig;
  rig.StartServer();
  const DeviceSetup device{.videos = {Footage("cup.mp4")}};
  EXPECT_EQ(rig.StartDevice(device, {"--until-drained"}).Wait(seconds(60)), 0);
  const size_t before = rig.Clips().size();
  std::ofstream(rig.SpoolOf("cart-1") + "/spool.db", std::ios::trunc) << std::string(100000, 'x');

  Process edge = rig.StartDevice(device, {"--until-drained"});
  EXPECT_EQ(edge.Wait(seconds(60)), 0) << edge.Log();
  EXPECT_THAT(edge.Log(), HasSubstr("spool.db.corrupt-"));
  // A new spool is a new boot id: nothing collides with what the cloud has.
  EXPECT_GT(rig.Clips().size(), before);
}

TEST(BadDay, APortInUseIsNamed) {
  Rig rig;
  rig.StartServer();
  // A second server on the same ports, with a data folder of its own.
  const std::string config = rig.directory() + "/second.toml";
  std::ifstream first(rig.directory() + "/cloud.toml");
  std::string text(std::istreambuf_iterator<char>(first), {});
  text.replace(text.find("/cloud\""), 7, "/second\"");
  Append(config, text);
  Process second({BinDir() + "/gleaner-cloud", "--config", config},
                 rig.directory() + "/second.log");
  EXPECT_EQ(second.Wait(seconds(20)), 1);
  EXPECT_THAT(second.Log(), HasSubstr("in use"));
}

TEST(BadDay, ASecondDaemonOnTheSameSpoolIsRefused) {
  Rig rig;
  const DeviceSetup device{.videos = {Footage("cup.mp4")}, .pace = "realtime", .loop = true};
  Process first = rig.StartDevice(device);
  ASSERT_TRUE(Eventually([&] { return first.Log().find("watching") != std::string::npos; }))
      << first.Log();
  Process second = rig.StartDevice(device);
  EXPECT_EQ(second.Wait(seconds(10)), 1);
  EXPECT_TRUE(first.running());
}

TEST(BadDay, ADeviceWithAForeignCertificateIsNotLetInAndLosesNothing) {
  Rig rig;
  rig.StartServer();
  Rig elsewhere;  // another authority
  DeviceSetup device{.videos = {Footage("cup.mp4")}};
  const std::string config = elsewhere.Configure(device);
  std::ifstream in(config);
  std::string text(std::istreambuf_iterator<char>(in), {});
  const std::string theirs = fmt::format("127.0.0.1:{}", elsewhere.grpc_port());
  text.replace(text.find(theirs), theirs.size(), fmt::format("127.0.0.1:{}", rig.grpc_port()));
  const std::string path = rig.directory() + "/stranger.toml";
  Append(path, text);
  Process edge({BinDir() + "/gleaner-edge", "--config", path}, rig.directory() + "/stranger.log");
  ASSERT_TRUE(Eventually([&] {
    return edge.Log().find("watching") != std::string::npos &&
           Number(elsewhere.Status(device), "pendingClips") > 0;
  })) << edge.Log();
  EXPECT_EQ(edge.Stop(), 0) << edge.Log();
  EXPECT_TRUE(rig.Device("cart-1").empty());
  EXPECT_THAT(rig.Clips(), IsEmpty());
  EXPECT_GT(Number(elsewhere.Status(device), "pendingClips"), 0);
}

}  // namespace
}  // namespace gleaner::e2e
