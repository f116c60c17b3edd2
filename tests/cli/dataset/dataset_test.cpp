// gleaner dataset, against a real server side with real frames: frozen, listed, compared, exported,
// checked; and what labelling tools hand back.
#include "cli/dataset/dataset.h"

#include <gmock/gmock.h>

#include <fstream>

#include "cli/label/label.h"
#include "tests/cloud/dataset/served_testing.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DatasetCommandsTest : public cloud::ServedDatasets {
 protected:
  DatasetCommandsTest() {
    setenv("TZ", "UTC0", 1);
    tzset();
  }
  Client Connect() { return Client::Connect({.url = Url()}).value(); }
  template <typename Command>
  std::string Output(Command command) {
    testing::internal::CaptureStdout();
    const absl::Status status = command();
    std::string printed = testing::internal::GetCapturedStdout();
    EXPECT_TRUE(status.ok()) << status;
    return printed;
  }
  std::string Unpack(const std::string& tar) {
    const std::string to = folder_ / "unpacked";
    std::filesystem::create_directories(to);
    EXPECT_EQ(Shell("tar -C " + to + " -xf " + tar).first, 0);
    return to;
  }
};

TEST_F(DatasetCommandsTest, ADatasetIsFrozenListedShownComparedAndVerified) {
  ASSERT_EQ(Fill(3, 3), 9);
  Serve();
  Client client = Connect();
  EXPECT_THAT(Output([&] { return ListDatasets(client, 20, false); }), HasSubstr("No dataset yet"));
  EXPECT_THAT(Output([&] { return FreezeDataset(client, {.name = "first", .schema = "carts"}); }),
              AllOf(HasSubstr("dataset   first, of schema carts"), HasSubstr("9 frames, 6 boxes"),
                    HasSubstr("root      ")));
  const absl::Status again = FreezeDataset(client, {.name = "first", .schema = "carts"});
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
  EXPECT_THAT(Output([&] {
                return FreezeDataset(
                    client,
                    {.name = "second", .schema = "carts", .filter = "device:cart-1", .seed = 7});
              }),
              HasSubstr("3 frames"));
  EXPECT_THAT(Output([&] { return ListDatasets(client, 20, false); }),
              AllOf(HasSubstr("first"), HasSubstr("device:cart-1")));
  EXPECT_THAT(Output([&] { return ShowDataset(client, "first", true); }),
              HasSubstr("\"cardText\""));
  EXPECT_THAT(Output([&] { return DiffDatasets(client, "first", "second", 2, false); }),
              AllOf(HasSubstr("0 added, 6 removed, 0 changed, 3 the same"), HasSubstr("\n- ")));
  EXPECT_THAT(Output([&] { return VerifyDataset(client, "first", false); }),
              HasSubstr("first is what was frozen: 9 frames, root "));
  const absl::Status wrong =
      FreezeDataset(client, {.name = "third", .schema = "carts", .least_role = "boss"});
  EXPECT_THAT(std::string(Message(wrong)), HasSubstr("none of annotator, operator, admin"));
  EXPECT_TRUE(absl::IsNotFound(ShowDataset(client, "none", false)));
}

TEST_F(DatasetCommandsTest, AnExportIsFetchedWholeOrGoneOnWithAndIsNotFetchedTwice) {
  ASSERT_EQ(Fill(2, 3), 6);
  Serve();
  Client client = Connect();
  Output([&] { return FreezeDataset(client, {.name = "first", .schema = "carts"}); });
  const ExportDatasetOptions options{
      .name = "first", .format = "coco", .directory = folder_ / "out"};
  EXPECT_THAT(Output([&] { return ExportDataset(client, options); }),
              HasSubstr("out/first-coco.tar"));
  const std::string path = folder_ / "out/first-coco.tar";
  const std::string whole = ReadFile(path, 100 << 20).value();
  EXPECT_THAT(Output([&] { return ExportDataset(client, options); }), HasSubstr("was there"));
  // What broke off.
  std::filesystem::rename(path, path + ".part");
  std::filesystem::resize_file(path + ".part", whole.size() / 2);
  Output([&] { return ExportDataset(client, options); });
  EXPECT_EQ(ReadFile(path, 100 << 20).value(), whole);
  ExportDatasetOptions urls = options;
  urls.urls = true;
  EXPECT_THAT(Output([&] { return ExportDataset(client, urls); }),
              HasSubstr("/signed/datasets/first/exports/"));
  ExportDatasetOptions unknown = options;
  unknown.format = "voc";
  EXPECT_THAT(std::string(Message(ExportDataset(client, unknown))),
              HasSubstr("coco, yolo, webdataset, mcap, cvat, label-studio"));
  // Of one split alone, which may have no frame: then the job's own words are the command's.
  for (const char* split : {"train", "validation", "test"}) {
    ExportDatasetOptions one = options;
    one.splits = {split};
    one.directory = folder_ / split;
    testing::internal::CaptureStdout();
    const absl::Status made = ExportDataset(client, one);
    testing::internal::GetCapturedStdout();
    if (!made.ok()) {
      EXPECT_THAT(std::string(Message(made)),
                  HasSubstr(fmt::format("no frame of first is in {}", split)));
    }
  }
}

// As it goes when a team corrects labels in a tool that it has.
TEST_F(DatasetCommandsTest, WhatWasExportedForAToolComesBackAsTheSameLabels) {
  ASSERT_EQ(Fill(3, 3), 9);
  Serve();
  Client client = Connect();
  Output([&] { return FreezeDataset(client, {.name = "first", .schema = "carts"}); });
  for (const char* format : {"cvat", "label-studio"}) {
    Output([&] {
      return ExportDataset(client,
                           {.name = "first", .format = format, .directory = folder_ / format});
    });
  }
  uint64_t already = 0;
  const std::string tasks = Unpack(folder_ / "cvat/first-cvat.tar");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tasks)) {
    if (entry.path().filename() != "annotations.xml") continue;
    EXPECT_EQ(Output([&] {
                return ImportLabels(client,
                                    {.file = entry.path(), .format = "cvat", .schema = "carts"});
              }),
              "0 added, 3 there already.\n");
    already += 3;
  }
  EXPECT_EQ(already, 9u);
  const std::string studio = Unpack(folder_ / "label-studio/first-label-studio.tar");
  for (const char* split : {"train", "validation", "test"}) {
    EXPECT_THAT(Output([&] {
                  return ImportLabels(client, {.file = studio + "/" + split + ".json",
                                               .format = "label-studio",
                                               .schema = "carts"});
                }),
                HasSubstr("0 added,"));
  }
  // Somebody takes a box away in each of a task's frames, and that is what counts next.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tasks)) {
    if (entry.path().filename() != "annotations.xml") continue;
    std::string xml = ReadFile(entry.path(), 1 << 20).value();
    const size_t from = xml.find("  <track"), until = xml.find("</annotations>");
    std::ofstream(folder_ / "emptied.xml") << xml.substr(0, from) + xml.substr(until);
    EXPECT_EQ(Output([&] {
                return ImportLabels(
                    client, {.file = folder_ / "emptied.xml", .format = "cvat", .schema = "carts"});
              }),
              "2 added, 1 there already.\n");
    break;
  }
  EXPECT_THAT(
      Output([&] { return FreezeDataset(client, {.name = "corrected", .schema = "carts"}); }),
      HasSubstr("9 frames, 4 boxes"));
}

}  // namespace
}  // namespace gleaner::cli
