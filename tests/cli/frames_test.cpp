// The command that lists frames, against a real server side.
#include "cloud/frames/frames.h"

#include <gmock/gmock.h>

#include "cli/commands.h"
#include "cloud/frames/frame_rows.h"
#include "common/status.h"
#include "tests/cli/commands_testing.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class FramesCommandsTest : public CommandsTest {
 protected:
  // A clip with two frames.
  std::string Fill(uint64_t sequence) {
    const std::string clip = AddClip(sequence);
    v1::ClipManifest manifest;
    manifest.ParseFromString(manifest_);
    cloud::CheckedVideo video;
    video.frames = {{.pts = 0,
                     .reasons = cloud::media::ReasonBit(v1::Frame::REASON_FIRING) |
                                cloud::media::ReasonBit(v1::Frame::REASON_PEAK),
                     .phash = 0xabc,
                     .sharpness = 0.75,
                     .motion = 0.25},
                    {.pts = 1500,
                     .reasons = cloud::media::ReasonBit(v1::Frame::REASON_KEYFRAME),
                     .sharpness = 0.1}};
    video.thumbnails = Put("two thumbnails");
    EXPECT_TRUE(catalog_->database()
                    .Write([&](cloud::Sql& sql) {
                      cloud::RecordFrames(sql,
                                          {.id = clip, .manifest = manifest, .videos = {video}});
                      return absl::OkStatus();
                    })
                    .ok());
    return clip;
  }
};

TEST_F(FramesCommandsTest, ListsFramesWithWhyTheyWereChosenAndWhatWasMeasured) {
  Start();
  const std::string one = Fill(1);
  const std::string other = Fill(2);
  Client client = Connect();
  const std::string all = Output([&] { return ListFrames(client, {}); });
  EXPECT_THAT(all, AllOf(HasSubstr("CLIP"), HasSubstr("CHOSEN FOR"), HasSubstr(one),
                         HasSubstr(other), HasSubstr("firing,peak"), HasSubstr("0.75"),
                         HasSubstr("0000000000000abc"), HasSubstr("unknown")));
  const std::string of_one =
      Output([&] { return ListFrames(client, {.clip = one.substr(0, 19)}); });
  EXPECT_THAT(of_one, AllOf(HasSubstr(one), Not(HasSubstr(other)), HasSubstr("1500")));
  EXPECT_LT(of_one.find("firing"), of_one.find("keyframe"));
  EXPECT_THAT(Output([&] { return ListFrames(client, {.filter = "sharpness<0.2"}); }),
              AllOf(HasSubstr("keyframe"), Not(HasSubstr("firing"))));
  EXPECT_THAT(Output([&] { return ListFrames(client, {.filter = "device:nobody"}); }),
              HasSubstr("No frames match this."));
  EXPECT_THAT(Output([&] { return ListFrames(client, {.limit = 1, .json = true}); }),
              AllOf(HasSubstr("\"pts\": \"1500\""), HasSubstr(other), Not(HasSubstr(one))));
}

TEST_F(FramesCommandsTest, AMistakeIsShownWithItsPlace) {
  Start();
  Client client = Connect();
  const absl::Status wrong = ListFrames(client, {.filter = "sharpness<much"});
  EXPECT_TRUE(absl::IsInvalidArgument(wrong));
  EXPECT_THAT(std::string(Message(wrong)), AllOf(HasSubstr("from 0 to 1"), HasSubstr("^")));
  EXPECT_TRUE(absl::IsNotFound(ListFrames(client, {.clip = "0123"})));
}

}  // namespace
}  // namespace gleaner::cli
