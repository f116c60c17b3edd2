// Whole clips as MCAP: real video, taken apart by the real worker, read by the format's own
// library.
#include <gmock/gmock.h>

#include <map>
#include <sstream>

#include "absl/strings/escaping.h"
#include "tests/cloud/dataset/served_testing.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class McapTest : public ServedDatasets {
 protected:
  std::string Save(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  // What @mcap/core says of it: tests/cloud/dataset/read_mcap.mjs.
  json ReadBack(const std::string& path) {
    const auto [status, said] =
        Shell(fmt::format("node {}/tests/cloud/dataset/read_mcap.mjs {} 2>&1", SourceDir(), path));
    EXPECT_EQ(status, 0) << said;
    return json::parse(said, nullptr, false);
  }
  static bool HasReader() {
    return std::filesystem::exists(SourceDir() + "/third_party/npm/node_modules/@mcap/core");
  }
};

TEST_F(McapTest, VideoLabelsAndIndexAreReadByOthersAndTheSameTwice) {
  ASSERT_EQ(Fill(3, 3), 9);
  Serve();
  Freeze("first");
  const auto made = Export({{"name", "first"}, {"format", "mcap"}});
  std::map<std::string, std::string> files;
  for (const json& file : made["files"]) files[file["name"]] = Fetch(file);
  const json told = json::parse(files.at("index.json"));
  EXPECT_TRUE(told["videos_left_out"].empty()) << told;
  ASSERT_TRUE(catalog_->database()
                  .Write([](Sql& sql) {
                    ForgetExports(sql, 0);
                    return absl::OkStatus();
                  })
                  .ok());
  const auto again = Export({{"name", "first"}, {"format", "mcap"}});
  EXPECT_NE(again["number"], made["number"]);
  for (const json& file : again["files"]) EXPECT_EQ(Fetch(file), files.at(file["name"]));
  if (!HasReader()) GTEST_SKIP() << "needs npm --prefix third_party/npm ci";

  std::map<std::string, json> labels;
  int keyframes = 0, units = 0;
  for (const json& shard : told["shards"]) {
    const json read = ReadBack(Save(shard["name"], files.at(shard["name"])));
    EXPECT_EQ(read["messages"], shard["messages"]);
    EXPECT_EQ(read["clips"], shard["clips"]);
    EXPECT_EQ(read["videoSchema"], "foxglove.CompressedVideo");
    for (const json& video : read["videos"]) {
      EXPECT_EQ(video["format"], "h264");
      EXPECT_TRUE(video["ascending"]);
      EXPECT_EQ(video["keyframesWithoutParameterSets"], 0);
      keyframes += video["keyframes"].get<int>();
      units += video["units"].get<int>();
      // The labels are at the times of their pictures.
      for (const json& at : video["labelTimesWithoutPicture"]) ADD_FAILURE() << at;
      // Another decoder than the worker's way here: every access unit is a picture.
      const std::string annexb = folder_ / "video.h264";
      Save("video.h264", absl::HexStringToBytes(video["annexB"].get<std::string>()));
      EXPECT_EQ(Shell("ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of "
                      "csv=p=0 " +
                      annexb)
                    .second,
                fmt::format("{}\n", video["units"].get<int>()));
    }
    for (const json& label : read["labels"]) {
      labels[fmt::format("{}/{}", label["clip"].get<std::string>(), label["pts"].get<int64_t>())] =
          label;
    }
  }
  EXPECT_EQ(labels.size(), 9u);
  EXPECT_EQ(units, static_cast<int>(3 * track_.frame_count()));
  EXPECT_GE(keyframes, 3);
}

// A video shows every frame of its clip, also those that were left out.
TEST_F(McapTest, AClipThatLooksLikeOneOfAnotherSplitHasNoVideoInIt) {
  ASSERT_EQ(Fill(2, 2), 4);
  Serve();
  Freeze("first");
  const auto list = client_->Get("/datasets/first/list.jsonl")->body;
  std::istringstream lines(list);
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  const json frame = json::parse(line);
  ASSERT_TRUE(catalog_->database()
                  .Write([&](Sql& sql) {
                    // A frame of the clip that is not in the list, tied to each of many groups.
                    for (int i = 0; i < 40; ++i) {
                      sql.Run(
                          "INSERT INTO seal_tie (clip, camera, pts, other) VALUES (:clip, "
                          "'front', -1, :other)",
                          In(frame["clip"].get<std::string>(), fmt::format("g/{}/1", i)));
                    }
                    return absl::OkStatus();
                  })
                  .ok());
  const auto made = Export({{"name", "first"}, {"format", "mcap"}});
  const json told = json::parse(Fetch(made["files"].back()));
  ASSERT_EQ(told["videos_left_out"].size(), 1u) << told;
  EXPECT_EQ(told["videos_left_out"][0]["clip"], frame["clip"]);
  EXPECT_THAT(told["videos_left_out"][0]["why"].get<std::string>(), HasSubstr("another split"));
}

TEST_F(McapTest, AVideoThatCompressedVideoCantHaveIsLeftOutByName) {
  const std::string path = folder_ / "b.mp4";
  MakeVideo("cup.mp4", std::string("-c:v libx264 -bf 2 -g 30 -t 2 ") + kFragmented, path);
  track_ = TrackOf(path);
  track_.set_first_frame_monotonic_ns(1'000);
  track_.set_last_frame_monotonic_ns(1'000 + 2 * kNanosPerSecond);
  video_ = ReadFile(path, 10 << 20).value();
  ASSERT_EQ(Fill(1, 2), 2);
  Serve();
  Freeze("first");
  const auto made = Export({{"name", "first"}, {"format", "mcap"}});
  const json told = json::parse(Fetch(made["files"].back()));
  ASSERT_EQ(told["videos_left_out"].size(), 1u) << told;
  EXPECT_THAT(told["videos_left_out"][0]["why"].get<std::string>(),
              HasSubstr("another order than they are coded in"));
  EXPECT_EQ(told["shards"][0]["messages"], 2) << "its labels are there";
}

}  // namespace
}  // namespace gleaner::cloud
