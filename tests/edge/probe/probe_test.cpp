// `gleaner-edge probe`: what is said of a camera, and of one that can't be looked at.
#include "edge/probe/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config.h"
#include "common/status.h"
#include "tests/data/footage.h"
#include "tests/edge/camera/camera_door.h"
#include "tests/edge/probe/probe_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CameraProbeTest : public ProbeRig {
 protected:
  const Film film_ = Film::Load(MakeFilm(
      {.seconds = 3, .encode = "-c:v libx264 -preset ultrafast -bf 0 -g 25 -pix_fmt yuv420p"}));
};

TEST_F(CameraProbeTest, SaysWhatARtspCameraIsAndHowToConfigureIt) {
  const CameraDoor door({.schemes = {"SHA-256"}, .user = "opera7or", .password = "Hunter2"});
  RtspBehavior behavior{.loop = true};
  behavior.door = [&](const RtspRequest& request) {
    auto answer = door(request);
    if (!answer && request.method == "OPTIONS") {
      answer = {"200 OK", "Server: Nice \x1b[31mCamera\r\nPublic: DESCRIBE\r\n"};
    }
    return answer;
  };
  behavior.more_sdp = "m=audio 0 RTP/AVP 0\r\n";
  RtspCamera camera(film_, behavior);
  const auto probe =
      Probe(At(fmt::format("rtsp://opera7or:Hunter2@127.0.0.1:{}/Hunter3", camera.port())), 6);
  ASSERT_TRUE(probe.ok()) << probe.status();
  EXPECT_EQ(probe->address(), fmt::format("rtsp://127.0.0.1:{}", camera.port()));
  EXPECT_EQ(probe->login(), "SHA-256 digest");
  EXPECT_EQ(probe->transport(), "TCP");
  EXPECT_TRUE(probe->has_audio());
  EXPECT_TRUE(probe->sets_announced());
  EXPECT_TRUE(probe->sets_at_all_keyframes());
  EXPECT_TRUE(probe->watching().cheap());
  const double cpu_ms_a_s = probe->watching().cpu_ms_per_frame() * probe->frames_per_s();
  EXPECT_GT(cpu_ms_a_s, 0);
  EXPECT_DOUBLE_EQ(probe->watching().core_percent(), cpu_ms_a_s / 10);
  EXPECT_EQ(probe->description().codec(), "h264");
  EXPECT_EQ(probe->description().width(), 320u);
  EXPECT_EQ(probe->longest_gop(), 25u);
  EXPECT_EQ(probe->problem(), "");
  const std::string text = ToText(*probe);
  for (const char* part :
       {"server          Nice", "login           SHA-256 digest", "h264", "320×180",
        "every 25 frames", "announced, and in front of every keyframe",
        "sound           there is, and is left out", "watching        cheap",
        "[[camera]]\nname = \"camera\"\n", "password_file"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  for (const char* secret : {"Hunter", "opera7or", "\x1b"}) {
    EXPECT_THAT(text, Not(HasSubstr(secret)));
  }
}

TEST_F(CameraProbeTest, PrintsATableThatTheDaemonTakesOnceItIsCompleted) {
  RtspCamera camera(film_, RtspBehavior{.loop = true});
  const auto probe = Probe(At(fmt::format("rtsp://127.0.0.1:{}", camera.port())), 1);
  ASSERT_TRUE(probe.ok()) << probe.status();
  auto reader = ConfigReader::Parse(probe->table(), "probe.toml");
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto tables = reader->Tables("camera");
  ASSERT_EQ(tables.size(), 1u);
  const CameraOptions options = CameraOptions::Read(tables[0]);
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(options.address.port(), camera.port());
}

TEST_F(CameraProbeTest, TriesUdpWhereNothingComesOverTcp) {
  RtspCamera camera(film_, std::vector<RtspBehavior>{Silent(), RtspBehavior{}});
  const auto probe = Probe(At(camera.url()), 1);
  ASSERT_TRUE(probe.ok()) << probe.status();
  EXPECT_EQ(probe->transport(), "UDP");
  EXPECT_THAT(probe->table(), HasSubstr("transport = \"udp\""));
}

TEST_F(CameraProbeTest, SaysWhatToDoWhereThereIsNothingToLookAt) {
  const auto problem = [this](const ProbeTarget& target) {
    const auto probe = Probe(target, 1);
    EXPECT_FALSE(probe.ok());
    return std::string(Message(probe.status()));
  };
  const CameraDoor door({.schemes = {"MD5"}, .password = "another"});
  RtspCamera locked(film_, RtspBehavior{.door = door});
  EXPECT_THAT(problem(At(locked.url())), HasSubstr("login refused: correct user or password"));
  EXPECT_EQ(door.refused(), 1);
  RtspCamera lost(film_, RtspBehavior{.door = [](const RtspRequest&) {
                    return std::optional(RtspBehavior::Answer{"404 Not Found", ""});
                  }});
  EXPECT_THAT(problem(At(lost.url())), HasSubstr("it has no stream at the path"));
  EXPECT_THAT(problem(At("rtsp://127.0.0.1:1/live")), HasSubstr("nothing listens at this port"));
  EXPECT_THAT(problem(At("/dev/video-of-no-camera")), HasSubstr("No such file"));
  EXPECT_THAT(problem(At("./no-such-film.mp4")), HasSubstr("No such file"));
  RtspCamera mute(film_, Silent());
  EXPECT_THAT(problem(At(mute.url())), HasSubstr("gave no picture for 10 s"));
}

TEST_F(CameraProbeTest, SaysWhyItEndedBeforeItsTime) {
  RtspCamera camera(film_, RtspBehavior{.then = RtspBehavior::Then::kClose});
  const auto probe = Probe(At(camera.url()), 600);
  ASSERT_TRUE(probe.ok()) << probe.status();
  EXPECT_THAT(probe->problem(), HasSubstr("closed the connection"));
  EXPECT_GT(probe->frames(), 50u);
}

TEST_F(CameraProbeTest, LooksAtAFileToItsEndOrForSoLongOfIt) {
  const auto part = Probe(At(Footage("vtest.avi")), 3);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(part->frames(), 31u);
  EXPECT_FALSE(part->watching().cheap());
  EXPECT_THAT(ToText(*part), HasSubstr("every frame is decoded, and encoded anew"));
  EXPECT_THAT(part->table(), HasSubstr(fmt::format("url = \"{}\"", Footage("vtest.avi"))));
}

}  // namespace
}  // namespace gleaner::edge
