// The command that lists frames, against a real server side.
#include "cloud/frames/frames.h"

#include <gmock/gmock.h>

#include "cli/commands.h"
#include "cloud/frames/frame_files.h"
#include "cloud/frames/frame_rows.h"
#include "cloud/frames/pictures.h"
#include "common/file.h"
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
                     .motion = 0.25,
                     .thumbnail = "two"},
                    {.pts = 1500,
                     .reasons = cloud::media::ReasonBit(v1::Frame::REASON_KEYFRAME),
                     .sharpness = 0.1,
                     .thumbnail = " thumbnails"}};
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

TEST_F(FramesCommandsTest, FetchesPicturesIntoAFolderAClip) {
  cloud::Pictures pictures(*frames_, *blobs_,
                           {.program = "", .folder = folder_ / "cache", .cache_bytes = 1 << 20});
  cloud::FrameFiles files(*frames_, pictures, *blobs_);
  cloud::HttpService::Options options;
  options.routes = {files.Below()};
  StartWith(options);
  const std::string clip = Fill(1);
  Client client = Connect();
  const std::string out = folder_ / "out";
  const GetFramesOptions thumbnails{.which = {.clip = clip}, .directory = out, .thumbnails = true};
  EXPECT_THAT(Output([&] { return GetFrames(client, thumbnails); }), HasSubstr("front-1500.jpg"));
  EXPECT_EQ(ReadFile(out + "/" + clip + "/front-0.jpg", 100).value(), "two");
  EXPECT_EQ(ReadFile(out + "/" + clip + "/front-1500.jpg", 100).value(), " thumbnails");
  Output([&] { return GetFrames(client, thumbnails); });  // what is there already is right

  // Nobody can decode here: each is told of, and the command fails.
  const absl::Status none =
      GetFrames(client, {.which = {.clip = clip, .json = true}, .directory = out + "2"});
  EXPECT_THAT(std::string(Message(none)), HasSubstr("2 of 2 pictures"));
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
