// Vectors to look among, made up from a seed: like those of a model that looks at a fleet's frames.
//
// Not uniform: in 256 dimensions everything is equally far from everything there, and nothing can
// be looked for. Here 4,000 things are seen, some much oftener than others (1 / rank); each thing
// looks different along 24 directions of its own, falling off as 1 / sqrt(n), and there is noise on
// top; a fifth of all vectors is a burst's other frame, almost the one before. Distances between
// nearest neighbours then say an intrinsic dimension of about 14, as measured on pictures of
// garments (bench_similar tells it of each set: E. Levina and P. Bickel, 2004).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gleaner::bench {

// Row by row, each of length 1.
struct VectorSet {
  std::string name;
  size_t dims = 0;
  std::vector<float> values;

  size_t rows() const { return dims == 0 ? 0 : values.size() / dims; }
  const float* row(size_t n) const { return values.data() + n * dims; }
};

VectorSet MadeUpVectors(size_t rows, size_t dims, uint64_t seed);

// The pixels of Fashion-MNIST's pictures, of those to learn from and then some of those to test
// with, `queries` of them; empty where Debian's dataset-fashion-mnist isn't installed.
VectorSet Garments(size_t queries);

// By maximum likelihood, out of the cosines of the nearest of some vectors, in descending order.
double IntrinsicDimension(const std::vector<std::vector<float>>& cosines);

}  // namespace gleaner::bench
