// How many labels selection saves: fleet-like and plain pools of Fashion-MNIST, labelled by each
// arm step by step, and how many labels each needs until the learner has 98 % of the accuracy that
// all labels give. What chooses is the product's own library (cloud/curate/strategy).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <thread>

#include "tests/bench/curation/study.h"
#include "tests/bench/curation/summary.h"
#include "tests/bench/figure.h"

namespace {

using namespace gleaner::bench;
namespace cloud = gleaner::cloud;

constexpr uint64_t kFirstSeed = 100;

// Fixed before anything was measured with them.
std::vector<StudyArm> Arms() {
  return {{"random", {}, "random"},
          {"random again", {}, "random"},
          {"random_after_dedup", {}, "random_after_dedup"},
          {"default", *cloud::CompleteMix({}), ""},
          {"hybrid", {}, "hybrid"},
          {"margin", {}, "margin"},
          {"coverage", {}, "coverage"},
          {"entropy", {}, "entropy"},
          {"class_balance", {}, "class_balance"},
          {"novelty", {}, "novelty"}};
}

struct Seconds {
  double from_scratch = 35, corrected = 27;
  std::string from = "literature";
};

class Report {
 public:
  Report(Reporter& out, std::map<std::string, std::vector<SeedResult>> pools)
      : out_(out), pools_(std::move(pools)) {}

  void Labels() {
    for (const auto& [kind, seeds] : pools_) {
      for (const StudyArm& arm : Arms()) {
        if (arm.name.starts_with("random again")) continue;
        for (const Test test : {Test::kBalanced, Test::kFleet}) Compare(kind, arm.name, test);
      }
    }
  }

  void Cost(const Seconds& seconds) {
    for (const auto& [kind, seeds] : pools_) {
      if (kind == "A") continue;
      const auto labels = [&](const char* arm) { return LabelsOf(seeds, arm, Test::kBalanced); };
      // What deduplication keeps from being shown, and then what is chosen of the rest: of the
      // two no label is saved twice.
      const Ratio shown = RatioOf(labels("random_after_dedup"), labels("random"));
      const Ratio chosen = RatioOf(labels("default"), labels("random_after_dedup"));
      const double each = seconds.corrected / seconds.from_scratch;
      const std::string of = kind + "/default";
      AddFactor("cost_of_labels.shown", of + " (no background in it)", shown.value);
      AddFactor("cost_of_labels.labels", of, chosen.value);
      AddFactor("cost_of_labels.seconds", of + " (" + seconds.from + ")", each);
      const double scratch = GeometricMean(labels("random")) * seconds.from_scratch;
      out_.Add({.bench = "curation",
                .figure = "cost_of_labels",
                .value = scratch * shown.value * chosen.value * each,
                .unit = "s",
                .peer = "random_from_scratch",
                .peer_value = scratch,
                .goal = "<= 0.3",
                .of = of + " (seconds: " + seconds.from + ")"});
    }
  }

 private:
  void Compare(const std::string& kind, const std::string& arm, Test test) {
    const std::vector<SeedResult>& seeds = pools_.at(kind);
    const std::vector<double> ours = LabelsOf(seeds, arm, test);
    const std::string of =
        fmt::format("{}/{}/{}", kind, arm, test == Test::kBalanced ? "balanced" : "fleet-weighted");
    for (const char* peer : {"random", "random_after_dedup"}) {
      if (arm == peer || (arm == "random" && peer != arm)) continue;
      const std::vector<double> theirs = LabelsOf(seeds, peer, test);
      const Ratio ratio = RatioOf(ours, theirs);
      const bool goal = arm == "default" && kind != "A" && std::string_view(peer) == "random";
      out_.Add({.bench = "curation",
                .figure = "labels_to_98pct",
                .value = GeometricMean(ours),
                .unit = "labels",
                .peer = peer,
                .peer_value = GeometricMean(theirs),
                .goal = goal ? "<= 0.6" : "",
                .of = of,
                .interval = {{ratio.low, ratio.high}}});
      if (std::string_view(peer) == "random") {
        out_.Add({.bench = "curation",
                  .figure = "labels_to_98pct.worst_seed",
                  .value = ratio.worst,
                  .unit = "of random's",
                  .goal = goal ? "<= 1.0" : "",
                  .of = of});
      }
    }
  }

  void AddFactor(const std::string& figure, const std::string& of, double value) {
    out_.Add({.bench = "curation", .figure = figure, .value = value, .unit = "share", .of = of});
  }

  Reporter& out_;
  const std::map<std::string, std::vector<SeedResult>> pools_;
};

int Run(int argc, char** argv) {
  CLI::App app{"How many labels selection saves."};
  bool json = false;
  size_t seeds = 10, threads = 2;
  std::string kinds = "B,B2,A";
  Seconds seconds;
  app.add_flag("--json", json, "one JSON object a line");
  app.add_option("--seeds", seeds, "pools of each kind")->check(CLI::Range(2, 1000));
  app.add_option("--pools", kinds, "which of B, B2 and A")->delimiter('\0');
  app.add_option("--seconds-from-scratch", seconds.from_scratch,
                 "of a person, for a label that is drawn (35: a box, Papadopoulos et al. 2017)");
  app.add_option("--seconds-corrected", seconds.corrected,
                 "for a label that is corrected (27: 23 % less, as 18 annotators of pre-annotated "
                 "video had it against a control)");
  app.add_option("--seconds-are", seconds.from,
                 "where these come from: literature, or as the review report says, scripted");
  CLI11_PARSE(app, argc, argv);

  Reporter out(argc, argv);
  const auto begun = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  const Material material = Material::Make();
  fmt::print(stderr, "backbone: accuracy {:.3f} on the eight classes it saw, {:.0f} s\n",
             material.backbone.Accuracy(material.test), elapsed());

  struct Task {
    std::string kind;
    uint64_t seed;
  };
  std::vector<Task> tasks;
  std::map<std::string, std::vector<SeedResult>> pools;
  for (size_t at = 0; at <= kinds.size();) {
    const size_t comma = std::min(kinds.find(',', at), kinds.size());
    const std::string kind = kinds.substr(at, comma - at);
    if (kind != "A" && kind != "B" && kind != "B2") {
      throw std::runtime_error("--pools: there are A, B and B2, and no '" + kind + "'");
    }
    pools[kind].resize(seeds);
    at = comma + 1;
  }
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    for (const auto& [kind, results] : pools) tasks.push_back({kind, seed});
  }
  std::atomic<size_t> next = 0, done = 0;
  std::exception_ptr failed;
  std::mutex mutex;
  const auto work = [&] {
    for (size_t i = next++; i < tasks.size(); i = next++) {
      try {
        SeedResult result = RunSeed(material, tasks[i].kind, kFirstSeed + tasks[i].seed, Arms());
        const std::lock_guard lock(mutex);
        fmt::print(stderr,
                   "pool {:2} seed {:3}: {} of {} done, {:.0f} s; all labels give {:.3f}; {} "
                   "clusters of {} bursts, pairs P {:.2f} R {:.2f}\n",
                   tasks[i].kind, tasks[i].seed, ++done, tasks.size(), elapsed(),
                   result.full.balanced, result.clusters, result.bursts, result.near.precision,
                   result.near.recall);
        pools[tasks[i].kind][tasks[i].seed] = std::move(result);
      } catch (...) {
        const std::lock_guard lock(mutex);
        failed = std::current_exception();
        next = tasks.size();
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    for (size_t i = 1; i < threads; ++i) workers.emplace_back(work);
    work();
  }
  if (failed) std::rethrow_exception(failed);
  Report report(out, std::move(pools));
  report.Labels();
  report.Cost(seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_curation: {}\n", error.what());
    return 1;
  }
}
