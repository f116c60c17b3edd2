// A camera's URL as people write it: what is opened, who logs in, and what may be shown.
#include "edge/camera/camera_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/status.h"
#include "tests/edge/camera/secret_urls.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Reading {
  std::string url, shown, uri, user, password;
};

TEST(CameraAddress, TakesALoginAsPeoplePasteIt) {
  const std::vector<Reading> readings = {
      {"rtsp://10.0.0.7/live", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live", "", ""},
      {"RTSP://Cam.Example:8554/Live", "rtsp://cam.example:8554", "rtsp://cam.example:8554/Live",
       "", ""},
      {"rtsps://admin:pw@10.0.0.7/1", "rtsps://10.0.0.7", "rtsps://10.0.0.7/1", "admin", "pw"},
      {"rtsp://admin@camera/1", "rtsp://camera", "rtsp://camera/1", "admin", ""},
      {"rtsp://admin:@camera/1", "rtsp://camera", "rtsp://camera/1", "admin", ""},
      {"rtsp://camera", "rtsp://camera", "rtsp://camera", "", ""},
      {"rtsp://[fe80::1]:554/x", "rtsp://[fe80::1]:554", "rtsp://[fe80::1]:554/x", "", ""},
      {"rtsp://u:p@[2001:DB8::7]/x", "rtsp://[2001:db8::7]", "rtsp://[2001:db8::7]/x", "u", "p"},
      // Characters that end a host.
      {"rtsp://admin:pa/ss?x@127.0.0.1:1/live", "rtsp://127.0.0.1:1", "rtsp://127.0.0.1:1/live",
       "admin", "pa/ss?x"},
      {"rtsp://admin:p#a@10.0.0.7/live", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live", "admin", "p#a"},
      {"rtsp://admin:a@b@c@10.0.0.7/live", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live", "admin",
       "a@b@c"},
      {"rtsp://admin:a:b@10.0.0.7/live", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live", "admin", "a:b"},
      {"rtsp://admin:my pass@10.0.0.7/a b", "rtsp://10.0.0.7", "rtsp://10.0.0.7/a%20b", "admin",
       "my pass"},
      {"rtsp://admin:12/34@10.0.0.7/live", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live", "admin",
       "12/34"},
      {"rtsp://admin:a://b@10.0.0.7/live", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live", "admin",
       "a://b"},
      {"rtsp://admin:p@ss/word@10.0.0.7/live", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live", "admin",
       "p@ss/word"},
      // Percent-encoded, or merely with a "%".
      {"rtsp://admin:p%40s%2Fs%3a@10.0.0.7/live", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live",
       "admin", "p@s/s:"},
      {"rtsp://ad%40min:100%sure%@10.0.0.7/", "rtsp://10.0.0.7", "rtsp://10.0.0.7/", "ad@min",
       "100%sure%"},
      // "@" behind the host.
      {"rtsp://10.0.0.7/a@b", "rtsp://10.0.0.7", "rtsp://10.0.0.7/a@b", "", ""},
      {"rtsp://admin:pw@10.0.0.7/live?x=a@b", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live?x=a@b",
       "admin", "pw"},
      // Logins that the camera reads from the path stay there, unshown.
      {"rtsp://10.0.0.7:554/user=admin&password=pw&channel=1.sdp?real_stream",
       "rtsp://10.0.0.7:554",
       "rtsp://10.0.0.7:554/user=admin&password=pw&channel=1.sdp?real_stream", "", ""},
      {"  rtsp://10.0.0.7/live\n", "rtsp://10.0.0.7", "rtsp://10.0.0.7/live", "", ""},
      // What would break a request.
      {"rtsp://10.0.0.7/a\"b\\c\xc3\xa9", "rtsp://10.0.0.7", "rtsp://10.0.0.7/a%22b%5Cc%C3%A9", "",
       ""},
  };
  for (const Reading& reading : readings) {
    const auto address = CameraAddress::Parse(reading.url);
    ASSERT_TRUE(address.ok()) << reading.url << ": " << address.status();
    EXPECT_EQ(address->kind(), SourceKind::kRtsp);
    EXPECT_EQ(address->shown(), reading.shown) << reading.url;
    EXPECT_EQ(address->uri(), reading.uri) << reading.url;
    EXPECT_EQ(address->user(), reading.user) << reading.url;
    EXPECT_EQ(address->password(), reading.password) << reading.url;
  }
}

TEST(CameraAddress, KnowsThePortOfEachScheme) {
  EXPECT_EQ(CameraAddress::Parse("rtsp://camera/1")->port(), 554);
  EXPECT_EQ(CameraAddress::Parse("rtsps://camera/1")->port(), 322);
  EXPECT_TRUE(CameraAddress::Parse("rtsps://camera/1")->tls());
  EXPECT_EQ(CameraAddress::Parse("rtsp://camera:8554/1")->port(), 8554);
  EXPECT_EQ(CameraAddress::Parse("rtsp://[::1]:8554/1")->host(), "::1");
}

TEST(CameraAddress, KnowsWhatKindOfSourceItIs) {
  EXPECT_EQ(CameraAddress::Parse("/dev/video0")->kind(), SourceKind::kV4l2);
  EXPECT_EQ(CameraAddress::Parse("/dev/v4l/by-id/usb-cam-index0")->kind(), SourceKind::kV4l2);
  EXPECT_EQ(CameraAddress::Parse("/dev/front-camera", "v4l2")->kind(), SourceKind::kV4l2);
  EXPECT_EQ(CameraAddress::Parse("/dev/video0", "file")->kind(), SourceKind::kFile);
  EXPECT_EQ(CameraAddress::Parse("film.mp4")->kind(), SourceKind::kFile);
  EXPECT_EQ(CameraAddress::Parse("/data/a@b.mp4")->shown(), "/data/a@b.mp4");
  EXPECT_EQ(CameraAddress::Parse("file:/data/a.mp4")->path(), "/data/a.mp4");
  EXPECT_EQ(CameraAddress::Parse("./a?b=c.mp4")->path(), "./a?b=c.mp4");
}

TEST(CameraAddress, RefusesWhatCanBeReadInTwoWaysInsteadOfShowingHalfAPassword) {
  for (const char* url : {"rtsp://admin:12/34@camera/live", "rtsp://admin:p@ss/word@camera/live",
                          "rtsp://u:p@10.0.0.7/proxy@10.0.0.8", "rtsp://u:a@b.c/d@cam.example/1"}) {
    const auto address = CameraAddress::Parse(url);
    ASSERT_FALSE(address.ok()) << url;
    EXPECT_THAT(std::string(Message(address.status())), HasSubstr("%40")) << url;
  }
}

TEST(CameraAddress, RefusesWhatIsNoAddressAndSaysHowToWriteOne) {
  for (const char* url : {"", "rtsp://", "rtsp:///live", "rtsp://cam:0/x", "rtsp://cam:70000/x",
                          "rtsp://cam:5x4/x", "rtsp://a b/x", "rtsp://[::1/x", "rtsp://1.2.3/x",
                          "rtsp:/cam/x", "http://cam/x", "file://cam/x", "//cam/x@y",
                          "a\x01"
                          "b",
                          "rtsp://cam/x\ny", "rtsp://a%0db:c@cam/x"}) {
    const auto address = CameraAddress::Parse(url);
    EXPECT_TRUE(absl::IsInvalidArgument(address.status())) << url;
  }
  EXPECT_FALSE(CameraAddress::Parse("/dev/video0", "rtsp").ok());
  EXPECT_FALSE(CameraAddress::Parse("rtsp://cam/x", "file").ok());
  EXPECT_FALSE(CameraAddress::Parse("rtsp://cam/" + std::string(3000, 'x')).ok());
}

TEST(CameraAddress, ShowsNoSecretOfAnyShapeOfUrl) {
  for (const SecretUrl& shape : SecretUrls("10.0.0.7:554")) {
    const auto address = CameraAddress::Parse(shape.url);
    const std::string said =
        address.ok() ? address->shown() : std::string(Message(address.status()));
    EXPECT_FALSE(said.empty());
    for (const std::string& secret : shape.secrets) {
      EXPECT_THAT(said, Not(HasSubstr(secret))) << shape.url;
    }
  }
}

}  // namespace
}  // namespace gleaner::edge
