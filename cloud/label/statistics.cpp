#include "cloud/label/statistics.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace gleaner::cloud {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014).
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}
  // One of 0 to below `count`, which is at most 2^32.
  size_t From(size_t count) { return static_cast<size_t>(((Next() >> 32) * count) >> 32); }

 private:
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double ResampledMean(const std::vector<double>& values, Draw& draw) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[draw.From(values.size())];
  return sum / static_cast<double>(values.size());
}

// `resampled`: the statistic of one sample.
template <typename Resampled>
void SetInterval(v1::Measured& measured, uint64_t seed, Resampled resampled) {
  Draw draw(seed);
  std::vector<double> all(kResamples);
  for (double& one : all) one = resampled(draw);
  std::sort(all.begin(), all.end());
  constexpr size_t kLow = kResamples * 25 / 1000;
  measured.set_low(all[kLow]);
  measured.set_high(all[kResamples - 1 - kLow]);
}

}  // namespace

v1::Measured MeanOf(const std::vector<double>& values, uint64_t seed) {
  v1::Measured measured;
  if (values.empty()) return measured;
  measured.set_labels(values.size());
  measured.set_mean(Mean(values));
  SetInterval(measured, seed, [&](Draw& draw) { return ResampledMean(values, draw); });
  return measured;
}

v1::Measured SavedOf(const std::vector<double>& with, const std::vector<double>& without,
                     uint64_t seed) {
  v1::Measured measured;
  if (with.size() < 2 || without.size() < 2 || Mean(without) <= 0) return measured;
  measured.set_labels(with.size() + without.size());
  measured.set_mean(1 - Mean(with) / Mean(without));
  SetInterval(measured, seed, [&](Draw& draw) {
    const double of_with = ResampledMean(with, draw);
    const double of_without = ResampledMean(without, draw);
    // A sample of nothing but zeros says nothing of a ratio: as if nothing were saved.
    return of_without > 0 ? 1 - of_with / of_without : 0;
  });
  return measured;
}

double Kappa(const Opinions& opinions) {
  if (opinions.empty()) return 0;
  std::map<int, double> first, second;
  double same = 0;
  for (const auto& [a, b] : opinions) {
    ++first[a];
    ++second[b];
    same += a == b ? 1 : 0;
  }
  const auto count = static_cast<double>(opinions.size());
  double by_chance = 0;
  for (const auto& [kind, times] : first) {
    if (const auto other = second.find(kind); other != second.end()) {
      by_chance += times * other->second / (count * count);
    }
  }
  if (by_chance >= 1) return 1;
  return (same / count - by_chance) / (1 - by_chance);
}

v1::Measured KappaOf(const std::vector<Opinions>& by_frame, uint64_t seed) {
  v1::Measured measured;
  Opinions all;
  for (const Opinions& one : by_frame) all.insert(all.end(), one.begin(), one.end());
  if (all.empty()) return measured;
  measured.set_labels(by_frame.size());
  measured.set_mean(Kappa(all));
  SetInterval(measured, seed, [&](Draw& draw) {
    Opinions sample;
    for (size_t i = 0; i < by_frame.size(); ++i) {
      const Opinions& one = by_frame[draw.From(by_frame.size())];
      sample.insert(sample.end(), one.begin(), one.end());
    }
    return Kappa(sample);
  });
  return measured;
}

}  // namespace gleaner::cloud
