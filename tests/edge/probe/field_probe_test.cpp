// What `gleaner-edge probe` says of cameras as they are in the field, all over RTSP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "tests/edge/camera/camera_door.h"
#include "tests/edge/probe/probe_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPlain[] = "-c:v libx264 -preset veryfast -g 50 -bf 0 -pix_fmt yuv420p";

class FieldProbe : public ProbeRig {
 protected:
  // What is said of eight seconds of a film that is sent so.
  std::string Said(const std::string& encode, RtspBehavior behavior = {}) {
    behavior.loop = true;
    RtspCamera camera(Film::Load(MakeFilm({.seconds = 8, .encode = encode})), behavior);
    const auto probe = Probe(At(camera.url()), 8);
    EXPECT_TRUE(probe.ok()) << probe.status();
    EXPECT_EQ(probe->problem(), "");
    return ToText(*probe);
  }
};

TEST_F(FieldProbe, OfAPlainCameraSaysThatAllIsWell) {
  const std::string said = Said(kPlain);
  for (const char* line :
       {"login           none asked for\n", "transport       TCP\n",
        "video           h264 High, level 1.", "320×180, 25 frames/s",
        "every 50 frames, 2.0 s; IDR: a clip can start at each\n", "B-frames        none\n",
        "regular: a frame every 40 ms, ±0 ms\n", "clock           right\n",
        "watching        cheap: clips keep the camera's packets"}) {
    EXPECT_THAT(said, HasSubstr(line));
  }
}

TEST_F(FieldProbe, NamesH265) {
  const std::string said = Said(
      "-c:v libx265 -preset ultrafast -x265-params keyint=50:bframes=0:log-level=none "
      "-pix_fmt yuv420p");
  EXPECT_THAT(said, HasSubstr("video           hevc Main, level "));
  EXPECT_THAT(said, HasSubstr("cheap: clips keep the camera's packets"));
}

TEST_F(FieldProbe, SaysThatMotionJpegIsDearAndWhatWouldBeCheaper) {
  const std::string said = Said("-c:v mjpeg -pix_fmt yuvj420p");
  EXPECT_THAT(said, HasSubstr("mjpeg"));
  EXPECT_THAT(said, HasSubstr("every frame: a clip can start at each"));
  EXPECT_THAT(said, HasSubstr("dear: every frame is decoded, and encoded anew by "));
  EXPECT_THAT(said, HasSubstr("let the camera send H.264"));
  EXPECT_THAT(said, HasSubstr("150 of 150 frames decoded"));
  EXPECT_THAT(said, Not(HasSubstr("B-frames")));
}

TEST_F(FieldProbe, SeesBFrames) {
  EXPECT_THAT(Said("-c:v libx264 -preset veryfast -g 50 -bf 3 -pix_fmt yuv420p"),
              HasSubstr("sent before one that is shown earlier"));
}

TEST_F(FieldProbe, SeesThatGopsAreOpen) {
  EXPECT_THAT(Said("-c:v libx264 -preset veryfast -bf 3 -pix_fmt yuv420p -x264-params "
                   "open-gop=1:keyint=50:min-keyint=50:scenecut=0"),
              HasSubstr("open GOPs: 1 of 4 are IDR"));
}

TEST_F(FieldProbe, SeesIntraRefresh) {
  EXPECT_THAT(Said("-c:v libx264 -preset veryfast -bf 0 -pix_fmt yuv420p -x264-params "
                   "intra-refresh=1:keyint=50:scenecut=0"),
              HasSubstr("intra refresh: pictures are renewed bit by bit"));
}

TEST_F(FieldProbe, TellsTheRateOfAClockThatIsWrong) {
  const std::string said = Said(kPlain, {.stamp = stamps::Scaled(0.84)});
  EXPECT_THAT(said, HasSubstr("clock           counts 0.84"));
  EXPECT_THAT(said, HasSubstr("25 frames/s"));
}

TEST_F(FieldProbe, TellsStampsThatAreOfNoUse) {
  const std::string said = Said(kPlain, {.stamp = stamps::Constant()});
  EXPECT_THAT(said, HasSubstr("times           of no use; frames are timed by their arrival\n"));
  EXPECT_THAT(said, HasSubstr("25 frames/s"));
  EXPECT_THAT(said, Not(HasSubstr("clock")));
}

TEST_F(FieldProbe, CountsGlitchesAndJumps) {
  EXPECT_THAT(Said(kPlain, {.stamp = stamps::Glitch(50, -3 * 90'000)}),
              HasSubstr("frames with a wrong time, mended\n"));
  EXPECT_THAT(Said(kPlain, {.stamp = stamps::Jump(4 * 90'000, 3600 * 90'000)}),
              HasSubstr("; 1 jump\n"));
}

TEST_F(FieldProbe, SaysThatStampsJitter) {
  EXPECT_THAT(Said(kPlain, {.stamp = stamps::Jittered(3, 900)}),
              HasSubstr("irregular: a frame every "));
}

TEST_F(FieldProbe, ReachesACameraThatKnowsUdpOnly) {
  const std::string said =
      Said(kPlain, {.door = [](const RtspRequest& request) {
             std::optional<RtspBehavior::Answer> answer;
             const auto transport = request.headers.find("transport");
             if (request.method == "SETUP" && transport->second.find("TCP") != std::string::npos) {
               answer = {"461 Unsupported Transport", ""};
             }
             return answer;
           }});
  EXPECT_THAT(said, HasSubstr("transport       UDP\n"));
  EXPECT_THAT(said, HasSubstr("\ntransport = \"udp\"\n"));
}

TEST_F(FieldProbe, SaysThatSoundIsLeftOut) {
  EXPECT_THAT(Said(kPlain, {.more_sdp = "m=audio 0 RTP/AVP 0\r\n"}),
              HasSubstr("sound           there is, and is left out: clips are video only\n"));
}

TEST_F(FieldProbe, SaysHowTheCameraTookTheLogin) {
  EXPECT_THAT(Said(kPlain, {.door = CameraDoor({.schemes = {"MD5", "SHA-256"}})}),
              HasSubstr("login           SHA-256 digest\n"));
  EXPECT_THAT(Said(kPlain, {.door = CameraDoor({.schemes = {"Basic"}})}),
              HasSubstr("Basic: the password goes over the network as it is"));
}

TEST_F(FieldProbe, TriesAWrongPasswordOnce) {
  const CameraDoor door({.schemes = {"SHA-256"}, .password = "another"});
  RtspCamera camera(Film::Load(MakeFilm({.seconds = 8, .encode = kPlain})),
                    RtspBehavior{.door = door});
  const auto probe = Probe(At(camera.url()), 8);
  EXPECT_TRUE(absl::IsPermissionDenied(probe.status()));
  EXPECT_THAT(std::string(Message(probe.status())), HasSubstr("login refused: correct user"));
  EXPECT_EQ(door.refused(), 1);
}

TEST_F(FieldProbe, GivesUpACameraThatSendsNothing) {
  RtspCamera camera(Film::Load(MakeFilm({.seconds = 8, .encode = kPlain})), Silent());
  const auto probe = Probe(At(camera.url()), 8);
  EXPECT_TRUE(absl::IsUnavailable(probe.status()));
  EXPECT_THAT(std::string(Message(probe.status())), HasSubstr("gave no picture for 10 s"));
}

}  // namespace
}  // namespace gleaner::edge
