#include "tests/bench/curation/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <stdexcept>

#include "cloud/curate/strategy/vectors.h"
#include "tests/bench/curation/probe.h"

namespace gleaner::bench {
namespace {

// Far enough above the target twice, and the rest of the curve says nothing more.
constexpr double kEnough = .985;

Score Test(const Probe& probe, const Features& features, const std::vector<uint8_t>& labels,
           const std::vector<double>& shares) {
  const std::vector<float> all = probe.Probabilities(features);
  double right[kClasses] = {}, count[kClasses] = {};
  for (size_t i = 0; i < labels.size(); ++i) {
    const float* row = &all[i * kClasses];
    const auto best = static_cast<size_t>(std::max_element(row, row + kClasses) - row);
    count[labels[i]] += 1;
    right[labels[i]] += best == labels[i] ? 1 : 0;
  }
  Score score;
  for (size_t c = 0; c < kClasses; ++c) {
    score.balanced += right[c] / count[c] / kClasses;
    score.fleet += right[c] / count[c] * shares[c];
  }
  const auto rarest =
      static_cast<size_t>(std::min_element(shares.begin(), shares.end()) - shares.begin());
  score.rarest = right[rarest] / count[rarest];
  return score;
}

cloud::Pool AsPool(const FleetPool& pool, const std::vector<float>& embeddings,
                   const std::vector<uint64_t>& clusters) {
  cloud::Pool made;
  for (size_t c = 0; c < kClasses; ++c) made.words.Add(kClassNames[c]);  // word c is class c
  for (size_t i = 0; i < pool.size(); ++i) {
    cloud::PoolFrame frame;
    frame.id = fmt::format("{:05}", i);
    frame.site = made.words.Add(fmt::format("site-{}", pool.sites[i]));
    frame.device = frame.site;
    frame.taken_ns = static_cast<int64_t>(i) * 1'000'000'000;
    frame.cluster = clusters[i];
    made.frames.push_back(std::move(frame));
  }
  made.dimensions = Backbone::kSize;
  made.embeddings = embeddings;
  for (size_t i = 0; i < pool.size(); ++i) {
    cloud::Normalize(&made.embeddings[i * Backbone::kSize], Backbone::kSize);
  }
  return made;
}

void SetGuesses(const std::vector<float>& probabilities, cloud::Pool& pool) {
  for (size_t i = 0; i < pool.frames.size(); ++i) {
    const float* row = &probabilities[i * kClasses];
    cloud::Guess guess;
    guess.entropy = 0;
    for (cloud::Word c = 0; c < kClasses; ++c) {
      if (row[c] > 0) guess.entropy -= row[c] * std::log(row[c]);
      if (!guess.known() || row[c] > guess.first_confidence) {
        guess.second = guess.first;
        guess.second_confidence = guess.first_confidence;
        guess.first = c;
        guess.first_confidence = row[c];
      } else if (guess.second == cloud::kNoWord || row[c] > guess.second_confidence) {
        guess.second = c;
        guess.second_confidence = row[c];
      }
    }
    pool.frames[i].guess = guess;
  }
}

std::vector<size_t> NextPicks(const cloud::Pool& pool, const StudyArm& arm, size_t budget,
                              uint64_t seed, bool first) {
  std::vector<cloud::Pick> picks;
  if (!arm.mix.empty()) {
    const cloud::SelectionOrder order{
        .budget = budget, .arms = arm.mix, .quotas = {}, .seed = seed};
    auto selection = cloud::Select(pool, order, {}, 1);
    if (!selection.ok()) throw std::runtime_error(selection.status().ToString());
    picks = std::move(selection->picks);
  } else {
    cloud::Rng rng = cloud::Rng::For(seed, arm.name);
    cloud::Choosing choosing{rng, {}, 1};
    cloud::Chosen chosen(pool, {});
    // Before there is a model, what needs one is begun at random.
    const bool wants_model =
        arm.strategy == "margin" || arm.strategy == "entropy" || arm.strategy == "class_balance";
    const std::string name =
        first && wants_model ? std::string(cloud::kRandomAfterDedup) : arm.strategy;
    for (const std::string& strategy : {name, std::string(cloud::kRandomAfterDedup)}) {
      if (chosen.picks().size() >= budget) break;
      const absl::Status status = cloud::FindStrategy(strategy)->get().Pick(
          pool, budget - chosen.picks().size(), choosing, chosen);
      if (!status.ok()) throw std::runtime_error(status.ToString());
    }
    picks = std::move(chosen.picks());
  }
  std::vector<size_t> frames;
  for (const cloud::Pick& pick : picks) frames.push_back(pick.frame);
  return frames;
}

}  // namespace

Material Material::Make() {
  Pictures train = LoadFashion("train"), test = LoadFashion("t10k");
  Backbone backbone(train);
  std::vector<float> embeddings = backbone.Run(test).embeddings;
  Pictures others;  // the backbone's own pictures
  const size_t from = 50'000, count = 3'000;
  others.pixels.assign(train.at(from), train.at(from) + count * kPixels);
  others.labels.assign(train.labels.begin() + from, train.labels.begin() + from + count);
  Signature signature(backbone.Run(others).maps, Backbone::kMap);
  return {std::move(train), std::move(test), std::move(backbone), std::move(embeddings),
          std::move(signature)};
}

SeedResult RunSeed(const Material& material, const std::string& pool_kind, uint64_t seed,
                   const std::vector<StudyArm>& arms) {
  const FleetPool fleet = MakePool(pool_kind, seed, material.train);
  const Backbone::Output output = material.backbone.Run(fleet.captures);
  const std::vector<uint64_t> clusters =
      FindNearCopies(fleet, material.signature.Of(output.maps), {}, seed);
  const Standardised features =
      Standardise(output.embeddings, material.test_embeddings, Backbone::kSize);
  const std::vector<double> shares = fleet.ClassShares();
  const cloud::Pool base = AsPool(fleet, output.embeddings, clusters);

  SeedResult result;
  result.clusters = std::set<uint64_t>(clusters.begin(), clusters.end()).size();
  result.bursts = std::set<uint32_t>(fleet.bursts.begin(), fleet.bursts.end()).size();
  result.near = ScorePairs(fleet, clusters);
  {
    Probe probe(features.pool.size);
    std::vector<size_t> all(fleet.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    probe.Fit(features.pool, all, fleet.answers);
    result.full = Test(probe, features.test, material.test.labels, shares);
  }
  for (const StudyArm& arm : arms) {
    cloud::Pool pool = base;
    Probe probe(features.pool.size);
    std::vector<size_t> labelled;
    int enough = 0;
    for (size_t step = 0; step < std::size(kGrid) && enough < 2; ++step) {
      const std::vector<size_t> picks =
          NextPicks(pool, arm, kGrid[step] - labelled.size(), seed * 100 + step, step == 0);
      for (const size_t frame : picks) {
        pool.frames[frame].labelled = true;
        pool.frames[frame].label = fleet.answers[frame];
        labelled.push_back(frame);
      }
      probe.Fit(features.pool, labelled, fleet.answers);
      const Score score = Test(probe, features.test, material.test.labels, shares);
      result.curves[arm.name].push_back(score);
      SetGuesses(probe.Probabilities(features.pool), pool);
      const bool there = score.balanced >= kEnough * result.full.balanced &&
                         score.fleet >= kEnough * result.full.fleet;
      enough = there ? enough + 1 : 0;
    }
  }
  return result;
}

double LabelsTo(const std::vector<double>& curve, double target) {
  // Pool adjacent violators.
  struct Block {
    double mean;
    size_t size;
  };
  std::vector<Block> blocks;
  for (const double value : curve) {
    blocks.push_back({value, 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].mean > blocks.back().mean) {
      Block& before = blocks[blocks.size() - 2];
      const Block& last = blocks.back();
      before.mean = (before.mean * static_cast<double>(before.size) +
                     last.mean * static_cast<double>(last.size)) /
                    static_cast<double>(before.size + last.size);
      before.size += last.size;
      blocks.pop_back();
    }
  }
  std::vector<double> fitted;
  for (const Block& block : blocks) fitted.insert(fitted.end(), block.size, block.mean);
  const auto above =
      std::find_if(fitted.begin(), fitted.end(), [&](double value) { return value >= target; });
  const size_t i = static_cast<size_t>(above - fitted.begin());
  if (above == fitted.end()) return static_cast<double>(kGrid[fitted.size() - 1]);
  if (i == 0) return static_cast<double>(kGrid[0]);
  const double low = std::log(static_cast<double>(kGrid[i - 1]));
  const double high = std::log(static_cast<double>(kGrid[i]));
  return std::exp(low + (high - low) * (target - fitted[i - 1]) / (fitted[i] - fitted[i - 1]));
}

}  // namespace gleaner::bench
