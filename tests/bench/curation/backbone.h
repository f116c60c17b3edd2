// A frozen backbone: a small convolutional net that was trained on pictures which no pool has, of
// eight of the ten classes. The two others it never saw, as a model in the field never saw what the
// fleet will meet next.
//
// 28×28 → 16 maps of 14×14 (5×5, stride 2) → 32 maps of 7×7 (3×3, stride 2) → 64 numbers → 8
// classes; ReLU after each but the last; Adam, shifts by up to two pixels and mirrored halves.
#pragma once

#include <array>
#include <vector>

#include "tests/bench/curation/fashion.h"

namespace gleaner::bench {

class Backbone {
 public:
  static constexpr size_t kMap = 32 * 49;  // the last maps
  static constexpr size_t kSize = 64;      // the embedding
  static constexpr std::array<uint8_t, 2> kNeverSeen = {3, 7};

  // Trained on the training pictures 50,000 to 59,999; always the same. About 30 s on two cores.
  explicit Backbone(const Pictures& train);

  struct Output {
    std::vector<float> maps;        // kMap a picture
    std::vector<float> embeddings;  // kSize a picture
  };
  Output Run(const Pictures& pictures) const;
  // Of the eight classes, on pictures of them.
  double Accuracy(const Pictures& pictures) const;

 private:
  struct Weights;
  struct Work;
  static void Forward(const std::vector<float>& w, const float* pixels, size_t count, Work& work);
  static void Backward(const std::vector<float>& w, const uint8_t* classes, size_t count,
                       Work& work, float* gradient);

  std::vector<float> weights_;
};

}  // namespace gleaner::bench
