// gleaner label, against a real server side.
#include "cli/label/label.h"

#include <gmock/gmock.h>

#include <fstream>

#include "cloud/frames/frame_rows.h"
#include "common/status.h"
#include "tests/cli/commands_testing.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class LabelCommandsTest : public CommandsTest {
 protected:
  // A clip with so many frames, at 0, 100, 200, …
  std::string Fill(int frames) {
    std::string clip = AddClip(1);
    v1::ClipManifest manifest;
    manifest.ParseFromString(manifest_);
    cloud::CheckedVideo video;
    for (int i = 0; i < frames; ++i) video.frames.push_back({.pts = 100 * i, .reasons = 1});
    video.thumbnails = Put("thumbnails");
    EXPECT_TRUE(catalog_->database()
                    .Write([&](cloud::Sql& sql) {
                      cloud::RecordFrames(sql,
                                          {.id = clip, .manifest = manifest, .videos = {video}});
                      return absl::OkStatus();
                    })
                    .ok());
    return clip;
  }
  void MakeSchema(Client& client) {
    Output([&] {
      return CreateSchema(client, {.name = "carts", .kind = "boxes", .classes = {"bottle", "box"}});
    });
  }
};

TEST_F(LabelCommandsTest, ASchemaKeepsTheIdsOfItsClassesFromVersionToVersion) {
  Start();
  Client client = Connect();
  EXPECT_THAT(Output([&] { return ListSchemas(client, false); }), HasSubstr("No schemas."));
  const CreateSchemaOptions first{.name = "carts",
                                  .kind = "boxes",
                                  .classes = {"bottle", "box"},
                                  .attributes = {"colour=red,blue", "note"}};
  EXPECT_THAT(
      Output([&] { return CreateSchema(client, first); }),
      AllOf(HasSubstr("carts version 1, boxes"), HasSubstr("1 = bottle"), HasSubstr("2 = box"),
            HasSubstr("colour: red, blue"), HasSubstr("note, any text")));
  EXPECT_THAT(Output([&] { return CreateSchema(client, first); }), HasSubstr("nothing was made"));
  EXPECT_THAT(Output([&] {
                return CreateSchema(client, {.name = "carts",
                                             .kind = "boxes",
                                             .classes = {"mug", "box", "9=can"},
                                             .drop_classes = true});
              }),
              AllOf(HasSubstr("version 2"), HasSubstr("3 = mug"), HasSubstr("2 = box"),
                    HasSubstr("9 = can")));
  EXPECT_THAT(Output([&] { return ShowSchema(client, "carts", 1, false); }),
              HasSubstr("1 = bottle"));
  EXPECT_THAT(Output([&] { return ListSchemas(client, true); }),
              AllOf(HasSubstr("\"name\": \"carts\""), HasSubstr("\"version\": 2")));
  const absl::Status wrong = CreateSchema(client, {.name = "carts", .kind = "circles"});
  EXPECT_TRUE(absl::IsInvalidArgument(wrong));
  EXPECT_THAT(std::string(Message(wrong)), HasSubstr("--kind: \"circles\" is none of boxes"));
}

TEST_F(LabelCommandsTest, ImportsPredictionsPieceByPieceAndNamesTheLineOfAMistake) {
  Start();
  const std::string clip = Fill(1'201);
  Client client = Connect();
  MakeSchema(client);
  const std::string path = folder_ / "predictions.jsonl";
  const auto line = [&](int pts) {
    return fmt::format(
        R"({{"frame":{{"clip":"{}","camera":"front","pts":{}}},"annotation":{{"boxes":[{{"x":0.1,)"
        R"("y":0.2,"width":0.3,"height":0.1,"classId":1,"confidence":0.9}}]}}}})",
        clip, pts);
  };
  {
    std::ofstream file(path);
    for (int i = 0; i < 1'200; ++i) file << line(100 * i) << "\n" << (i == 600 ? "\n" : "");
    file << line(7) << "\n";
  }
  const ImportPredictionsOptions options{
      .file = path, .schema = "carts", .model = "ssd", .model_version = "1"};
  const absl::Status wrong = ImportPredictions(client, options);
  EXPECT_TRUE(absl::IsNotFound(wrong)) << wrong;
  EXPECT_THAT(std::string(Message(wrong)), HasSubstr("line 1202"));
  {
    std::ofstream file(path);
    for (int i = 0; i <= 1'200; ++i) file << line(100 * i) << "\n";
  }
  EXPECT_EQ(Output([&] { return ImportPredictions(client, options); }),
            "202 added, 999 there already.\n");
  EXPECT_TRUE(absl::IsNotFound(ImportPredictions(client, {.file = folder_ / "none"})));
}

TEST_F(LabelCommandsTest, MakesTasksAndTellsHowFarTheyAreAndWhatTheySaved) {
  Start();
  Fill(5);
  Client client = Connect();
  MakeSchema(client);
  EXPECT_THAT(Output([&] { return ListTasks(client, 0, 20, false); }), HasSubstr("No tasks."));
  v1::CreateTasksRequest request;
  request.set_schema("carts");
  request.set_filter("device:cart-1");
  EXPECT_EQ(Output([&] { return CreateTasks(client, request, false); }),
            "Set 1: 5 tasks of device:cart-1.\n");
  EXPECT_THAT(Output([&] { return CreateTasks(client, request, false); }),
              HasSubstr("5 frames left out"));
  EXPECT_THAT(Output([&] { return ListTasks(client, 0, 20, false); }),
              AllOf(HasSubstr("OPEN"), HasSubstr("device:cart-1")));
  EXPECT_THAT(Output([&] { return ListTasks(client, 1, 2, false); }),
              AllOf(HasSubstr("bare"), HasSubstr("open")));
  request.set_filter("device:cart-1 sharp:yes");
  const absl::Status wrong = CreateTasks(client, request, false);
  EXPECT_TRUE(absl::IsInvalidArgument(wrong));
  EXPECT_THAT(std::string(Message(wrong)), HasSubstr("^"));
  v1::GetLabelReportRequest report;
  report.set_schema("carts");
  EXPECT_EQ(Output([&] { return ShowLabelReport(client, report, false); }),
            "No labels of tasks yet.\n");
}

}  // namespace
}  // namespace gleaner::cli
