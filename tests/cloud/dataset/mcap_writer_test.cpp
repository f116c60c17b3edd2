// Recordings whose every message is known: series, several cameras and files, and the writer's
// bytes as the format's own library reads them.
#include "cloud/dataset/export/mcap_writer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cloud/database/columns.h"
#include "cloud/dataset/clip_source.h"
#include "cloud/dataset/export/format.h"
#include "common/digest.h"
#include "common/status.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;
using testing::ElementsAre;

class InMemory : public ExportFiles {
 public:
  absl::Status Begin(std::string name, std::string) override {
    names.push_back(name);
    open_ = name;
    files[open_].clear();
    return absl::OkStatus();
  }
  absl::Status Append(std::string_view bytes) override {
    files[open_] += bytes;
    return absl::OkStatus();
  }
  uint64_t size() const override { return files.at(open_).size(); }
  absl::StatusOr<std::string> End() override { return Hex(AsBytes(Sha256::Of(files[open_]))); }

  std::map<std::string, std::string> files;
  std::vector<std::string> names;

 private:
  std::string open_;
};

class McapWriterTest : public testing::Test {
 protected:
  json ReadBack(const std::string& bytes) {
    if (!std::filesystem::exists(SourceDir() + "/third_party/npm/node_modules/@mcap/core"))
      return {};
    std::ofstream(folder_ / "it.mcap", std::ios::binary) << bytes;
    const auto [status, said] = Shell(fmt::format(
        "node {}/tests/cloud/dataset/read_mcap.mjs {} 2>&1", SourceDir(), folder_ / "it.mcap"));
    EXPECT_EQ(status, 0) << said;
    return json::parse(said, nullptr, false);
  }

  // Four clips, two cameras each; a unit every 100 ms, and a series.
  ExportSource Source() {
    ExportSource source;
    source.name = "first";
    source.head.schema = "carts";
    source.splits = {Split::kTrain};
    source.shard_bytes = 25'000;
    source.walk = [](const auto& each) -> absl::Status {
      for (int c = 0; c < 4; ++c) {
        for (const char* camera : {"front", "rear"}) {
          for (int f = 0; f < 3; ++f) {
            FrozenFrame frame;
            frame.name = {fmt::format("clip-{}", c), camera, f * 900};
            frame.device = "cart-1";
            frame.taken_ns = 1'700'000'000'000'000'000 + c * 60'000'000'000 + f * 100'000'000;
            frame.width = 64;
            frame.height = 48;
            RETURN_IF_ERROR(each(frame));
          }
        }
      }
      return absl::OkStatus();
    };
    source.clip = [](const FrozenFrame& frame) -> absl::StatusOr<ClipSource> {
      ClipSource clip{.bytes = 10'000};
      clip.manifest.set_device("cart-1");
      clip.manifest.mutable_fired_at()->set_wall_unix_ns(frame.taken_ns);
      clip.manifest.mutable_fired_at()->set_monotonic_ns(5'000'000'000);
      clip.manifest.mutable_delivered()->set_start_monotonic_ns(4'000'000'000);
      for (const char* camera : {"front", "rear"}) {
        v1::VideoTrack* track = clip.manifest.add_video();
        track->set_camera(camera);
        track->set_codec("h264");
      }
      clip.series = []() -> absl::StatusOr<v1::SampleSeries> {
        v1::SampleSeries series;
        v1::SignalTrace* weight = series.add_signals();
        weight->set_name("weight");
        weight->set_unit("kg");
        for (int i = 0; i < 3; ++i) {
          weight->add_offset_us(i * 1'000);
          weight->add_value(0.1 * i);
        }
        series.add_signals()->set_name("empty");
        return series;
      };
      clip.video = [start = frame.taken_ns](std::string_view camera,
                                            const auto& each) -> absl::Status {
        for (int f = 0; f < 3; ++f) {
          const std::string bytes =
              (f == 0 ? std::string("\0\0\0\1\x67s\0\0\0\1\x68p\0\0\1\x65", 16)
                      : std::string("\0\0\0\1\x41", 5)) +
              std::string(1'000, camera[0]);
          RETURN_IF_ERROR(each({.pts = f * 900,
                                .unix_ns = start + f * 100'000'000,
                                .keyframe = f == 0,
                                .bytes = bytes}));
        }
        return absl::OkStatus();
      };
      return clip;
    };
    return source;
  }

  TemporaryFolder folder_;
};

TEST_F(McapWriterTest, ClipsAreWholeAndFilesAreOfBoundedSize) {
  InMemory files;
  ASSERT_TRUE(McapFormat().Write(Source(), files).ok());
  EXPECT_THAT(files.names, ElementsAre("train-000000.mcap", "train-000001.mcap", "index.json"));
  const json index = json::parse(files.files["index.json"]);
  EXPECT_EQ(index["shards"][0]["clips"], 2);
  EXPECT_EQ(index["shards"][0]["messages"], 2 * (3 + 2 * 6));
  EXPECT_EQ(index["shards"][0]["bytes"], files.files["train-000000.mcap"].size());
  InMemory again;
  ASSERT_TRUE(McapFormat().Write(Source(), again).ok());
  EXPECT_EQ(again.files, files.files);

  const json read = ReadBack(files.files["train-000001.mcap"]);
  if (read.is_null()) GTEST_SKIP() << "needs npm --prefix third_party/npm ci";
  EXPECT_EQ(read["clips"], 2);
  ASSERT_EQ(read["videos"].size(), 2u);
  for (const json& video : read["videos"]) {
    EXPECT_EQ(video["units"], 6);
    EXPECT_EQ(video["keyframes"], 2);
    EXPECT_EQ(video["keyframesWithoutParameterSets"], 0);
    EXPECT_EQ(video["format"], "h264");
    EXPECT_TRUE(video["labelTimesWithoutPicture"].empty());
  }
  const json weight = read["series"]["/cart-1/series/weight"];
  ASSERT_EQ(weight.size(), 6u);
  // A second before the firing, and a millisecond on.
  EXPECT_EQ(weight[1][0], "1700000119001000000");
  EXPECT_EQ(weight[1][1], 0.1);
  EXPECT_FALSE(read["series"].contains("/cart-1/series/empty"));
  EXPECT_EQ(read["labels"].size(), 12u);
}

TEST_F(McapWriterTest, AFileOfManyChunksIsFoundThroughItsIndex) {
  InMemory files;
  ASSERT_TRUE(files.Begin("it", "").ok());
  McapWriter writer(files);
  ASSERT_TRUE(writer.Begin("test").ok());
  const uint16_t schema = writer.AddSchema("gleaner.Sample", "jsonschema", "{}").value();
  EXPECT_EQ(writer.AddSchema("gleaner.Sample", "jsonschema", "{}").value(), schema);
  const uint16_t channel = writer.AddChannel(schema, "/a/series/x", "json", {}).value();
  EXPECT_EQ(writer.AddChannel(schema, "/a/series/x", "json", {}).value(), channel);
  EXPECT_NE(writer.AddChannel(schema, "/a/series/y", "json", {}).value(), channel);
  const std::string padding(100'000, ' ');
  for (int i = 0; i < 100; ++i) {
    // Not in the order of their times.
    ASSERT_TRUE(writer
                    .Write(channel, static_cast<uint64_t>(i ^ 1),
                           fmt::format("{{\"value\":{}}}{}", i, padding))
                    .ok());
  }
  ASSERT_TRUE(writer.AddMetadata("gleaner.clip", {{"clip", "c"}}).ok());
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_GT(files.size(), 2 * McapWriter::kChunkBytes);
  const json read = ReadBack(files.files["it"]);
  if (read.is_null()) GTEST_SKIP() << "needs npm --prefix third_party/npm ci";
  EXPECT_EQ(read["messages"], 100);
  const json values = read["series"]["/a/series/x"];
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(values[i][0], std::to_string(i));
    EXPECT_EQ(values[i][1], i ^ 1);
  }
}

// By hand, from the specification.
TEST_F(McapWriterTest, AnEmptyFileIsWhatTheSpecificationSays) {
  InMemory files;
  ASSERT_TRUE(files.Begin("it", "").ok());
  McapWriter writer(files);
  ASSERT_TRUE(writer.Begin("").ok());
  ASSERT_TRUE(writer.Finish().ok());
  const std::string magic("\x89MCAP0\r\n", 8);
  const std::string& bytes = files.files["it"];
  EXPECT_TRUE(bytes.starts_with(magic + std::string("\x01\x08\0\0\0\0\0\0\0", 9) +
                                std::string(8, '\0') + std::string("\x0f\x04\0\0\0\0\0\0\0", 9)));
  EXPECT_TRUE(bytes.ends_with(magic));
  // The footer, where the summary begins: behind magic, header and data end.
  const std::string footer = bytes.substr(bytes.size() - 8 - 20, 16);
  EXPECT_EQ(footer.substr(0, 8), std::string("\x26\0\0\0\0\0\0\0", 8));
}

}  // namespace
}  // namespace gleaner::cloud
