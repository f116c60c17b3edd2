// The little statistics that the report needs: means with bootstrap intervals, Cohen's kappa.
//
// Percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13): the
// statistic of kResamples samples drawn with replacement, from the 2.5th to the 97.5th percentile.
// The same values, in the same order, and the same seed give the same interval on every machine.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "gleaner/v1/label_report.pb.h"

namespace gleaner::cloud {

inline constexpr int kResamples = 1'000;

// Of no values: all zero.
v1::Measured MeanOf(const std::vector<double>& values, uint64_t seed);
// 1 - mean(with) / mean(without), each side resampled by itself. Of less than two values on a side,
// or where `without` is nothing: no labels, all zero.
v1::Measured SavedOf(const std::vector<double>& with, const std::vector<double>& without,
                     uint64_t seed);

// What two people said of the same things, from 0 to kinds - 1, one item a frame: a frame's things
// are resampled together.
using Opinions = std::vector<std::pair<int, int>>;
// How much more they agree than chance would make them: 1 for always, 0 for as chance. 1 where all
// is of one kind, which a sample may be; of all opinions it says nothing then.
double Kappa(const Opinions& opinions);
v1::Measured KappaOf(const std::vector<Opinions>& by_frame, uint64_t seed);

}  // namespace gleaner::cloud
