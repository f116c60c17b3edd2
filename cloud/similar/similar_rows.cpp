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

  -- What is kept of a cluster's leader, and how many frames are in it.
  CREATE TABLE duplicate_cluster (
    number NUMBERED, device TEXT NOT NULL, camera TEXT NOT NULL, site TEXT NOT NULL,
    taken_ns BIGINT NOT NULL, phash BIGINT NOT NULL, grid BYTES NOT NULL, frames BIGINT NOT NULL);
  CREATE INDEX duplicate_cluster_camera ON duplicate_cluster (device, camera, taken_ns);
  CREATE INDEX duplicate_cluster_site ON duplicate_cluster (site, taken_ns);

  CREATE TABLE duplicate_frame (
    arrival BIGINT NOT NULL, position BIGINT NOT NULL, pts BIGINT NOT NULL,
    cluster BIGINT NOT NULL,
    PRIMARY KEY (arrival, position, pts));
  CREATE INDEX duplicate_frame_cluster ON duplicate_frame (cluster);
)"};

}  // namespace

RoomTables SimilarTables() { return {.room = "similar", .migrations = kMigrations}; }

}  // namespace gleaner::cloud
