// The [[camera]] table that a probe prints: what the daemon reads of it is the camera that was
// looked at, and what may not be told isn't.
#include "edge/probe/camera_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// As the daemon would read it.
CameraOptions ReadBack(const std::string& table) {
  auto reader = ConfigReader::Parse(table, "probe.toml");
  EXPECT_TRUE(reader.ok()) << reader.status();
  auto tables = reader->Tables("camera");
  EXPECT_EQ(tables.size(), 1u) << table;
  const CameraOptions options = CameraOptions::Read(tables[0], /*try_login=*/false);
  const absl::Status finished = reader->Finish();
  EXPECT_TRUE(finished.ok()) << finished << table;
  return options;
}

ProbeTarget Target(const std::string& url) {
  ProbeArguments arguments;
  arguments.target = url;
  arguments.name = "front";
  auto target = FindProbeTarget(arguments);
  EXPECT_TRUE(target.ok()) << target.status();
  return *std::move(target);
}

TEST(CameraTable, IsReadyWhereNothingHasToBeLeftOut) {
  const CameraOptions options = ReadBack(CameraTable(Target("rtsp://cam:8554"), {}));
  EXPECT_EQ(options.name, "front");
  EXPECT_EQ(options.address.uri(), "rtsp://cam:8554");
  ProbeTarget target = Target("rtsp://cam/live\\\"1?channel=2");
  target.show_path = true;
  EXPECT_EQ(ReadBack(CameraTable(target, {})).address.uri(), target.camera.address.uri());
}

TEST(CameraTable, TellsNoPathOfAUrlUnlessThatIsAskedFor) {
  const std::string table = CameraTable(Target("rtsp://cam/Hunter2?pwd=Hunter3"), {});
  EXPECT_THAT(table, HasSubstr("url = \"rtsp://cam/…\"  # its path belongs here"));
  EXPECT_THAT(table, Not(HasSubstr("Hunter")));
}

TEST(CameraTable, PutsALoginIntoKeysOfItsOwnAndThePasswordNowhere) {
  v1::CameraProbe probe;
  probe.set_login("MD5 digest");
  ProbeTarget url = Target("rtsp://opera7or:Hunter2@cam/1");
  url.show_path = true;
  const std::string table = CameraTable(url, probe);
  EXPECT_THAT(table, HasSubstr("url = \"rtsp://cam/1\"\nuser = \"…\"\npassword_file = "
                               "\"/etc/gleaner/front.password\""));
  EXPECT_THAT(table, Not(HasSubstr("Hunter2")));
  EXPECT_THAT(table, Not(HasSubstr("opera7or")));

  ProbeTarget keys = Target("rtsp://cam");
  keys.camera.login = {.user = "admin", .password = "Hunter2"};
  EXPECT_THAT(CameraTable(keys, probe), HasSubstr("user = \"admin\"\npassword_file = "));
  EXPECT_THAT(CameraTable(keys, probe), Not(HasSubstr("Hunter2")));
  keys.camera.login = {.user = "admin", .password_env = "FRONT"};
  EXPECT_EQ(ReadBack(CameraTable(keys, probe)).login.password_env, "FRONT");
  keys.camera.login = {.user = "admin", .password_file = "/run/front"};
  EXPECT_EQ(ReadBack(CameraTable(keys, probe)).login.password_file, "/run/front");
}

TEST(CameraTable, SaysTheTransportThatWorked) {
  v1::CameraProbe probe;
  probe.set_transport("UDP");
  EXPECT_EQ(ReadBack(CameraTable(Target("rtsp://cam"), probe)).transport, "udp");
  probe.set_transport("TCP");
  EXPECT_EQ(ReadBack(CameraTable(Target("rtsp://cam"), probe)).transport, "auto");
}

TEST(CameraTable, SetsADeviceToWhatItWasSeenToDeliver) {
  v1::CameraProbe probe;
  probe.mutable_description()->set_codec("mjpeg");
  probe.mutable_description()->set_width(1280);
  probe.mutable_description()->set_height(720);
  const CameraOptions options = ReadBack(CameraTable(Target("/dev/video0"), probe));
  EXPECT_EQ(options.Kind(), SourceKind::kV4l2);
  EXPECT_EQ(options.v4l2.format, "mjpeg");
  EXPECT_EQ(options.v4l2.width, 1280);
  EXPECT_EQ(options.v4l2.height, 720);
}

TEST(CameraTable, KeepsWhatTheConfigurationSaysOfACamera) {
  ProbeTarget target = Target("/srv/a \"film\".mp4");
  target.camera.loop = true;
  target.camera.pace = "fast";
  CameraOptions options = ReadBack(CameraTable(target, {}));
  EXPECT_EQ(options.address.path(), "/srv/a \"film\".mp4");
  EXPECT_TRUE(options.loop);
  EXPECT_EQ(options.pace, "fast");

  target = Target("/dev/video0");
  target.camera.address = *CameraAddress::Parse("/dev/front-camera", "v4l2");
  target.camera.stall_timeout_ns = 2'500 * kNanosPerMilli;
  target.camera.v4l2.frames_per_s = 15;
  v1::CameraProbe probe;
  probe.mutable_description()->set_codec("rawvideo");
  probe.mutable_description()->set_width(640);
  probe.mutable_description()->set_height(480);
  options = ReadBack(CameraTable(target, probe));
  EXPECT_EQ(options.Kind(), SourceKind::kV4l2);
  EXPECT_EQ(options.stall_timeout_ns, 2'500 * kNanosPerMilli);
  EXPECT_EQ(options.v4l2.frames_per_s, 15);
  EXPECT_EQ(options.v4l2.format, "auto");
}

}  // namespace
}  // namespace gleaner::edge
