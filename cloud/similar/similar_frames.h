// The frames that are like a frame, a picture or a direction: candidates of an index
// (live_indexes.h) put in order by the exact cosines of what the catalog has, in the read that
// also says what they are. What an index doesn't know yet or still has is the catalog's to say.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/frames/frames.h"
#include "cloud/search/filter.h"
#include "cloud/similar/embedder.h"
#include "cloud/similar/live_indexes.h"
#include "gleaner/v1/similar.pb.h"

namespace gleaner::cloud {

inline constexpr uint32_t kMaxSimilar = 100;
inline constexpr size_t kMaxPictureBytes = 700'000;

// Thread-safe; blocks.
class SimilarFrames {
 public:
  // All must outlive it; embedders may be added until it is first used.
  SimilarFrames(Database& database, LiveIndexes& indexes, const std::vector<Embedder>& embedders)
      : database_(database), indexes_(indexes), embedders_(embedders) {}

  // Errors: see similar.proto; what is wrong with the request's own fields is INVALID_ARGUMENT.
  absl::StatusOr<v1::FindSimilarResponse> Find(const v1::FindSimilarRequest& request,
                                               const Filter& filter);
  absl::StatusOr<v1::ListEmbeddingModelsResponse> ListModels();

  uint64_t searches() const { return searches_; }

 private:
  struct Query;
  struct Found;

  absl::StatusOr<Query> Prepare(const v1::FindSimilarRequest& request);
  const Embedder* EmbedderOf(std::string_view model) const;
  // Those of the hits that the filter finds, exactly, nearest first; `gone` gets numbers that are
  // no more.
  absl::StatusOr<std::vector<Found>> Read(Sql& sql, const Query& query, const Filter& filter,
                                          const std::vector<Hit>& hits,
                                          std::vector<uint64_t>* gone) const;

  Database& database_;
  LiveIndexes& indexes_;
  const std::vector<Embedder>& embedders_;
  std::atomic<uint64_t> searches_ = 0;
};

}  // namespace gleaner::cloud
