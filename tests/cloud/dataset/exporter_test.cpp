// Exports: what is in them, and what they cost.
#include <gmock/gmock.h>

#include "common/process_memory.h"
#include "tests/cloud/dataset/dataset_fixture.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;

TEST_F(DatasetTest, AnExportOfOneSplitHasThatOneAlone) {
  rig_.Fill(30, 1);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  size_t train = 0;
  for (const json& frame : Frames("first")) train += frame["split"] == "train";
  const auto made = rig_.Export("first", "yolo", {"train"});
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string tar = rig_.FileOf(*made, made->files(0).name());
  EXPECT_THAT(
      ReadBack(fmt::format("yolo {} {}", Save("t.tar", tar), Save("list", rig_.ListOf("first")))),
      testing::StartsWith(fmt::format("{} ", train)));
  EXPECT_EQ(tar.find("images/test"), std::string::npos);
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.Export("first", "yolo", {"trian"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(rig_.Export("first", "voc").status()));
}

TEST_F(DatasetTest, WhatAFormatHasNoPlaceForIsRefusedAndNotLeftOut) {
  v1::LabelSchema schema;
  schema.set_name("moods");
  schema.set_kind(v1::LabelSchema::KIND_CLASSES);
  schema.add_classes()->set_name("busy");
  ASSERT_TRUE(Schemas(rig_.catalog->database()).Create(schema, rig_.who, 1).ok());
  v1::SaveLabelRequest label;
  label.mutable_frame()->set_clip(rig_.AddClip({}));
  label.mutable_frame()->set_camera("front");
  label.set_schema("moods");
  label.set_verdict(v1::Label::VERDICT_CREATED);
  label.mutable_annotation()->add_classes()->set_class_id(1);
  ASSERT_TRUE(Labels(rig_.catalog->database()).Create(label, rig_.who, 1).ok());
  v1::FreezeDatasetRequest freeze;
  freeze.set_schema("moods");
  ASSERT_TRUE(rig_.Freeze("first", freeze).ok());
  for (const char* format : {"yolo", "cvat"}) {
    const auto refused = rig_.Export("first", format);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
    EXPECT_THAT(std::string(Message(refused.status())), testing::HasSubstr("holds boxes alone"));
  }
  EXPECT_TRUE(rig_.Export("first", "coco").ok());
  EXPECT_TRUE(rig_.Export("first", "label-studio").ok());
}

TEST_F(DatasetTest, OldExportsMakeRoomForNewOnes) {
  rig_.Fill(1, 1);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  for (uint64_t i = 0; i < kKeptExports + 2; ++i) {
    ASSERT_TRUE(rig_.Export("first", "webdataset", {}, (1 << 20) + i).ok());
  }
  EXPECT_EQ(rig_.datasets->ListExports("first")->exports_size(), static_cast<int>(kKeptExports));
  EXPECT_EQ(Rubbish(), 4u) << "a shard and an index each";
  EXPECT_TRUE(rig_.catalog->names.Check().ok()) << rig_.catalog->names.Check();
}

TEST_F(DatasetTest, AnExportThatFindsNoRoomSaysSoBeforeItWritesAnything) {
  if (InBucket()) GTEST_SKIP() << "a bucket has room";
  rig_.Fill(2, 3);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  rig_.free_bytes = DatasetRig::kLeaveFree + 1000;
  const auto made = rig_.Export("first", "coco");
  EXPECT_TRUE(absl::IsFailedPrecondition(made.status())) << made.status();
  EXPECT_THAT(std::string(Message(made.status())), testing::HasSubstr("no room for an export"));
  EXPECT_EQ(Rubbish(), 0u);
  // Freezing can wait until others have made room.
  EXPECT_TRUE(absl::IsResourceExhausted(rig_.Freeze("second")));
  rig_.free_bytes = 100ULL << 30;
  EXPECT_TRUE(rig_.Export("first", "coco").ok());
  EXPECT_TRUE(rig_.Freeze("second").ok());
}

// A frame of the list is about 500 bytes; none of them, nor of the pictures, stays in memory.
TEST_F(DatasetTest, FreezingAndExportingTakeFlatMemory) {
  rig_.Fill(40, 50);
  ASSERT_TRUE(rig_.Freeze("warm").ok());
  ASSERT_TRUE(rig_.Export("warm", "coco").ok());
  const uint64_t before = ResidentBytes();
  const char* frames = std::getenv("GLEANER_DATASET_FRAMES");  // NOLINT(concurrency-mt-unsafe)
  const int clips = frames == nullptr ? 40 : std::atoi(frames) / 50;
  for (int c = 0; c < clips; ++c) {
    DatasetRig::ClipOfFrames clip{.device = fmt::format("van-{}", c % 3),
                                  .sequence = static_cast<uint64_t>(c) + 1,
                                  .fired_ns = DatasetRig::kDay + c * 3600 * kNanosPerSecond,
                                  .phashes = {}};
    for (int f = 0; f < 50; ++f) {
      clip.phashes.push_back(0x9e3779b97f4a7c15ULL * static_cast<uint64_t>(c * 50 + f + 1));
    }
    const std::string id = rig_.AddClip(clip);
    for (int f = 0; f < 50; ++f) {
      rig_.Label({id, "front", f * 1000}, {DatasetRig::Box(1, 0.1, 0.1, 0.1, 0.1)});
    }
  }
  ASSERT_TRUE(rig_.Freeze("large").ok());
  for (const char* format : {"coco", "yolo", "webdataset", "cvat", "label-studio"}) {
    ASSERT_TRUE(rig_.Export("large", format).ok());
  }
  EXPECT_LT(ResidentBytes(), before + (40 << 20));
}

}  // namespace
}  // namespace gleaner::cloud
