// Reads what there is to choose from: the frames that a filter finds, and what is known of each.
//
// Holds at most Pool::kMaxFrames frames of kPoolDimensions numbers, about 300 MB: of more frames a
// sample is taken, by a hash of seed and frame, and longer embeddings are projected down
// (Johnson and Lindenstrauss: their likeness stays, to about 0.06).
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/curate/strategy/pool.h"
#include "cloud/database/database.h"
#include "cloud/frames/frames.h"
#include "cloud/search/filter.h"
#include "gleaner/v1/curate.pb.h"

namespace gleaner::cloud {

inline constexpr size_t kPoolDimensions = 256;

struct PoolOrder {
  Filter filter;
  // Finds frames with a label, of any schema: those that `filter` doesn't find are known all the
  // same. Empty: `filter` finds them.
  Filter known;
  std::string schema, model;
  std::string embedding_model;  // empty: the one that most frames have an embedding by
  uint64_t seed = 0;
};

struct ReadPool {
  Pool pool;
  std::vector<FrameName> names;  // of the pool's frames
  v1::SelectionPool counts;
  std::string embedding_model;  // that was used; empty: there is none
  std::vector<std::string> notes;
};

class PoolReader {
 public:
  // The database must outlive it. `most`: frames of a pool.
  explicit PoolReader(Database& database, size_t most = Pool::kMaxFrames)
      : database_(database), frames_(database), most_(most) {}

  // NOT_FOUND without such a schema or embedding model; CANCELLED on a stop. `read` is told how
  // many frames there are so far.
  absl::StatusOr<ReadPool> Read(const PoolOrder& order, const std::stop_token& stop,
                                const std::function<void(size_t frames)>& read);

 private:
  class Attempt;

  Database& database_;
  Frames frames_;
  const size_t most_;
};

}  // namespace gleaner::cloud
