// What labelling tools hand back, brought to a real server side.
#include <gmock/gmock.h>

#include <fstream>

#include "cli/label/label.h"
#include "cloud/frames/frame_rows.h"
#include "common/status.h"
#include "tests/cli/commands_testing.h"
#include "tests/cli/label/import/tool_files.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ImportLabelsTest : public CommandsTest {
 protected:
  ImportLabelsTest() {
    clip_ = AddClip(1);
    v1::ClipManifest manifest;
    manifest.ParseFromString(manifest_);
    cloud::CheckedVideo video;
    for (int i = 0; i < 3; ++i) video.frames.push_back({.pts = 100 * i, .reasons = 1});
    video.thumbnails = Put("thumbnails");
    EXPECT_TRUE(catalog_->database()
                    .Write([&](cloud::Sql& sql) {
                      cloud::RecordFrames(sql,
                                          {.id = clip_, .manifest = manifest, .videos = {video}});
                      return absl::OkStatus();
                    })
                    .ok());
    Output([&] {
      return CreateSchema(client_of_,
                          {.name = "carts", .kind = "boxes", .classes = {"bottle", "mug"}});
    });
  }
  std::string Save(const std::string& text) {
    const std::string path = folder_ / "labels";
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  absl::Status Import(const std::string& format, const std::string& text) {
    return ImportLabels(client_of_, {.file = Save(text), .format = format, .schema = "carts"});
  }
  std::string Imported(const std::string& format, const std::string& text) {
    return Output([&] { return Import(format, text); });
  }
  v1::ListLabelsResponse LabelsOf(int64_t pts) {
    v1::ListLabelsRequest request;
    request.set_schema("carts");
    request.mutable_frame()->set_clip(clip_);
    request.mutable_frame()->set_camera("front");
    request.mutable_frame()->set_pts(pts);
    v1::ListLabelsResponse response;
    EXPECT_TRUE(client_of_.Call("LabelService/ListLabels", request, &response).ok());
    return response;
  }
  // The text of a test with this clip's id in it.
  std::string Ours(std::string text) { return Of(clip_, std::move(text)); }
  static std::string Of(const std::string& clip, std::string text) {
    for (size_t at = 0; (at = text.find("ab12", at)) != std::string::npos; at += clip.size()) {
      text.replace(at, 4, clip);
    }
    return text;
  }

  std::string clip_;
  Client client_of_ = [this] {
    Start();
    return Connect();
  }();
};

TEST_F(ImportLabelsTest, APersonsLabelsComeInAndTheSameOnesTwiceForNothing) {
  const std::string text = Ours(Task(Track(Box(0) + Box(1)) + Track(Box(1), "mug")));
  EXPECT_EQ(Imported("cvat", text), "3 added, 0 there already.\n");
  EXPECT_EQ(Imported("cvat", text), "0 added, 3 there already.\n");
  const auto labels = LabelsOf(100);
  ASSERT_EQ(labels.labels_size(), 1);
  EXPECT_EQ(labels.labels(0).annotation().boxes_size(), 2);
  EXPECT_EQ(labels.labels(0).verdict(), v1::Label::VERDICT_CREATED);
  EXPECT_EQ(LabelsOf(200).labels(0).annotation().boxes_size(), 0);
  // What CVAT rounds is no other label; what a person moved is.
  const std::string rounded = R"(xtl="10.004" ytl="5.00" xbr="60.00" ybr="30.00")";
  const std::string moved = R"(xtl="11.00" ytl="5.00" xbr="60.00" ybr="30.00")";
  EXPECT_EQ(
      Imported("cvat", Ours(Task(Track(Box(0, "", "", rounded) + Box(1)) + Track(Box(1), "mug")))),
      "0 added, 3 there already.\n");
  EXPECT_EQ(
      Imported("cvat", Ours(Task(Track(Box(0, "", "", moved) + Box(1)) + Track(Box(1), "mug")))),
      "1 added, 2 there already.\n");
  EXPECT_EQ(LabelsOf(0).labels_size(), 2);
  // The same from another tool.
  EXPECT_EQ(Imported("label-studio",
                     Ours("[" + StudioTask(200, "") + "," +
                          StudioTask(0, Rectangle(R"("x":11,"y":10,"width":49,"height":50)")) +
                          R"(,{"data":{"gleaner_frame":"ab12/front/100"},"annotations":[]}])")),
            "0 added, 2 there already.\n1 frame that nobody said anything of was passed over.\n");
}

TEST_F(ImportLabelsTest, AMistakeAnywhereInAFileChangesNothing) {
  const absl::Status unknown = Import("cvat", Ours(Task(Track(Box(0)) + Track(Box(2), "banana"))));
  EXPECT_TRUE(absl::IsInvalidArgument(unknown));
  EXPECT_THAT(std::string(Message(unknown)),
              AllOf(HasSubstr(folder_ / "labels"), HasSubstr("line 6, column 30"),
                    HasSubstr("schema carts has no class \"banana\"")));
  EXPECT_EQ(LabelsOf(0).labels_size(), 0);
  const absl::Status other = Import("cvat", Of(std::string(20, '0'), Task(Track(Box(0)))));
  EXPECT_TRUE(absl::IsNotFound(other)) << other;
  EXPECT_THAT(std::string(Message(other)), HasSubstr("line 5, column 30"));
  EXPECT_THAT(std::string(Message(Import("voc", ""))), HasSubstr("cvat or label-studio"));
  EXPECT_TRUE(absl::IsNotFound(
      ImportLabels(client_of_, {.file = folder_ / "none", .format = "cvat", .schema = "carts"})));
}

}  // namespace
}  // namespace gleaner::cli
