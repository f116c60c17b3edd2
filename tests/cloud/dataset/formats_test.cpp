// What was exported, read by others.
#include <gmock/gmock.h>

#include "cloud/database/columns.h"
#include "tests/cloud/dataset/dataset_fixture.h"
#include "tests/data/shell.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;

TEST_F(DatasetTest, TarsOfAllFormatsAreReadByOthersAndTheSameTwice) {
  rig_.Fill(8, 5);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  ASSERT_TRUE(rig_.Freeze("second").ok());
  const std::string list = Save("list", rig_.ListOf("first"));
  size_t boxes = 0;
  for (const json& frame : Frames("first")) boxes += frame["boxes"].size();
  const std::string all = fmt::format("{} {}\n", Frames("first").size(), boxes);
  for (const std::string format : {"coco", "yolo", "cvat", "label-studio"}) {
    const auto made = rig_.Export("first", format);
    ASSERT_TRUE(made.ok()) << made.status();
    ASSERT_EQ(made->files_size(), 1);
    const std::string tar = rig_.FileOf(*made, made->files(0).name());
    EXPECT_EQ(HexOf(Sha256::Of(tar)), made->files(0).sha256());
    const std::string path = Save(format + ".tar", tar);
    EXPECT_EQ(ReadBack(fmt::format("{} {} {}", format == "label-studio" ? "label_studio" : format,
                                   path, list)),
              all);
    // GNU tar, whose exit status says whether it had to guess.
    EXPECT_EQ(Shell("tar -tvf " + path + " 2>&1 >/dev/null").second, "");
    EXPECT_EQ(Shell("tar -tf " + path + " >/dev/null").first, 0);
    // Made anew, of what the first one isn't.
    ASSERT_TRUE(rig_.catalog->database()
                    .Write([&](Sql& sql) {
                      ForgetExports(sql, 0);
                      return absl::OkStatus();
                    })
                    .ok());
    const auto again = rig_.Export("first", format);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_GT(again->number(), made->number());
    EXPECT_EQ(rig_.FileOf(*again, again->files(0).name()), tar);
  }
  EXPECT_TRUE(rig_.catalog->names.Check().ok()) << rig_.catalog->names.Check();
}

TEST_F(DatasetTest, WebDatasetShardsAreBoundedAndReadByOthers) {
  rig_.decode = [](const FrameName& frame) -> absl::StatusOr<std::string> {
    return TestPicture(frame, 100'000);
  };
  rig_.Fill(12, 5);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const auto made = rig_.Export("first", "webdataset", {}, 1 << 20);
  ASSERT_TRUE(made.ok()) << made.status();
  std::filesystem::create_directory(folder_ / "shards");
  for (const v1::ExportedFile& file : made->files()) {
    EXPECT_LE(file.bytes(), 1u << 20);
    Save("shards/" + file.name(), rig_.FileOf(*made, file.name()));
  }
  EXPECT_EQ(ReadBack(fmt::format("webdataset {} {}", folder_ / "shards",
                                 Save("list", rig_.ListOf("first")))),
            fmt::format("60 {}\n", made->files_size() - 1));
  EXPECT_GE(made->files_size(), 7);
  // Made anew, of what the first one isn't.
  ASSERT_TRUE(rig_.catalog->database()
                  .Write([&](Sql& sql) {
                    ForgetExports(sql, 0);
                    return absl::OkStatus();
                  })
                  .ok());
  const auto again = rig_.Export("first", "webdataset", {}, 1 << 20);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->number(), made->number());
  ASSERT_EQ(again->files_size(), made->files_size());
  for (int i = 0; i < made->files_size(); ++i) {
    EXPECT_EQ(again->files(i).name(), made->files(i).name());
    EXPECT_EQ(again->files(i).sha256(), made->files(i).sha256());
    EXPECT_EQ(HexOf(Sha256::Of(rig_.FileOf(*again, again->files(i).name()))),
              made->files(i).sha256());
  }
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.Export("first", "webdataset", {}, 100).status()));
}

}  // namespace
}  // namespace gleaner::cloud
