// A catalog with frames, and vectors made up from a seed.
#pragma once

#include <cmath>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "cloud/frames/frame_rows.h"
#include "cloud/similar/duplicates.h"
#include "cloud/similar/embeddings.h"
#include "common/status.h"
#include "tests/cloud/catalog/catalog_testing.h"

namespace gleaner::cloud {

// Not uniform: so many clusters of so few directions that vectors vary in, as those of models do.
class TestVectors {
 public:
  TestVectors(size_t dims, size_t clusters, size_t directions, uint64_t seed)
      : dims_(dims), random_(seed) {
    for (size_t c = 0; c < clusters; ++c) centres_.push_back(Noise(1));
    for (size_t d = 0; d < directions; ++d) directions_.push_back(Noise(1));
  }

  std::vector<float> Next() {
    std::vector<float> vector = centres_[random_() % centres_.size()];
    for (const std::vector<float>& direction : directions_) {
      const float by = normal_(random_) / std::sqrt(static_cast<float>(directions_.size()));
      for (size_t i = 0; i < dims_; ++i) vector[i] += by * direction[i];
    }
    const std::vector<float> noise = Noise(0.1F);
    for (size_t i = 0; i < dims_; ++i) vector[i] += noise[i];
    return Normalized(vector).value();
  }

 private:
  std::vector<float> Noise(float scale) {
    std::vector<float> noise(dims_);
    for (float& one : noise) one = scale * normal_(random_);
    return noise;
  }

  const size_t dims_;
  std::mt19937_64 random_;
  std::normal_distribution<float> normal_;
  std::vector<std::vector<float>> centres_, directions_;
};

// Opens, or opens again, what lies in a folder.
class SimilarRig {
 public:
  explicit SimilarRig(const std::string& folder)
      : catalog(OpenTestCatalog(folder + "/catalog.db").value()) {}

  Database& database() { return catalog->database(); }

  struct ClipOfFrames {
    std::string device = "cart-1", site = "store-7", camera = "front";
    uint64_t sequence = 1;
    int64_t fired_ns = 1'700'000'000 * kNanosPerSecond;
    std::vector<media::ChosenFrame> frames = {{.pts = 0}};
  };
  // Its id.
  std::string AddClip(const ClipOfFrames& options) {
    const TestClip clip = Made(options);
    Must(CommitTestClip(*catalog, clip));
    Check(options);
    return ClipId(options.device, clip.upload.key);
  }
  // What a look at its media writes, for the first time or once more.
  void Check(const ClipOfFrames& options) {
    const TestClip clip = Made(options);
    const std::string id = ClipId(options.device, clip.upload.key);
    CheckedVideo video;
    video.position = 0;
    video.thumbnails = Hex(AsBytes(Sha256::Of("thumbnails" + id))).substr(0, 32);
    video.frames = options.frames;
    Must(database().Write([&](Sql& sql) {
      const std::vector<CheckedVideo> videos = {video};
      const CheckedClip checked{.id = id, .manifest = clip.manifest, .videos = videos};
      RecordFrames(sql, checked);
      for (const WithCheck& one : with_check) one(sql, checked);
      return absl::OkStatus();
    }));
  }
  absl::Status Put(const FrameName& frame, std::string_view model, std::span<const float> vector) {
    return database().Write([&](Sql& sql) { return PutEmbedding(sql, frame, model, vector); });
  }
  template <typename T>
  T Read(const std::function<T(Sql&)>& read) {
    return database().Read([&](Sql& sql) -> absl::StatusOr<T> { return read(sql); }).value();
  }

  static void Must(const absl::Status& status) {
    if (!status.ok()) throw std::runtime_error(std::string(Message(status)));
  }

  std::unique_ptr<TestCatalog> catalog;
  std::vector<WithCheck> with_check = {DropLostEmbeddings, JoinClusters};

 private:
  static TestClip Made(const ClipOfFrames& options) {
    return MakeTestClip({.device = options.device,
                         .site = options.site,
                         .camera = options.camera,
                         .sequence = options.sequence,
                         .fired_ns = options.fired_ns});
  }
};

}  // namespace gleaner::cloud
