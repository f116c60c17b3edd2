// What a camera offers, and under which URL its video is.
#include "edge/camera/session_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSdp[] =
    "v=0\r\no=- 1 1 IN IP4 192.168.1.64\r\ns=rtsp://cam/user=a&password=Hunter2\r\n"
    "i=Hunter2\r\nt=0 0\r\na=control:rtsp://192.168.1.64/live/\r\nm=audio 0 RTP/AVP 0\r\n"
    "a=control:trackID=1\r\nm=video 0 RTP/AVP 96\r\nb=AS:2000\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:trackID=2\r\n"
    "m=video 0 RTP/AVP 97\r\na=rtpmap:97 H265/90000\r\na=control:trackID=3\r\n"
    "m=application 0 RTP/AVP 98\r\na=control:trackID=4\r\n";

TEST(SessionDescription, KeepsTheFirstVideoAloneAndCountsWhatIsLeftOut) {
  const auto description = SessionDescription::Parse(kSdp);
  ASSERT_TRUE(description.ok());
  EXPECT_EQ(description->control, "trackID=2");
  EXPECT_EQ(description->session_control, "rtsp://192.168.1.64/live/");
  EXPECT_EQ(description->audio_streams, 1);
  EXPECT_EQ(description->other_videos, 1);
  EXPECT_THAT(description->video, HasSubstr("m=video 0 RTP/AVP 96\r\nb=AS:2000\r\na=rtpmap:96 "
                                            "H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"));
  for (const char* other : {"H265", "m=audio", "m=application", "Hunter2", "192.168"}) {
    EXPECT_THAT(description->video, Not(HasSubstr(other)));
  }
}

TEST(SessionDescription, NeedsVideo) {
  EXPECT_TRUE(
      absl::IsNotFound(SessionDescription::Parse("v=0\r\nm=audio 0 RTP/AVP 0\r\n").status()));
  EXPECT_TRUE(absl::IsNotFound(SessionDescription::Parse("").status()));
}

TEST(SessionDescription, ResolvesControlsAsCamerasMeanThem) {
  EXPECT_EQ(ResolveControl("rtsp://cam/live", "trackID=1"), "rtsp://cam/live/trackID=1");
  EXPECT_EQ(ResolveControl("rtsp://cam/live/", "trackID=1"), "rtsp://cam/live/trackID=1");
  EXPECT_EQ(ResolveControl("rtsp://cam/live", "/trackID=1"), "rtsp://cam/live/trackID=1");
  EXPECT_EQ(ResolveControl("rtsp://cam/live?ch=1", "trackID=1"), "rtsp://cam/live?ch=1/trackID=1");
  EXPECT_EQ(ResolveControl("rtsp://cam/live", "rtsp://cam/other/1"), "rtsp://cam/other/1");
  EXPECT_EQ(ResolveControl("rtsp://cam/live", "*"), "rtsp://cam/live");
  EXPECT_EQ(ResolveControl("rtsp://cam/live", ""), "rtsp://cam/live");
}

}  // namespace
}  // namespace gleaner::edge
