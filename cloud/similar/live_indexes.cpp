#include "cloud/similar/live_indexes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "cloud/similar/embeddings.h"
#include "cloud/similar/graph_index.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kPage = 2'000;
constexpr size_t kNumbersPage = 100'000;
constexpr size_t kGraphStep = 200;
// So many rows may be gone without a look for them.
constexpr size_t kBearablyGone = 1'000;

absl::Status Stopping() { return absl::CancelledError("the server is stopping"); }

}  // namespace

LiveIndexes::LiveIndexes(Database& database, const Options& options)
    : database_(database),
      options_(options),
      follower_([this](const std::stop_token& stop) { Follow(stop); }) {}

LiveIndexes::~LiveIndexes() { Stop(); }

void LiveIndexes::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  follower_.request_stop();
  changed_.notify_all();
  if (follower_.joinable()) follower_.join();
}

absl::StatusOr<std::shared_ptr<const VectorIndex>> LiveIndexes::Get(const std::string& model) {
  const auto known = database_.Read([&](Sql& sql) -> absl::StatusOr<EmbeddingModel> {
    const auto found = ReadEmbeddingModel(sql, model);
    if (found) return *found;
    return absl::NotFoundError(fmt::format("no frame has an embedding by a model {}", model));
  });
  if (!known.ok()) return known.status();
  std::unique_lock lock(mutex_);
  std::shared_ptr<Live>& entry = live_[model];
  if (entry == nullptr) {
    entry = std::make_shared<Live>();
    entry->dims = known->dims;
    entry->scan = std::make_shared<ScanIndex>(known->dims);
    entry->index = entry->scan;
    ++built_;
  }
  const std::shared_ptr<Live> live = entry;
  live->last_use = ++uses_;
  const uint64_t ticket = ++live->asked;
  changed_.notify_all();
  changed_.wait_for(lock, std::chrono::nanoseconds(options_.patience_ns),
                    [&] { return stopped_ || live->answered >= ticket; });
  if (stopped_) return Stopping();
  if (live->answered < ticket) {
    return absl::FailedPreconditionError(
        fmt::format("what is like what by {} is still being read: {:.0f} % of {} frames; ask again "
                    "soon",
                    model, 100 * live->progress, known->rows));
  }
  if (!live->trouble.ok()) return live->trouble;
  return live->index;
}

void LiveIndexes::Forget(const std::string& model, const std::vector<uint64_t>& numbers) {
  std::shared_ptr<VectorIndex> index, graph;
  {
    std::lock_guard lock(mutex_);
    const auto found = live_.find(model);
    if (found == live_.end()) return;
    index = found->second->index;
    graph = found->second->graph;
  }
  for (const uint64_t number : numbers) {
    index->Remove(number);
    if (graph != nullptr) graph->Remove(number);
  }
}

std::vector<LiveIndexes::Numbers> LiveIndexes::numbers() const {
  std::vector<Numbers> all;
  std::lock_guard lock(mutex_);
  for (const auto& [model, live] : live_) {
    all.push_back(
        {.model = model,
         .kind = live->scan != nullptr ? "scan" : "graph",
         .vectors = live->index->size(),
         .bytes = live->index->bytes() + (live->graph == nullptr ? 0 : live->graph->bytes())});
  }
  return all;
}

uint64_t LiveIndexes::built() const {
  std::lock_guard lock(mutex_);
  return built_;
}

void LiveIndexes::Follow(const std::stop_token& stop) {
  const auto busy = [](const Live& live) {
    return live.answered < live.asked || live.graph != nullptr;
  };
  while (!stop.stop_requested()) {
    std::vector<std::pair<std::string, std::shared_ptr<Live>>> work;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [&] {
        return std::any_of(live_.begin(), live_.end(),
                           [&](const auto& one) { return busy(*one.second); });
      });
      if (stop.stop_requested()) return;
      for (const auto& [model, live] : live_) {
        if (busy(*live)) work.emplace_back(model, live);
      }
    }
    // By turns, so that one that is being built doesn't hold up the others.
    for (const auto& [model, live] : work) Step(model, live);
  }
}

void LiveIndexes::Step(const std::string& model, const std::shared_ptr<Live>& live) {
  uint64_t asked = 0;
  {
    std::lock_guard lock(mutex_);
    asked = live->asked;
  }
  bool more_rows = false;
  absl::Status read;
  try {
    if (live->answered < asked) read = ReadPage(model, live.get(), &more_rows);
    if (read.ok() && !more_rows) GrowGraph(live.get());
  } catch (const std::bad_alloc&) {
    read = absl::FailedPreconditionError(
        fmt::format("there is no memory to look for what is like what by {}", model));
  }
  if (read.ok()) read = MakeRoom(model, *live);
  std::lock_guard lock(mutex_);
  live->trouble = read;
  if (!read.ok()) {
    // What there is of it goes; the next who asks begins it anew.
    const auto found = live_.find(model);
    if (found != live_.end() && found->second == live) live_.erase(found);
    live->graph = nullptr;
    LOG_WARN("similar: {}", Message(read));
  }
  if (!read.ok() || !more_rows) live->answered = asked;
  changed_.notify_all();
}

absl::Status LiveIndexes::ReadPage(const std::string& model, Live* live, bool* more) {
  struct Row {
    uint64_t number;
    std::vector<float> vector;
  };
  std::vector<Row> rows;
  uint64_t there = 0;
  const absl::Status read = database_.Read([&](Sql& sql) {
    const auto known = ReadEmbeddingModel(sql, model);
    there = known ? known->rows : 0;
    ReadEmbeddings(sql, model, live->last, kPage, [&](uint64_t number, std::span<const float> one) {
      if (one.size() == live->dims) rows.push_back({number, {one.begin(), one.end()}});
    });
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(read);
  for (const Row& row : rows) {
    live->index->Add(row.number, row.vector);
    live->last = row.number;
  }
  *more = rows.size() == kPage;
  const size_t size = live->index->size();
  if (!*more && size > there + there / 10 + kBearablyGone) Sweep(model, live);
  std::lock_guard lock(mutex_);
  live->progress =
      there == 0 ? 1 : std::min(1.0, static_cast<double>(size) / static_cast<double>(there));
  // From then on it is a graph that is wanted; those that come are in both meanwhile.
  if (!*more && live->scan != nullptr && live->graph == nullptr && size > options_.scan_limit) {
    live->graph = std::make_shared<GraphIndex>(live->dims, size + size / 4, GraphIndex::Options{});
    live->in_graph = 0;
    LOG_INFO("similar: {} has {} frames: a graph of them is being built", model, size);
  }
  return absl::OkStatus();
}

void LiveIndexes::Sweep(const std::string& model, Live* live) {
  // Whatever is between two numbers that are there, is not.
  uint64_t after = 0;
  std::vector<uint64_t> have;
  live->index->ForEachId([&](uint64_t id) { have.push_back(id); });
  auto next = have.begin();
  while (next != have.end()) {
    const auto there = database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<uint64_t>> {
      return ReadEmbeddingNumbers(sql, model, after, kNumbersPage);
    });
    if (!there.ok()) return;
    const bool end = there->size() < kNumbersPage;
    const uint64_t until = end ? have.back() : there->back();
    auto one = there->begin();
    for (; next != have.end() && *next <= until; ++next) {
      while (one != there->end() && *one < *next) ++one;
      if (one != there->end() && *one == *next) continue;
      live->index->Remove(*next);
      if (live->graph != nullptr) live->graph->Remove(*next);
    }
    if (end) break;
    after = until;
  }
}

void LiveIndexes::GrowGraph(Live* live) {
  if (live->graph == nullptr) return;
  auto& graph = static_cast<GraphIndex&>(*live->graph);
  const std::vector<ScanIndex::Row> rows = live->scan->RowsAfter(live->in_graph, kGraphStep);
  for (const ScanIndex::Row& row : rows) {
    graph.AddRow(row.id, row.axes.data());
    live->in_graph = row.id;
  }
  if (rows.size() == kGraphStep) return;
  std::lock_guard lock(mutex_);
  live->index = live->graph;
  live->graph = nullptr;
  live->scan = nullptr;
  LOG_INFO("similar: the graph of {} frames is built", live->index->size());
}

absl::Status LiveIndexes::MakeRoom(const std::string& model, const Live& live) {
  const auto bytes_of = [](const Live& one) {
    return one.index->bytes() + (one.graph == nullptr ? 0 : one.graph->bytes());
  };
  std::lock_guard lock(mutex_);
  const uint64_t own = bytes_of(live);
  if (own > options_.memory_bytes) {
    return absl::FailedPreconditionError(
        fmt::format("there are more frames by {} than there is memory for an index of them ({} MB)",
                    model, options_.memory_bytes / 1'000'000));
  }
  uint64_t all = own;
  for (const auto& [name, other] : live_) all += other.get() == &live ? 0 : bytes_of(*other);
  while (all > options_.memory_bytes) {
    auto oldest = live_.end();
    for (auto one = live_.begin(); one != live_.end(); ++one) {
      if (one->second.get() == &live) continue;
      if (oldest == live_.end() || one->second->last_use < oldest->second->last_use) oldest = one;
    }
    if (oldest == live_.end()) break;
    LOG_INFO("similar: the index of {} makes room for that of {}", oldest->first, model);
    all -= bytes_of(*oldest->second);
    oldest->second->answered = oldest->second->asked;
    oldest->second->graph = nullptr;
    live_.erase(oldest);
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
