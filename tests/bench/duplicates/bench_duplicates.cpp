// Whether near-duplicates on real frames are known as such, and other moments of the same scene
// aren't taken for them.
//
//   bench_duplicates [--json] [--help]
//
// Frames of the footage that the demo shows (a hand with a box, a hand with a bottle, pedestrians),
// ten in a camera's thirty or so, and each of them once more in eleven changed forms: shifted,
// cropped, brighter, darker, with another gamma, smaller, compressed anew. All are put into a
// catalog as clips of one camera a film, through the room of frames and the clusters' own way in
// (JoinClusters): what is measured is what the product answers by ClusterOf.
//
//   duplicate_recall      of the pairs (a frame, a changed form of it): the share in one cluster
//   duplicate_precision   of the pairs in one cluster, these and those of two moments of a film at
//                         least a second apart between which at least 1 % of the picture visibly
//                         changed (by more than 25 of 255): the share that are the same moment
//   duplicate_cpu_ms      what a frame's way into its cluster costs, transaction included
//
// The changes and the moments are held out: the thresholds of cloud/similar/likeness.cpp were
// chosen on other frames of the films and other strengths. The peer `phash` calls two frames
// duplicates where at most 8 bits of their perceptual hashes differ, as the literature has it.
#include <fmt/format.h>

#include <array>
#include <bit>
#include <ctime>
#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "cloud/similar/duplicates.h"
#include "common/log.h"
#include "tests/bench/duplicates/footage.h"
#include "tests/bench/figure.h"
#include "tests/cloud/similar/similar_testing.h"

namespace gleaner::bench {
namespace {

constexpr double kApart = 1, kLeastChange = 0.01;
constexpr int kHashBits = 8;
constexpr int64_t kBegin = 1'700'000'000 * kNanosPerSecond;

struct Film {
  const char* name;
  const char* camera;
  double rate;
};
constexpr std::array<Film, 3> kFilms = {
    {{"box.mp4", "box", 30}, {"cup.mp4", "cup", 26.8}, {"vtest.avi", "street", 10}}};
constexpr size_t kStep = 10, kFirst = 5;

const std::vector<Changed>& Changes() {
  static const std::vector<Changed> changes = {
      {"shifted 3 %", "crop=iw*0.97:ih*0.97:0:ih*0.03", ""},
      {"shifted 7 %", "crop=iw*0.93:ih*0.95:iw*0.07:0", ""},
      {"cropped 8 %", "crop=iw*0.92:ih*0.92", ""},
      {"cropped 12 %", "crop=iw*0.88:ih*0.88", ""},
      {"brighter", "eq=brightness=0.08", ""},
      {"darker", "eq=brightness=-0.08:contrast=0.9", ""},
      {"gamma 1.25", "eq=gamma=1.25", ""},
      {"gamma 0.8", "eq=gamma=0.8", ""},
      {"smaller", "scale=360:-2", ""},
      {"JPEG anew", "", "-c:v mjpeg -q:v 28"},
      {"cropped, darker, H.264 anew", "crop=iw*0.94:ih*0.94,eq=gamma=0.85,scale=480:-2",
       "-c:v libx264 -preset veryfast -crf 34"},
  };
  return changes;
}

double CpuSeconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Pairs {
  size_t same = 0, other = 0;              // that there are
  size_t same_found = 0, other_found = 0;  // that were called duplicates
  double recall() const {
    return same == 0 ? 0 : static_cast<double>(same_found) / static_cast<double>(same);
  }
  double precision() const {
    const size_t found = same_found + other_found;
    return found == 0 ? 0 : static_cast<double>(same_found) / static_cast<double>(found);
  }
};

// The cluster of a moment that comes as a clip of its own.
class Catalog {
 public:
  uint64_t Add(const char* camera, const Moment& moment, double late) {
    media_.pts = 0;
    media_.phash = moment.phash;
    media_.grid = moment.grid;
    const auto seconds = moment.seconds + late;
    const double begun = CpuSeconds();
    const std::string clip = rig_.AddClip({.camera = camera,
                                           .sequence = ++sequence_,
                                           .fired_ns = kBegin + static_cast<int64_t>(seconds * 1e9),
                                           .frames = {media_}});
    seconds_ += CpuSeconds() - begun;
    return rig_
        .Read<std::optional<uint64_t>>([&](cloud::Sql& sql) {
          return cloud::ClusterOf(sql, {.clip = clip, .camera = camera, .pts = 0});
        })
        .value();
  }
  double ms_a_frame() const { return 1e3 * seconds_ / static_cast<double>(sequence_); }

 private:
  TemporaryFolder folder_;
  cloud::SimilarRig rig_{folder_ / ""};
  cloud::media::ChosenFrame media_;
  uint64_t sequence_ = 0;
  double seconds_ = 0;
};

void Run(Reporter& reporter) {
  Catalog catalog;
  Pairs ours, hash;
  std::map<std::string, Pairs> by_change;
  const auto is_near = [](const Moment& a, const Moment& b) {
    return std::popcount(a.phash ^ b.phash) <= kHashBits;
  };
  for (const Film& film : kFilms) {
    fmt::print(stderr, "{}\n", film.name);
    const auto moments = Moments(film.name, kFirst, kStep, film.rate, {});
    std::vector<std::vector<Moment>> changed;
    for (const Changed& change : Changes()) {
      changed.push_back(Moments(film.name, kFirst, kStep, film.rate, change));
      if (changed.back().size() != moments.size()) {
        throw std::runtime_error(fmt::format("{}: {} of {} frames are left when {}", film.name,
                                             changed.back().size(), moments.size(), change.name));
      }
    }
    std::vector<uint64_t> clusters;
    for (size_t i = 0; i < moments.size(); ++i) {
      clusters.push_back(catalog.Add(film.camera, moments[i], 0));
      for (size_t c = 0; c < changed.size(); ++c) {
        const Moment& form = changed[c][i];
        const uint64_t cluster = catalog.Add(film.camera, form, 0.01 * static_cast<double>(c + 1));
        for (Pairs* pairs : {&ours, &by_change[Changes()[c].name]}) {
          ++pairs->same;
          pairs->same_found += cluster == clusters[i] ? 1 : 0;
        }
        ++hash.same;
        hash.same_found += is_near(moments[i], form) ? 1 : 0;
      }
    }
    for (size_t i = 0; i < moments.size(); ++i) {
      for (size_t j = i + 1; j < moments.size(); ++j) {
        if (moments[j].seconds - moments[i].seconds < kApart ||
            VisiblyChanged(moments[i], moments[j]) < kLeastChange) {
          continue;
        }
        ++ours.other;
        ours.other_found += clusters[i] == clusters[j] ? 1 : 0;
        ++hash.other;
        hash.other_found += is_near(moments[i], moments[j]) ? 1 : 0;
      }
    }
  }
  const auto tell = [&](const char* figure, double value, const char* unit, double peer,
                        const char* goal, const std::string& of = "") {
    reporter.Add({.bench = "duplicates",
                  .figure = figure,
                  .value = value,
                  .unit = unit,
                  .peer = peer == 0 ? "" : "phash",
                  .peer_value = peer,
                  .goal = peer == 0 ? goal : "",
                  .of = of});
  };
  tell("duplicate_precision", ours.precision(), "", 0, ">= 0.95");
  tell("duplicate_recall", ours.recall(), "", 0, ">= 0.90");
  tell("duplicate_precision", ours.precision(), "", hash.precision(), "");
  tell("duplicate_recall", ours.recall(), "", hash.recall(), "");
  for (const auto& [name, pairs] : by_change)
    tell("duplicate_recall", pairs.recall(), "", 0, "", name);
  tell("pairs_same", static_cast<double>(ours.same), "pairs", 0, "");
  tell("pairs_other", static_cast<double>(ours.other), "pairs", 0, "");
  tell("pairs_other_joined", static_cast<double>(ours.other_found), "pairs",
       static_cast<double>(hash.other_found), "");
  tell("duplicate_cpu_ms", catalog.ms_a_frame(), "ms", 0, "");
}

constexpr std::string_view kHelp = R"(bench_duplicates [--json]

Puts real frames, changed forms of them and other moments of the same scenes into a catalog and
says which of them its clusters of near-duplicates hold together. Figures: duplicate_precision,
duplicate_recall (also by change), pairs_same, pairs_other, pairs_other_joined, duplicate_cpu_ms.
)";

}  // namespace
}  // namespace gleaner::bench

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--help" || std::string_view(argv[i]) == "-h") {
      fmt::print("{}", gleaner::bench::kHelp);
      return 0;
    }
  }
  if (!gleaner::InitLogging("bench_duplicates", "error").ok()) return 2;
  gleaner::bench::Reporter reporter(argc, argv);
  try {
    gleaner::bench::Run(reporter);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_duplicates: {}\n", error.what());
    return 1;
  }
  return 0;
}
