// More of where reviewers corrected most: by site, camera, hour of the day, predicted class and
// model. A frame's score is the share of corrections in the worst bucket it is in; what is above
// the share over all is drawn by its weight, so that one bad camera doesn't take the whole budget.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "cloud/curate/strategy/dedup.h"
#include "cloud/curate/strategy/strategy.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMinReviewed = 5;
// Few reviews say little: a bucket counts as if so many more had gone as they go over all.
constexpr double kPrior = 4;
constexpr int64_t kHourNs = 3'600'000'000'000;

constexpr std::array<std::string_view, 5> kKinds = {"site", "camera", "hour", "class", "model"};
using Buckets = std::array<int64_t, kKinds.size()>;  // -1: in none of that kind

int64_t Of(Word word) { return word == kNoWord ? -1 : static_cast<int64_t>(word); }

Buckets BucketsOf(const PoolFrame& frame) {
  const int64_t hours = frame.taken_ns / kHourNs - (frame.taken_ns % kHourNs < 0 ? 1 : 0);
  return {Of(frame.site), Of(frame.camera), ((hours % 24) + 24) % 24, Of(frame.guess.first),
          Of(frame.model)};
}

struct Count {
  size_t reviewed = 0, corrected = 0;
};

class ErrorBuckets : public Strategy {
 public:
  absl::Status Pick(const Pool& pool, size_t budget, Choosing& choosing,
                    Chosen& chosen) const override {
    std::array<std::map<int64_t, Count>, kKinds.size()> counts;
    Count all;
    for (const PoolFrame& frame : pool.frames) {
      if (!frame.reviewed) continue;
      ++all.reviewed;
      all.corrected += frame.corrected ? 1 : 0;
      const Buckets buckets = BucketsOf(frame);
      for (size_t kind = 0; kind < kKinds.size(); ++kind) {
        Count& count = counts[kind][buckets[kind]];
        ++count.reviewed;
        count.corrected += frame.corrected ? 1 : 0;
      }
    }
    if (all.corrected == 0) {
      return absl::FailedPreconditionError(fmt::format(
          "error_buckets needs corrections, and reviewers corrected none of the {} frames that "
          "they reviewed here",
          all.reviewed));
    }
    const double share = static_cast<double>(all.corrected) / static_cast<double>(all.reviewed);

    struct Candidate {
      size_t frame;
      size_t kind;
      int64_t bucket;
      double score, key;
    };
    std::vector<Candidate> candidates;
    for (const size_t frame : FreshOf(Representatives(pool), chosen)) {
      const Buckets buckets = BucketsOf(pool.frames[frame]);
      Candidate worst = {frame, 0, 0, share, 0};
      for (size_t kind = 0; kind < kKinds.size(); ++kind) {
        if (buckets[kind] < 0) continue;
        const auto found = counts[kind].find(buckets[kind]);
        if (found == counts[kind].end() || found->second.reviewed < kMinReviewed) continue;
        const double rate = (static_cast<double>(found->second.corrected) + kPrior * share) /
                            (static_cast<double>(found->second.reviewed) + kPrior);
        if (rate > worst.score) worst = {frame, kind, buckets[kind], rate, 0};
      }
      const double draw = choosing.rng.Uniform();  // drawn for all, so that one more changes little
      if (worst.score <= share) continue;
      // Efraimidis and Spirakis 2006: the largest keys are a draw by weight.
      worst.key = std::log(std::max(draw, 1e-300)) / (worst.score - share);
      candidates.push_back(worst);
    }
    std::sort(candidates.begin(), candidates.end(), [&](const Candidate& a, const Candidate& b) {
      return a.key != b.key ? a.key > b.key : pool.frames[a.frame].id < pool.frames[b.frame].id;
    });
    size_t taken = 0;
    for (const Candidate& candidate : candidates) {
      if (taken == budget) break;
      if (chosen.Seen(candidate.frame) > 0) continue;
      const Count& count = counts[candidate.kind][candidate.bucket];
      const std::string bucket = kKinds[candidate.kind] == "hour"
                                     ? fmt::format("{:02}:00 to {:02}:00 UTC", candidate.bucket,
                                                   (candidate.bucket + 1) % 24)
                                     : pool.words[static_cast<Word>(candidate.bucket)];
      const std::string reason = fmt::format(
          "{} {}: {} of {} reviewed were corrected ({:.0f} %, {:.0f} % over all)",
          kKinds[candidate.kind], bucket, count.corrected, count.reviewed,
          100.0 * static_cast<double>(count.corrected) / static_cast<double>(count.reviewed),
          100 * share);
      if (chosen.Take(candidate.frame, candidate.score, reason)) ++taken;
    }
    return absl::OkStatus();
  }
};

}  // namespace

const Strategy& ErrorBucketsStrategy() {
  static const ErrorBuckets strategy;
  return strategy;
}

}  // namespace gleaner::cloud
