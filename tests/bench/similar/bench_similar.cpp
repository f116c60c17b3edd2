// What it costs to find frames that look alike, and whether they are found.
//
//   bench_similar [--json] [--rows N] [--dims N] [--queries N] [--without-hnswlib] [--help]
//
// A million vectors of 256 dimensions, made up from a seed as vectors.h says, and garments: the
// 784 pixels of Fashion-MNIST's 60,000 pictures (Debian's dataset-fashion-mnist), where they are
// there. Each query looks for the ten nearest by cosine, by turns with
//
//   ours        ScanIndex, thirty candidates, put in order by the exact cosine. In the product
//   those
//               thirty come out of the catalog with the frames they belong to; here out of
//               memory.
//   faiss_flat  IndexFlatIP of Debian's FAISS on one thread: exhaustive and exact, so its answer is
//               what recall is measured by.
//   hnswlib     a graph over 32-bit numbers, built for this processor
//
// all on one thread, one query at a time. cpu_ms_per_query is processor time of that thread, p50_ms
// by the clock. build_s is processor time over all threads. memory_mb: what the index takes.
// scan_gb_s: what our scan reads (the signs and two numbers of each vector, and the 8 bits of those
// that came near) by the processor time it takes, against memory_gb_s, adding up 64-bit numbers in
// order over 256 MB: a scan can't be faster than that.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "cloud/similar/graph_index.h"
#include "cloud/similar/scan_index.h"
#include "tests/bench/figure.h"
#include "tests/bench/similar/peers.h"
#include "tests/bench/similar/vectors.h"

namespace gleaner::bench {
namespace {

constexpr size_t kWanted = 10;
constexpr size_t kCandidates = 30;
constexpr uint64_t kSeed = 20'261'130;

double Seconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A line on standard error that is written anew, where a person looks on; a line each otherwise.
void Tell(const std::string& what) {
  static const bool looks_on = ::isatty(STDERR_FILENO) != 0;
  if (looks_on) {
    fmt::print(stderr, "\r\033[K{}", what);
  } else if (!what.empty()) {
    fmt::print(stderr, "{}\n", what);
  }
}

struct Cost {
  std::vector<double> cpu_ms, ms;
  size_t found = 0;
};

template <typename Search>
auto Measured(Cost* cost, const Search& search) {
  const double cpu = Seconds(CLOCK_THREAD_CPUTIME_ID);
  const double begun = Seconds(CLOCK_MONOTONIC);
  auto result = search();
  cost->ms.push_back(1e3 * (Seconds(CLOCK_MONOTONIC) - begun));
  cost->cpu_ms.push_back(1e3 * (Seconds(CLOCK_THREAD_CPUTIME_ID) - cpu));
  return result;
}

std::vector<uint64_t> InOrder(const VectorSet& set, const float* query,
                              const std::vector<cloud::Hit>& hits) {
  std::vector<std::pair<float, uint64_t>> exact;
  for (const cloud::Hit& hit : hits) {
    const float* row = set.row(hit.id - 1);
    exact.emplace_back(-std::inner_product(row, row + set.dims, query, 0.0F), hit.id - 1);
  }
  std::sort(exact.begin(), exact.end());
  std::vector<uint64_t> rows;
  for (size_t i = 0; i < std::min(kWanted, exact.size()); ++i) rows.push_back(exact[i].second);
  return rows;
}

size_t Common(const std::vector<uint64_t>& rows, const std::vector<uint64_t>& truth) {
  const std::set<uint64_t> all(truth.begin(), truth.end());
  return static_cast<size_t>(
      std::count_if(rows.begin(), rows.end(), [&](uint64_t row) { return all.contains(row); }));
}

// What memory gives to one thread that only reads.
double MemoryGbS() {
  std::vector<uint64_t> words((size_t{256} << 20) / sizeof(uint64_t), 1);
  double best = 0;
  volatile uint64_t sink = 0;
  for (int i = 0; i < 5; ++i) {
    const double begun = Seconds(CLOCK_THREAD_CPUTIME_ID);
    uint64_t sums[8] = {};
    for (size_t w = 0; w < words.size(); w += 8) {
      for (size_t k = 0; k < 8; ++k) sums[k] += words[w + k];
    }
    sink = sink + std::accumulate(sums, sums + 8, uint64_t{0});
    const double seconds = Seconds(CLOCK_THREAD_CPUTIME_ID) - begun;
    best = std::max(best, 1e-9 * static_cast<double>(words.size() * sizeof(uint64_t)) / seconds);
  }
  return best;
}

struct Options {
  size_t rows = 1'000'000, dims = 256, queries = 100;
  bool hnswlib = true;
};

void Measure(Reporter& reporter, const VectorSet& set, size_t queries, bool with_hnswlib,
             const std::string& goal_of_cpu) {
  const size_t rows = set.rows() - queries;
  const auto tell = [&](const char* figure, double value, const char* unit, const char* peer,
                        double peer_value, const std::string& goal) {
    reporter.Add({.bench = "similar",
                  .figure = figure,
                  .value = value,
                  .unit = unit,
                  .peer = peer,
                  .peer_value = peer_value,
                  .goal = goal,
                  .of = set.name});
  };
  struct Built {
    double seconds = 0;
    uint64_t bytes = 0;
  };
  Built ours_built, flat_built, graph_built;
  Tell(fmt::format("{}: {} vectors of {} dimensions; building", set.name, rows, set.dims));
  double begun = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  cloud::ScanIndex ours(set.dims);
  for (size_t i = 0; i < rows; ++i) ours.Add(i + 1, {set.row(i), set.dims});
  ours_built = {Seconds(CLOCK_PROCESS_CPUTIME_ID) - begun, ours.bytes()};

  const auto flat = FaissFlat();
  begun = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  flat->Build(set, rows, nullptr);
  flat_built = {Seconds(CLOCK_PROCESS_CPUTIME_ID) - begun, flat->bytes()};

  std::unique_ptr<Peer> graph;
  if (with_hnswlib) {
    // About the cheapest to build that reaches the recall.
    graph = Hnswlib(12, 80, 250, std::max(1U, std::thread::hardware_concurrency()));
    begun = Seconds(CLOCK_PROCESS_CPUTIME_ID);
    double told = 0;
    graph->Build(set, rows, [&](double done) {
      if (done < told) return;
      told = done + 0.05;
      Tell(fmt::format("{}: hnswlib is being built: {:.0f} %", set.name, 100 * done));
    });
    graph_built = {Seconds(CLOCK_PROCESS_CPUTIME_ID) - begun, graph->bytes()};
  }

  Cost of_ours, of_flat, of_graph;
  std::vector<std::vector<float>> cosines;
  double read = 0;
  for (size_t q = 0; q < queries; ++q) {
    if (q % 20 == 0) Tell(fmt::format("{}: query {} of {}", set.name, q, queries));
    const float* query = set.row(rows + q);
    std::vector<float> near;
    const auto truth = Measured(&of_flat, [&] { return flat->Search(query, kWanted, &near); });
    cosines.push_back(near);
    const auto got = Measured(&of_ours, [&] {
      return InOrder(set, query, ours.Search({query, set.dims}, kCandidates));
    });
    read += static_cast<double>(cloud::ScanIndex::last_read());
    of_ours.found += Common(got, truth);
    if (graph == nullptr) continue;
    const auto by_graph =
        Measured(&of_graph, [&] { return graph->Search(query, kWanted, nullptr); });
    of_graph.found += Common(by_graph, truth);
  }
  Tell("");
  const double all = static_cast<double>(kWanted * queries);
  const double read_bytes = static_cast<double>(rows) * (static_cast<double>(set.dims) / 8 + 8) +
                            read / static_cast<double>(queries) * static_cast<double>(set.dims);
  struct Against {
    const char* name;
    const Cost& cost;
    const Built& built;
  };
  std::vector<Against> peers = {{"faiss_flat", of_flat, flat_built}};
  if (graph != nullptr) peers.push_back({"hnswlib", of_graph, graph_built});
  for (const auto& [name, cost, built] : peers) {
    const bool is_flat = name == std::string_view("faiss_flat");
    tell("p50_ms", Median(of_ours.ms), "ms", name, Median(cost.ms), "");
    tell("cpu_ms_per_query", Median(of_ours.cpu_ms), "ms", name, Median(cost.cpu_ms),
         is_flat ? goal_of_cpu : "");
    tell("recall_at_10", static_cast<double>(of_ours.found) / all, "", name,
         is_flat ? 1 : static_cast<double>(cost.found) / all, is_flat ? ">= 0.95" : "");
    tell("build_s", ours_built.seconds, "s", name, built.seconds, "");
    tell("memory_mb", 1e-6 * static_cast<double>(ours_built.bytes), "MB", name,
         1e-6 * static_cast<double>(built.bytes), "");
  }
  tell("read_share", read / static_cast<double>(queries * rows), "", "", 0, "");
  tell("scan_gb_s", 1e-6 * read_bytes / Median(of_ours.cpu_ms), "GB/s", "memory_gb_s", MemoryGbS(),
       "");
  tell("intrinsic_dimension", IntrinsicDimension(cosines), "", "", 0, "");
}

void Run(Reporter& reporter, const Options& options) {
  Tell(fmt::format("making {} vectors of {} dimensions up", options.rows, options.dims));
  Measure(reporter, MadeUpVectors(options.rows + options.queries, options.dims, kSeed),
          options.queries, options.hnswlib, "<= 0.125");
  const VectorSet garments = Garments(options.queries);
  if (garments.rows() == 0) {
    Tell("garments are left out: the package dataset-fashion-mnist isn't installed");
    return;
  }
  Measure(reporter, garments, options.queries, options.hnswlib, "<= 0.125");
}

constexpr std::string_view kHelp =
    R"(bench_similar [--json] [--rows N] [--dims N] [--queries N] [--without-hnswlib]

Looks for the ten nearest of a million made-up vectors, and of the pixels of Fashion-MNIST's
pictures, by turns with FAISS' exhaustive search and with hnswlib. Figures: p50_ms,
cpu_ms_per_query, recall_at_10, build_s, memory_mb, read_share, scan_gb_s, intrinsic_dimension.
Takes some 6 minutes on two processors, nearly all of them hnswlib's build.
)";

}  // namespace
}  // namespace gleaner::bench

int main(int argc, char** argv) {
  gleaner::bench::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--help" || option == "-h") {
      fmt::print("{}", gleaner::bench::kHelp);
      return 0;
    }
    if (option == "--without-hnswlib") options.hnswlib = false;
    if (i + 1 == argc) break;
    const size_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (option == "--rows") options.rows = std::max<size_t>(value, 1'000);
    if (option == "--dims") options.dims = std::clamp<size_t>(value, 4, 4'096);
    if (option == "--queries") options.queries = std::clamp<size_t>(value, 1, 10'000);
  }
  gleaner::bench::Reporter reporter(argc, argv);
  try {
    gleaner::bench::Run(reporter, options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_similar: {}\n", error.what());
    return 1;
  }
  return 0;
}
