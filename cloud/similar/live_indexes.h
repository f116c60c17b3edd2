// An index in memory for each model that is asked for, which follows the catalog.
//
// A thread of its own reads embeddings from the database by their numbers: all of them when a model
// is first asked for, and after that what has come since, whichever server wrote it. Whoever asks
// gets an index that has everything which was there when the asking began; while it isn't built
// yet, an error says how far it is. Nothing is kept on disk, so there is nothing to lose, to
// recover or to be out of step with the catalog.
//
// Rows that have gone are found out when somebody comes upon them (Forget), and, where they became
// many, by reading the numbers of all that are left.
//
// Bounded: all indexes together take Options::memory_bytes; where another is asked for, those that
// weren't for the longest time are given up. From scan_limit vectors on, a graph is built on the
// side, a few hundred vectors at a time between looks for news, and takes the scan's place when it
// is done.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/similar/scan_index.h"
#include "cloud/similar/vector_index.h"

namespace gleaner::cloud {

// Thread-safe.
class LiveIndexes {
 public:
  struct Options {
    uint64_t memory_bytes = uint64_t{2} << 30;
    uint64_t scan_limit = 1'000'000;
    // How long one who asks waits for an index that isn't built yet.
    int64_t patience_ns = 5'000'000'000;
  };

  // `database` must outlive it.
  LiveIndexes(Database& database, const Options& options);
  ~LiveIndexes();

  // With all embeddings of the model that were committed before. It stays usable while it is held.
  // FAILED_PRECONDITION: it is still being built, or there is no room for it; NOT_FOUND for a model
  // that is none; errors as Database; CANCELLED once it stops.
  absl::StatusOr<std::shared_ptr<const VectorIndex>> Get(const std::string& model);
  // Rows of these numbers are no more.
  void Forget(const std::string& model, const std::vector<uint64_t>& numbers);

  // Whoever waits gets CANCELLED, and so does whoever comes.
  void Stop();

  struct Numbers {
    std::string model;
    std::string_view kind;  // "scan" or "graph"
    size_t vectors = 0;
    uint64_t bytes = 0;
  };
  std::vector<Numbers> numbers() const;
  // How often one was built from nothing, since the start.
  uint64_t built() const;

 private:
  struct Live {
    size_t dims = 0;
    std::shared_ptr<VectorIndex> index;  // what is served
    std::shared_ptr<ScanIndex> scan;     // the same, where it is a scan
    std::shared_ptr<VectorIndex> graph;  // on its way; null until it is begun
    uint64_t in_graph = 0;               // the last number that it has
    uint64_t last = 0;                   // the last number that was read
    uint64_t asked = 0, answered = 0;    // looks for news: asked for, and done
    uint64_t last_use = 0;
    absl::Status trouble;  // of the last look
    double progress = 0;
  };

  void Follow(const std::stop_token& stop);
  // A page of rows, and a piece of the graph.
  void Step(const std::string& model, const std::shared_ptr<Live>& live);
  absl::Status ReadPage(const std::string& model, Live* live, bool* more);
  void Sweep(const std::string& model, Live* live);
  void GrowGraph(Live* live);
  // Gives up others' until this one has room; an error where even that isn't enough.
  absl::Status MakeRoom(const std::string& model, const Live& live);

  Database& database_;
  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool stopped_ = false;
  uint64_t uses_ = 0, built_ = 0;
  std::map<std::string, std::shared_ptr<Live>, std::less<>> live_;
  std::jthread follower_;
};

}  // namespace gleaner::cloud
