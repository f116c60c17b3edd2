// What a list of clips and the numbers of the page's filter chips cost in a large catalog.
//
//   bench_catalog [--json] [--clips N] [--of sqlite|postgres]
//
// A catalog of a million clips, of 200 devices on 20 sites over 30 days, is made by the product
// (insert_rows_s: clips a second, 64 at a time, each with its manifest, its objects and its media
// check). Then the first page of eight filters, and the facets, are asked for by turns through the
// product and by hand (hand_sql.h) on the same data. The 99th percentile is over all filters
// together; each filter's own is told as well. The PostgreSQL is the tests' own: in memory, and
// without syncs, so its insert_rows_s is no promise.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <thread>

#include "cloud/clips/clip_words.h"
#include "cloud/database/postgres.h"
#include "cloud/search/filter.h"
#include "common/log.h"
#include "common/status.h"
#include "tests/bench/catalog/hand_sql.h"
#include "tests/bench/figure.h"
#include "tests/cloud/catalog/catalog_testing.h"

namespace gleaner::bench {
namespace {

constexpr int kDevices = 200;
constexpr int kSites = 20;
constexpr int kDays = 30;
constexpr int kThreads = 64;
constexpr int kTurns = 100;
constexpr int64_t kNow = 1'700'000'000 * kNanosPerSecond;
constexpr int64_t kDay = 86'400 * kNanosPerSecond;

void Must(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

double SecondsOf(const std::function<void()>& work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

// On a disk, so that a commit costs what it costs.
struct DiskFolder {
  DiskFolder() {
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp " + path);
  }
  ~DiskFolder() { std::filesystem::remove_all(path); }
  std::string path = "/var/tmp/gleaner-bench-XXXXXX";
};

double Percentile99(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() * 99 / 100];
}

// Clip `n` of so many: a fleet whose devices fire by turns.
cloud::TestClip ClipOf(uint64_t n, uint64_t clips) {
  static constexpr const char* kRules[] = {"motion", "motion", "motion", "weight", "barcode"};
  static constexpr const char* kCameras[] = {"front", "front", "basket"};
  const auto device = static_cast<int>(n % kDevices);
  cloud::TestClip clip = cloud::MakeTestClip(
      {.device = fmt::format("cart-{}", device),
       .site = fmt::format("store-{}", device % kSites),
       .rule = kRules[n / kDevices % 5],
       .camera = kCameras[n / kDevices % 3],
       .codec = device % 4 == 0 ? "hevc" : "h264",
       .sequence = n / kDevices + 1,
       .fired_ns =
           kNow - static_cast<int64_t>((clips - n) * (kDays * (kDay / 1000) / clips) * 1000),
       .preview = false});
  clip.upload.begun = false;  // it comes whole
  return clip;
}

// Clips a second.
double Fill(cloud::TestCatalog& catalog, uint64_t clips) {
  std::atomic<uint64_t> next = 0;
  const double seconds = SecondsOf([&] {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (uint64_t n = next++; n < clips; n = next++) {
          const cloud::TestClip clip = ClipOf(n, clips);
          Must(catalog.uploads.Commit(clip.upload, clip.manifest, kNow));
        }
      });
    }
  });
  // One clip in 500 failed its check; the newest few wait for theirs.
  std::vector<std::string> ids;
  std::string id;
  Must(catalog.database().Read([&](cloud::Sql& sql) {
    sql.Query("SELECT id FROM clip ORDER BY arrival", cloud::In(), cloud::Out(id),
              [&] { ids.push_back(id); });
    return absl::OkStatus();
  }));
  ids.resize(ids.size() - std::min<size_t>(ids.size(), 100));
  v1::MediaCheck ok, failed;
  ok.set_state(v1::MediaCheck::STATE_OK);
  failed.set_state(v1::MediaCheck::STATE_FAILED);
  failed.set_reason(v1::MediaCheck::REASON_FRAME_COUNT);
  for (size_t begin = 0; begin < ids.size(); begin += 1'000) {
    Must(catalog.database().Write([&](cloud::Sql& sql) -> absl::Status {
      for (size_t i = begin; i < std::min(ids.size(), begin + 1'000); ++i) {
        RETURN_IF_ERROR(cloud::RecordMediaCheck(sql, ids[i], i % 500 == 0 ? failed : ok, {}));
      }
      return absl::OkStatus();
    }));
  }
  return static_cast<double>(clips) / seconds;
}

struct Asked {
  const char* filter;
  const char* by_hand;  // the condition, with $1, $2, …
  std::vector<std::string> values;
  std::vector<bool> is_number;
};

const std::vector<Asked>& Questions() {
  static const std::string day_ago = std::to_string(kNow - kDay);
  static const std::vector<Asked> asked = {
      {"", "1 = 1", {}, {}},
      {"device:cart-17", "device = $1", {"cart-17"}, {false}},
      {"site:store-3", "site = $1", {"store-3"}, {false}},
      {"rule:weight", "rule = $1", {"weight"}, {false}},
      {"device:cart-17 rule:motion",
       "device = $1 AND rule = $2",
       {"cart-17", "motion"},
       {false, false}},
      {"site:store-3 after:1d",
       "site = $1 AND fired_ns >= $2",
       {"store-3", day_ago},
       {false, true}},
      {"media:failed", "media_state = 3", {}, {}},
      {"device:cart-3,cart-4 -rule:motion",
       "device IN ($1, $2) AND NOT rule = $3",
       {"cart-3", "cart-4", "motion"},
       {false, false, false}},
  };
  return asked;
}

constexpr const char* kColumns =
    "arrival, id, device, site, rule, camera, boot_id, sequence, fired_ns, committed_ns, "
    "duration_ns, size_bytes, frame_count, width, height, has_preview, priority, media_state, "
    "media_problem, media_reason, decoded_frames, damaged_frames, thumbnails";

std::vector<HandQuery> FirstPageByHand(const Asked& asked) {
  std::vector<HandQuery> queries = {
      {fmt::format("SELECT {} FROM clip WHERE {} ORDER BY arrival DESC LIMIT 61", kColumns,
                   asked.by_hand),
       asked.values, asked.is_number},
      {"SELECT arrival FROM clip ORDER BY arrival DESC LIMIT 1", {}, {}}};
  if (asked.values.empty() && asked.filter[0] == '\0') {
    queries.push_back({"SELECT clips FROM tally WHERE dimension = 'all' AND value = ''", {}, {}});
  } else {
    queries.push_back(
        {fmt::format("SELECT COUNT(*) FROM (SELECT 1 FROM clip WHERE {} LIMIT 10000) AS matches",
                     asked.by_hand),
         asked.values, asked.is_number});
  }
  return queries;
}

std::vector<HandQuery> FacetsByHand() {
  std::vector<HandQuery> queries;
  for (const char* dimension : {"device", "site", "rule"}) {
    queries.push_back({fmt::format("SELECT value, clips FROM tally WHERE dimension = '{}' AND "
                                   "clips > 0 ORDER BY clips DESC, value LIMIT 100",
                                   dimension),
                       {},
                       {}});
  }
  return queries;
}

struct Times {
  std::vector<double> ours, theirs;  // ms
  void Add(const Times& more) {
    ours.insert(ours.end(), more.ours.begin(), more.ours.end());
    theirs.insert(theirs.end(), more.theirs.begin(), more.theirs.end());
  }
};

Times ByTurns(const std::function<void()>& ours, const std::function<void()>& theirs) {
  Times times;
  for (int i = -5; i < kTurns; ++i) {  // a few to warm up
    const double mine = SecondsOf(ours), hand = SecondsOf(theirs);
    if (i < 0) continue;
    times.ours.push_back(1e3 * mine);
    times.theirs.push_back(1e3 * hand);
  }
  return times;
}

void Measure(Reporter& reporter, const std::string& of, uint64_t clips) {
  if (of == "postgres") ::setenv("GLEANER_TEST_DATABASE", "postgres", 1);
  const DiskFolder folder;
  const std::string path = folder.path + "/catalog.db";
  auto opened = cloud::OpenTestCatalog(path);
  Must(opened.status());
  cloud::TestCatalog& catalog = **opened;
  const auto tell = [&](const std::string& figure, double value, const char* unit, double peer,
                        const char* goal) {
    reporter.Add({.bench = "catalog",
                  .figure = figure,
                  .value = value,
                  .unit = unit,
                  .peer = peer == 0 ? "" : "hand_sql",
                  .peer_value = peer,
                  .goal = goal,
                  .of = of});
  };
  tell("insert_rows_s", Fill(catalog, clips), "clips/s", 0, "");
  if (of == "postgres") {
    cloud::ConnectPostgres(TestDatabase(path))->Script("VACUUM ANALYZE");  // as it does by itself
  }
  const auto hand =
      of == "postgres" ? OpenPostgresByHand(TestDatabase(path)) : OpenSqliteByHand(path);
  cloud::Vocabulary words;
  Must(words.Add(cloud::ClipWords()));
  Times all;
  for (const Asked& asked : Questions()) {
    const cloud::Filter filter =
        cloud::ParseFilter(asked.filter, kNow, words, cloud::FilterOf::kClips).value();
    uint64_t rows = 0;
    const std::vector<HandQuery> queries = FirstPageByHand(asked);
    const Times times = ByTurns(
        [&] {
          const auto page = catalog.clips.List({}, filter);
          Must(page.status());
          rows = static_cast<uint64_t>(page->clips_size());
        },
        [&] {
          // Both found the same: a page and one that tells of the next, the count, the newest.
          if (hand->Run(queries) < rows + 2) throw std::runtime_error(asked.filter);
        });
    tell(fmt::format("p99_ms[{}]", asked.filter), Percentile99(times.ours), "ms",
         Percentile99(times.theirs), "");
    all.Add(times);
  }
  tell("first_page_p99_ms", Percentile99(all.ours), "ms", Percentile99(all.theirs),
       "<= 1.3 and <= 20 ms");
  const Times facets = ByTurns(
      [&] {
        Must(catalog.database().Read([](cloud::Sql& sql) {
          v1::GetSummaryResponse summary;
          cloud::ReadClipSummary(sql, &summary);
          return absl::OkStatus();
        }));
      },
      [&] { hand->Run(FacetsByHand()); });
  tell("facets_p99_ms", Percentile99(facets.ours), "ms", Percentile99(facets.theirs),
       "<= 1.3 and <= 20 ms");
}

}  // namespace
}  // namespace gleaner::bench

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    fmt::print("bench_catalog [--json] [--clips N] [--of sqlite|postgres]\n");
    return 0;
  }
  uint64_t clips = 1'000'000;
  std::vector<std::string> backends = {"sqlite", "postgres"};
  for (int i = 1; i + 1 < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--clips") clips = std::strtoull(argv[i + 1], nullptr, 10);
    if (option == "--of") backends = {argv[i + 1]};
  }
  if (!gleaner::InitLogging("bench_catalog", "error").ok()) return 2;
  gleaner::bench::Reporter reporter(argc, argv);
  try {
    for (const std::string& of : backends) gleaner::bench::Measure(reporter, of, clips);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_catalog: {}\n", error.what());
    return 1;
  }
  return 0;
}
