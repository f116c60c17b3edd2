#include "cloud/similar/embeddings.h"

#include <gmock/gmock.h>

#include <limits>

#include "tests/cloud/similar/similar_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EmbeddingsTest : public testing::Test {
 protected:
  FrameName Frame(int64_t pts) { return {.clip = clip_, .camera = "front", .pts = pts}; }
  std::vector<uint64_t> Numbers(uint64_t after = 0, size_t limit = 100) {
    return rig_.Read<std::vector<uint64_t>>(
        [&](Sql& sql) { return ReadEmbeddingNumbers(sql, "eye@1", after, limit); });
  }
  uint64_t Rows() {
    return rig_
        .Read<std::optional<EmbeddingModel>>(
            [](Sql& sql) { return ReadEmbeddingModel(sql, "eye@1"); })
        ->rows;
  }

  TemporaryFolder folder_;
  SimilarRig rig_{folder_ / ""};
  const SimilarRig::ClipOfFrames made_ = {.frames = {{.pts = 0}, {.pts = 1000}, {.pts = 2000}}};
  const std::string clip_ = rig_.AddClip(made_);
};

TEST_F(EmbeddingsTest, OneOfAnyLengthComesBackWithTheLengthOfOne) {
  ASSERT_TRUE(rig_.Put(Frame(1000), "eye@1", std::vector<float>{3, 0, -4}).ok());
  const auto back = rig_.Read<std::vector<float>>(
      [&](Sql& sql) { return ReadEmbedding(sql, Frame(1000), "eye@1"); });
  ASSERT_EQ(back.size(), 3u);
  EXPECT_NEAR(back[0], 0.6, 2e-5);
  EXPECT_EQ(back[1], 0);
  EXPECT_NEAR(back[2], -0.8, 2e-5);
  EXPECT_TRUE(
      rig_.Read<std::vector<float>>([&](Sql& sql) { return ReadEmbedding(sql, Frame(0), "eye@1"); })
          .empty());
}

TEST_F(EmbeddingsTest, WhatIsKeptIsExactToThousandthsOfAThousandth) {
  TestVectors vectors(1280, 5, 20, 1);
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> a = vectors.Next(), b = vectors.Next();
    std::vector<float> kept;
    UnpackEmbedding(PackEmbedding(a), &kept);
    double exact = 0, found = 0;
    for (size_t d = 0; d < a.size(); ++d) {
      exact += static_cast<double>(a[d]) * b[d];
      found += static_cast<double>(kept[d]) * b[d];
    }
    EXPECT_NEAR(exact, found, 1e-5);
  }
}

TEST_F(EmbeddingsTest, ANewOneTakesThePlaceOfTheOldWithANewNumber) {
  ASSERT_TRUE(rig_.Put(Frame(0), "eye@1", std::vector<float>{1, 0}).ok());
  ASSERT_TRUE(rig_.Put(Frame(1000), "eye@1", std::vector<float>{0, 1}).ok());
  EXPECT_THAT(Numbers(), ElementsAre(1, 2));
  ASSERT_TRUE(rig_.Put(Frame(0), "eye@1", std::vector<float>{0, 1}).ok());
  EXPECT_THAT(Numbers(), ElementsAre(2, 3));
  EXPECT_THAT(Numbers(2), ElementsAre(3));
  EXPECT_THAT(Numbers(0, 1), ElementsAre(2));
  EXPECT_EQ(Rows(), 2u);
}

TEST_F(EmbeddingsTest, EachModelHasItsOwn) {
  ASSERT_TRUE(rig_.Put(Frame(0), "eye@1", std::vector<float>{1, 0}).ok());
  ASSERT_TRUE(rig_.Put(Frame(0), "eye@2", std::vector<float>{1, 0, 0}).ok());
  const auto models =
      rig_.Read<std::vector<EmbeddingModel>>([](Sql& sql) { return ReadEmbeddingModels(sql); });
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[1].name, "eye@2");
  EXPECT_EQ(models[1].dims, 3u);
  EXPECT_EQ(models[1].rows, 1u);
  EXPECT_THAT(Numbers(), ElementsAre(1));
}

TEST_F(EmbeddingsTest, WhatCantBeOneIsRefusedByName) {
  const auto said = [&](const std::vector<float>& vector, std::string_view model = "eye@1") {
    const absl::Status status = rig_.Put(Frame(0), model, vector);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(Message(status));
  };
  EXPECT_THAT(said({}), HasSubstr("0 dimensions, must be 1 to 4096"));
  EXPECT_THAT(said(std::vector<float>(4097, 1.0F)), HasSubstr("4097 dimensions"));
  EXPECT_THAT(said({0, 0}), HasSubstr("nothing but zeros"));
  EXPECT_THAT(said({1, std::numeric_limits<float>::quiet_NaN()}), HasSubstr("component 2"));
  EXPECT_THAT(said({std::numeric_limits<float>::infinity()}), HasSubstr("must be finite"));
  EXPECT_THAT(said({1}, "an eye"), HasSubstr("without spaces"));
  EXPECT_THAT(said({1}, ""), HasSubstr("model's name"));
  ASSERT_TRUE(rig_.Put(Frame(0), "eye@1", std::vector<float>{1, 0}).ok());
  EXPECT_THAT(said({1, 0, 0}), HasSubstr("of 3 dimensions by model eye@1, whose others have 2"));
  EXPECT_EQ(Rows(), 1u);
}

TEST_F(EmbeddingsTest, AFrameThatIsNoneHasNone) {
  const absl::Status status = rig_.Put(Frame(77), "eye@1", std::vector<float>{1});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("no frame of camera front at 77"));
}

TEST_F(EmbeddingsTest, ThoseOfFramesThatACheckTookAwayGo) {
  for (const int64_t pts : {0, 1000, 2000}) {
    ASSERT_TRUE(rig_.Put(Frame(pts), "eye@1", std::vector<float>{1, 0}).ok());
  }
  SimilarRig::ClipOfFrames less = made_;
  less.frames.erase(less.frames.begin() + 1);
  rig_.Check(less);
  EXPECT_THAT(Numbers(), ElementsAre(1, 3));
  EXPECT_EQ(Rows(), 2u);
}

TEST_F(EmbeddingsTest, ThoseOfSeveralClipsAreReadAtOnce) {
  const std::string other = rig_.AddClip({.sequence = 2});
  ASSERT_TRUE(rig_.Put(Frame(1000), "eye@1", std::vector<float>{1, 0}).ok());
  ASSERT_TRUE(
      rig_.Put({.clip = other, .camera = "front", .pts = 0}, "eye@1", std::vector<float>{0, 1})
          .ok());
  std::map<std::string, std::vector<float>> found;
  rig_.Read<int>([&](Sql& sql) {
    ReadEmbeddingsOf(sql, "eye@1", {clip_, other},
                     [&](const FrameName& name, std::span<const float> vector) {
                       found[name.clip].assign(vector.begin(), vector.end());
                     });
    return 0;
  });
  EXPECT_THAT(found[clip_], ElementsAre(1, 0));
  EXPECT_THAT(found[other], ElementsAre(0, 1));
}

}  // namespace
}  // namespace gleaner::cloud
