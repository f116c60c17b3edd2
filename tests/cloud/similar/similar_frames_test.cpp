#include "cloud/similar/similar_frames.h"

#include <gmock/gmock.h>

#include "cloud/similar/live_indexes.h"
#include "tests/cloud/search/all_words.h"
#include "tests/cloud/similar/similar_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SimilarFramesTest : public testing::Test {
 protected:
  // A server on the catalog, as it is after a start.
  struct Server {
    Server(Database& database, const LiveIndexes::Options& options,
           const std::vector<Embedder>& embedders)
        : indexes(database, options), frames(database, indexes, embedders) {}
    LiveIndexes indexes;
    SimilarFrames frames;
  };
  void Restart() { server_.emplace(rig_.database(), options_, embedders_); }

  // A clip with one frame that looks like this.
  std::string Add(const std::vector<float>& vector, const std::string& site = "store-7",
                  uint64_t look = 0) {
    media::ChosenFrame frame{.pts = 0, .phash = look, .sharpness = 0.5};
    // Another picture for each look: stripes of another width.
    for (size_t i = 0; i < frame.grid.size(); ++i) {
      frame.grid[i] = (i % 32 / (look % 7 + 1) + i / 32 / (look % 5 + 1)) % 2 == 0 ? 40 : 200;
    }
    const std::string clip = rig_.AddClip(
        {.device = "cart-" + site, .site = site, .sequence = ++sequence_, .frames = {frame}});
    SimilarRig::Must(rig_.Put({clip, "front", 0}, "eye@1", vector));
    return clip;
  }
  static v1::FindSimilarRequest Like(const std::string& clip) {
    v1::FindSimilarRequest request;
    request.mutable_frame()->set_clip(clip);
    request.mutable_frame()->set_camera("front");
    return request;
  }
  static v1::FindSimilarRequest Like(const std::vector<float>& vector) {
    v1::FindSimilarRequest request;
    for (const float one : vector) request.mutable_vector()->add_components(one);
    return request;
  }
  absl::StatusOr<v1::FindSimilarResponse> Ask(const v1::FindSimilarRequest& request,
                                              const std::string& filter = "") {
    if (!server_) Restart();
    const auto parsed = ParseFilter(filter, 0, AllWords(), FilterOf::kFrames);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return server_->frames.Find(request, *parsed);
  }
  std::vector<std::string> Found(const v1::FindSimilarRequest& request,
                                 const std::string& filter = "") {
    const auto response = Ask(request, filter);
    EXPECT_TRUE(response.ok()) << response.status();
    std::vector<std::string> clips;
    double before = 1.1;
    for (const v1::SimilarFrame& one : response->frames()) {
      clips.push_back(one.frame().id().clip());
      EXPECT_LE(one.score(), before);
      before = one.score();
    }
    return clips;
  }
  std::string Refused(const v1::FindSimilarRequest& request, absl::StatusCode code) {
    const auto response = Ask(request);
    EXPECT_EQ(response.status().code(), code);
    return std::string(Message(response.status()));
  }

  TemporaryFolder folder_;
  SimilarRig rig_{folder_ / ""};
  uint64_t sequence_ = 0;
  LiveIndexes::Options options_{.patience_ns = 60 * kNanosPerSecond};
  std::vector<Embedder> embedders_;
  std::optional<Server> server_;
};

TEST_F(SimilarFramesTest, FindsWhatIsLikeAFrameWithoutTheFrameItself) {
  const std::string a = Add({1, 0, 0}), b = Add({0.9F, 0.1F, 0}), c = Add({0, 1, 0}),
                    d = Add({0.5F, 0.5F, 0});
  EXPECT_THAT(Found(Like(a)), ElementsAre(b, d, c));
  const auto response = Ask(Like(a)).value();
  EXPECT_EQ(response.model(), "eye@1");
  EXPECT_NEAR(response.frames(0).score(), 0.99388, 1e-4) << "the exact cosine";
  EXPECT_EQ(response.frames(0).frame().site(), "store-7");
  EXPECT_NEAR(response.frames(0).frame().sharpness(), 0.5, 1e-6);
  EXPECT_GT(response.frames(0).cluster(), 0u);
  v1::FindSimilarRequest one = Like(a);
  one.set_limit(1);
  EXPECT_THAT(Found(one), ElementsAre(b));
}

TEST_F(SimilarFramesTest, FollowsWhatComesAndWhatGoes) {
  const std::string a = Add({1, 0, 0}), b = Add({0.9F, 0.1F, 0});
  EXPECT_THAT(Found(Like(a)), ElementsAre(b));
  const std::string c = Add({0.99F, 0, 0.01F});
  EXPECT_THAT(Found(Like(a)), ElementsAre(c, b));
  // Another look at the clip finds no frames any more.
  rig_.Check({.device = "cart-store-7", .sequence = 3, .frames = {}});
  EXPECT_THAT(Found(Like(a)), ElementsAre(b));
  // The model was taught better.
  SimilarRig::Must(rig_.Put({b, "front", 0}, "eye@1", std::vector<float>{0, 0, 1}));
  EXPECT_NEAR(Ask(Like(a))->frames(0).score(), 0, 1e-5);
  EXPECT_EQ(Ask(Like(a))->frames_size(), 1);
}

TEST_F(SimilarFramesTest, IsReadAnewFromTheCatalogAfterARestart) {
  const std::string a = Add({1, 0, 0}), b = Add({0.9F, 0.1F, 0});
  EXPECT_THAT(Found(Like(a)), ElementsAre(b));
  EXPECT_EQ(server_->indexes.built(), 1u);
  Restart();
  EXPECT_EQ(server_->indexes.built(), 0u) << "only once somebody asks";
  EXPECT_THAT(Found(Like(a)), ElementsAre(b));
}

TEST_F(SimilarFramesTest, TwoServersOnOneCatalogFindTheSame) {
  const std::string a = Add({1, 0, 0});
  EXPECT_THAT(Found(Like(a)), IsEmpty());
  Server other(rig_.database(), options_, embedders_);
  const std::string b = Add({0.9F, 0.1F, 0});
  EXPECT_THAT(Found(Like(a)), ElementsAre(b));
  EXPECT_EQ(other.frames.Find(Like(a), {})->frames_size(), 1);
}

TEST_F(SimilarFramesTest, AFilterIsHeededAlsoWhereWhatItFindsIsFar) {
  TestVectors vectors(16, 3, 8, 1);
  const std::string far_off = Add({-1, 1, -1, 1, -1, 1, -1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, "store-9");
  std::vector<float> query;
  for (int i = 0; i < 700; ++i) {
    query = vectors.Next();
    Add(query, i % 2 == 0 ? "store-7" : "store-8");
  }
  EXPECT_THAT(Found(Like(query), "site:store-9"), ElementsAre(far_off));
  const auto of_site = Ask(Like(query), "site:store-8").value();
  EXPECT_EQ(of_site.frames_size(), 20);
  for (const auto& one : of_site.frames()) EXPECT_EQ(one.frame().site(), "store-8");
  EXPECT_THAT(Found(Like(query), "site:store-10"), IsEmpty());
}

TEST_F(SimilarFramesTest, DistinctShowsOneOfEachClusterAndNoneOfItsOwn) {
  const std::string a = Add({1, 0, 0}, "store-7", 1), a2 = Add({0.99F, 0, 0.1F}, "store-7", 1),
                    b = Add({0.9F, 0.1F, 0}, "store-7", 2), b2 = Add({0.8F, 0.2F, 0}, "store-7", 2),
                    c = Add({0, 1, 0}, "store-7", 3);
  EXPECT_THAT(Found(Like(a)), ElementsAre(a2, b, b2, c));
  v1::FindSimilarRequest request = Like(a);
  request.set_distinct(true);
  EXPECT_THAT(Found(request), ElementsAre(b, c));
}

TEST_F(SimilarFramesTest, ADirectionAndAPictureAreLookedForToo) {
  const std::string a = Add({1, 0, 0}), b = Add({0, 1, 0});
  EXPECT_THAT(Found(Like(std::vector<float>{0, 7, 1})), ElementsAre(b, a));
  v1::FindSimilarRequest picture;
  picture.set_picture("\xff\xd8 a picture");
  EXPECT_THAT(Refused(picture, absl::StatusCode::kFailedPrecondition),
              HasSubstr("no model here can look at pictures"));
  embedders_.push_back({.model = "eye@1", .embed = [](std::string_view jpeg) {
                          EXPECT_THAT(std::string(jpeg), HasSubstr("a picture"));
                          return std::vector<float>{0.1F, 2, 0};
                        }});
  EXPECT_THAT(Found(picture), ElementsAre(b, a));
  EXPECT_TRUE(server_->frames.ListModels()->models(0).looks_at_pictures());
  picture.set_picture(std::string(kMaxPictureBytes + 1, 'x'));
  EXPECT_THAT(Refused(picture, absl::StatusCode::kInvalidArgument), HasSubstr("at most 700000"));
}

TEST_F(SimilarFramesTest, WhatCantBeAskedIsRefusedByName) {
  EXPECT_THAT(Refused(Like(std::vector<float>{1}), absl::StatusCode::kFailedPrecondition),
              HasSubstr("no model has looked at any frame yet"));
  const std::string a = Add({1, 0, 0});
  EXPECT_THAT(Refused(Like(std::vector<float>{1}), absl::StatusCode::kInvalidArgument),
              HasSubstr("1 components, eye@1 has 3"));
  EXPECT_THAT(Refused(Like(std::vector<float>{0, 0, 0}), absl::StatusCode::kInvalidArgument),
              HasSubstr("vector: the embedding is nothing but zeros"));
  EXPECT_THAT(Refused({}, absl::StatusCode::kInvalidArgument), HasSubstr("like what"));
  v1::FindSimilarRequest other = Like(a);
  other.set_model("eye@2");
  EXPECT_THAT(Refused(other, absl::StatusCode::kNotFound), HasSubstr("looked at by eye@2"));
  other = Like(a);
  other.set_limit(101);
  EXPECT_THAT(Refused(other, absl::StatusCode::kInvalidArgument), HasSubstr("1 to 100"));
  other = Like(a);
  other.mutable_frame()->set_pts(5);
  EXPECT_THAT(Refused(other, absl::StatusCode::kNotFound), HasSubstr("no frame of camera front"));
  const std::string unseen = rig_.AddClip({.sequence = 99});
  EXPECT_THAT(Refused(Like(unseen), absl::StatusCode::kNotFound), HasSubstr("hasn't looked at it"));
}

TEST_F(SimilarFramesTest, BeyondTheLimitOfTheScanAGraphTakesItsPlace) {
  options_.scan_limit = 300;
  TestVectors vectors(16, 3, 8, 2);
  std::string last;
  for (int i = 0; i < 350; ++i) last = Add(vectors.Next());
  const auto before = Found(Like(last));
  // It is built on the side; asking goes on meanwhile, and what comes is found.
  std::string_view kind;
  do {
    EXPECT_THAT(Found(Like(last)), Not(IsEmpty()));
    kind = server_->indexes.numbers()[0].kind;
  } while (kind != "graph");
  EXPECT_EQ(Found(Like(last)), before);
  EXPECT_EQ(server_->indexes.numbers()[0].vectors, 350u);
  Add(vectors.Next());
  Found(Like(last));
  EXPECT_EQ(server_->indexes.numbers()[0].vectors, 351u);
}

TEST_F(SimilarFramesTest, OneThatIsNotAskedForMakesRoomAndOneWithoutRoomSaysSo) {
  const std::string a = Add({1, 0, 0});
  SimilarRig::Must(rig_.Put({a, "front", 0}, "eye@2", std::vector<float>{1, 0}));
  v1::FindSimilarRequest other = Like(a);
  other.set_model("eye@2");
  options_.memory_bytes = 500'000;  // one chunk of each takes some 300 kB
  EXPECT_TRUE(Ask(Like(a)).ok());
  EXPECT_TRUE(Ask(other).ok());
  ASSERT_EQ(server_->indexes.numbers().size(), 1u);
  EXPECT_EQ(server_->indexes.numbers()[0].model, "eye@2");
  EXPECT_TRUE(Ask(Like(a)).ok());
  EXPECT_EQ(server_->indexes.built(), 3u);
  options_.memory_bytes = 1'000;
  Restart();
  EXPECT_THAT(Refused(Like(a), absl::StatusCode::kFailedPrecondition),
              HasSubstr("than there is memory for"));
}

TEST_F(SimilarFramesTest, ThoseWhoAskWhileItStopsAreTold) {
  const std::string a = Add({1, 0, 0});
  Restart();
  server_->indexes.Stop();
  EXPECT_EQ(Ask(Like(a)).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace gleaner::cloud
