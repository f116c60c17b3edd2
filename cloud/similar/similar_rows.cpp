#include <array>

#include "cloud/similar/embeddings.h"

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 1> kMigrations = {R"(
  CREATE TABLE embedding_model (
    number NUMBERED, name TEXT NOT NULL, dims BIGINT NOT NULL);
  CREATE UNIQUE INDEX embedding_model_name ON embedding_model (name);

  -- vector: see PackEmbedding.
  CREATE TABLE embedding (
    number NUMBERED, model BIGINT NOT NULL, arrival BIGINT NOT NULL, position BIGINT NOT NULL,
    pts BIGINT NOT NULL, vector BYTES NOT NULL);
  CREATE UNIQUE INDEX embedding_frame ON embedding (arrival, position, pts, model);
  CREATE INDEX embedding_in_order ON embedding (model, number);
)"};

}  // namespace

RoomTables SimilarTables() { return {.room = "similar", .migrations = kMigrations}; }

}  // namespace gleaner::cloud
