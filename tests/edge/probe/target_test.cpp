// Which camera a probe looks at, and what is wrong with one that it can't.
#include "edge/probe/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "common/status.h"
#include "edge/health/status_socket.h"
#include "tests/edge/camera/camera_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Mistake(const ProbeArguments& wrong) {
  const auto target = FindProbeTarget(wrong);
  EXPECT_TRUE(absl::IsInvalidArgument(target.status())) << target.status();
  return std::string(Message(target.status()));
}

class ProbeTargetTest : public CameraRig {
 protected:
  std::string Configuration(const std::string& cameras) {
    return WriteFile("edge.toml", fmt::format("[server]\naddress = \"gleaner.example:7443\"\nca = "
                                              "\"/nowhere\"\ncertificate = \"/nowhere\"\nkey = "
                                              "\"/nowhere\"\n[spool]\ndirectory = \"{}\"\n{}",
                                              folder_.string(), cameras));
  }
  // A password's file, for nobody else to read.
  std::string PasswordFile() {
    const std::string path = WriteFile("password", "from a file\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_read);
    return path;
  }
};

TEST_F(ProbeTargetTest, IsACameraOfTheConfigurationByItsName) {
  ProbeArguments arguments;
  arguments.config_path = Configuration(
      "[clip]\nencoders = [\"openh264\"]\n[[camera]]\nname = \"front\"\nurl = "
      "\"rtsp://cam/1\"\nuser = \"u\"\npassword = \"p\"\ntransport = \"udp\"\n");
  arguments.target = "front";
  const auto front = FindProbeTarget(arguments);
  ASSERT_TRUE(front.ok()) << front.status();
  EXPECT_EQ(front->camera.address.uri(), "rtsp://cam/1");
  EXPECT_EQ(front->camera.login.user, "u");
  EXPECT_EQ(front->camera.transport, "udp");
  EXPECT_THAT(front->encoders, ::testing::ElementsAre("openh264"));
  arguments.user = "somebody";
  EXPECT_THAT(Mistake(arguments), HasSubstr("--user is for a url"));
  arguments.user = "";
  arguments.target = "back";
  EXPECT_THAT(Mistake(arguments), HasSubstr("there are: front"));
  EXPECT_THAT(Mistake(arguments), Not(HasSubstr("back"))) << "it may be a password, pasted wrongly";
  arguments.config_path = folder_ / "none.toml";
  EXPECT_FALSE(FindProbeTarget(arguments).ok());
}

TEST_F(ProbeTargetTest, LogsInFromTheUrlAFileOrTheEnvironmentAndNotFromTwo) {
  ProbeArguments arguments;
  arguments.target = "rtsp://cam/1";
  arguments.user = "admin";
  arguments.password_file = PasswordFile();
  const auto target = FindProbeTarget(arguments);
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->camera.login.user, "admin");
  EXPECT_EQ(target->camera.login.password_file, arguments.password_file);
  ProbeArguments both = arguments;
  both.target = "rtsp://u:Hunter2@cam/1";
  EXPECT_THAT(Mistake(both), HasSubstr("keep one"));
  ProbeArguments two = arguments;
  two.password_env = "HOME";
  EXPECT_THAT(Mistake(two), HasSubstr("both there"));
  ProbeArguments nobody = arguments;
  nobody.user = "";
  EXPECT_THAT(Mistake(nobody), HasSubstr("need --user"));
  ProbeArguments unset = arguments;
  unset.password_file = "";
  unset.password_env = "GLEANER_NO_SUCH_PASSWORD";
  EXPECT_THAT(Mistake(unset), HasSubstr("--password-env: "));
  ProbeArguments lost = arguments;
  lost.password_file = folder_ / "nowhere";
  EXPECT_THAT(Mistake(lost), HasSubstr("--password-file: "));
  ProbeArguments file = arguments;
  file.target = "/srv/film.mp4";
  EXPECT_THAT(Mistake(file), HasSubstr("only an RTSP camera has a login"));
}

TEST_F(ProbeTargetTest, IsNoUrlOfAnotherKindAndNothingOfItIsSaid) {
  ProbeArguments wrong;
  for (const char* url : {"http://u:Hunter2@cam/1", "https://cam/Hunter2.mjpg", "rtsp://Hunter2@",
                          "u:Hunter2@cam/1", "ftp://cam/Hunter2"}) {
    wrong.target = url;
    EXPECT_THAT(Mistake(wrong), HasSubstr("the camera's address"));
    EXPECT_THAT(Mistake(wrong), Not(HasSubstr("Hunter2")));
  }
  wrong.target = "http://cam/1";
  EXPECT_THAT(Mistake(wrong), HasSubstr("give the camera's RTSP stream"));
  wrong.target = "rtsp://cam/1";
  wrong.name = "Front Door";
  EXPECT_THAT(Mistake(wrong), HasSubstr("write \"front-door\""));
  wrong.name = "";
  wrong.target = "/dev/video0";
  wrong.transport = "udp";
  EXPECT_THAT(Mistake(wrong), HasSubstr("only an RTSP camera has one"));
}

TEST_F(ProbeTargetTest, KeepsAPathThatTheConfigurationCanNameFromItsOwnFolder) {
  ProbeArguments arguments;
  arguments.target = "./a/../film.mp4";
  const auto target = FindProbeTarget(arguments);
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->camera.address.path(), std::filesystem::current_path() / "film.mp4");
  arguments.target = "file:///srv/film.mp4";
  EXPECT_EQ(FindProbeTarget(arguments)->camera.address.path(), "/srv/film.mp4");
}

TEST_F(ProbeTargetTest, SaysWhetherTheDaemonHasABusyDevice) {
  const std::string config = Configuration("[[camera]]\nname = \"front\"\nurl = \"/dev/video0\"\n");
  const absl::Status busy = absl::AbortedError("can't open /dev/video0: Device or resource busy");
  const auto explained = [&](const char* device) {
    const absl::Status status = ExplainBusy(busy, config, *CameraAddress::Parse(device));
    EXPECT_TRUE(absl::IsAborted(status));
    return std::string(Message(status));
  };
  EXPECT_THAT(explained("/dev/video0"), HasSubstr("busy: another program has it"));

  auto socket = StatusSocket::Listen(folder_);
  ASSERT_TRUE(socket.ok()) << socket.status();
  v1::DeviceStatus status;
  v1::CameraStatus* camera = status.add_cameras();
  camera->mutable_description()->set_name("front");
  camera->mutable_description()->set_codec("mjpeg");
  camera->mutable_description()->set_width(1280);
  camera->mutable_description()->set_height(720);
  camera->mutable_health()->set_state(v1::CameraHealth::STATE_STREAMING);
  camera->mutable_health()->set_frames_per_s(29.97);
  const std::jthread daemon(
      [&](const std::stop_token& stop) { socket->Run(stop, [&] { return status; }); });
  EXPECT_THAT(explained("/dev/video0"),
              HasSubstr("the running gleaner-edge watches it as front (mjpeg 1280×720, 30.0 "
                        "frames/s)"));
  EXPECT_THAT(explained("/dev/video1"), HasSubstr("another program has it"));
}

}  // namespace
}  // namespace gleaner::edge
