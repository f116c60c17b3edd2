#include "cloud/curate/strategy/kmeans.h"

#include <algorithm>
#include <cstring>

#include "cloud/curate/strategy/vectors.h"

namespace gleaner::cloud {
namespace {

// The centre nearest to each of the rows.
std::vector<uint32_t> Nearest(const std::vector<float>& points, size_t size,
                              const std::vector<float>& centres, Choosing& choosing) {
  const size_t rows = points.size() / size, groups = centres.size() / size;
  std::vector<uint32_t> nearest(rows);
  InParallel(rows, choosing.threads, [&](size_t from, size_t to) {
    std::vector<float> likeness(groups);
    for (size_t row = from; row < to; ++row) {
      if (row % 256 == 0 && choosing.stop.stop_requested()) return;
      DotEach(&points[row * size], centres.data(), groups, size, likeness.data());
      nearest[row] = static_cast<uint32_t>(std::max_element(likeness.begin(), likeness.end()) -
                                           likeness.begin());
    }
  });
  return nearest;
}

// k-means++: each next centre is a row, drawn by its squared distance to the nearest one so far.
std::vector<float> FirstCentres(const std::vector<float>& points, size_t size, size_t groups,
                                Choosing& choosing) {
  const size_t rows = points.size() / size;
  std::vector<float> centres;
  centres.reserve(groups * size);
  std::vector<double> distance(rows, 1e30);
  size_t next = choosing.rng.Below(rows);
  for (size_t group = 0; group < groups && !choosing.stop.stop_requested(); ++group) {
    const float* centre = &points[next * size];
    centres.insert(centres.end(), centre, centre + size);
    InParallel(rows, rows * size < 100'000 ? 1 : choosing.threads, [&](size_t from, size_t to) {
      std::vector<float> likeness(to - from);
      DotEach(centre, &points[from * size], to - from, size, likeness.data());
      for (size_t row = from; row < to; ++row) {
        distance[row] = std::min(distance[row], std::max(0.0, 2.0 - 2.0 * likeness[row - from]));
      }
    });
    double total = 0;
    for (const double d : distance) total += d;
    double left = choosing.rng.Uniform() * total;
    next = rows - 1;
    for (size_t row = 0; row < rows; ++row) {
      left -= distance[row];
      if (left < 0) {
        next = row;
        break;
      }
    }
  }
  return centres;
}

}  // namespace

absl::StatusOr<std::vector<uint32_t>> GroupByLikeness(const std::vector<float>& points, size_t size,
                                                      size_t groups, Choosing& choosing) {
  const size_t rows = points.size() / size;
  if (rows == 0) return std::vector<uint32_t>{};
  const std::vector<float>* learnt_on = &points;
  std::vector<float> sample;
  if (rows > kMeansSample) {
    std::vector<size_t> order(rows);
    for (size_t i = 0; i < rows; ++i) order[i] = i;
    choosing.rng.Shuffle(order);
    sample.resize(kMeansSample * size);
    for (size_t i = 0; i < kMeansSample; ++i) {
      std::memcpy(&sample[i * size], &points[order[i] * size], size * sizeof(float));
    }
    learnt_on = &sample;
  }
  groups = std::min(groups, learnt_on->size() / size);
  std::vector<float> centres = FirstCentres(*learnt_on, size, groups, choosing);
  for (int round = 0; round < kMeansRounds && !choosing.stop.stop_requested(); ++round) {
    const std::vector<uint32_t> nearest = Nearest(*learnt_on, size, centres, choosing);
    std::vector<float> sums(centres.size(), 0);
    std::vector<bool> used(groups, false);
    for (size_t row = 0; row < nearest.size(); ++row) {
      Add(&(*learnt_on)[row * size], size, &sums[nearest[row] * size]);
      used[nearest[row]] = true;
    }
    for (size_t group = 0; group < groups; ++group) {
      if (!used[group]) continue;  // stays where it is
      Normalize(&sums[group * size], size);
      std::memcpy(&centres[group * size], &sums[group * size], size * sizeof(float));
    }
  }
  std::vector<uint32_t> found = Nearest(points, size, centres, choosing);
  if (choosing.stop.stop_requested()) return absl::CancelledError("grouping was stopped");
  return found;
}

}  // namespace gleaner::cloud
