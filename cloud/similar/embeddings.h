// Embeddings of frames as rows: what a model says a frame looks like, a direction in so many
// dimensions. Two frames look alike where the cosine of their directions is near 1.
//
// A row is kept with a number that only rises, and is never changed: a new embedding of the frame
// by the same model is a new row in the place of the old one. So whoever keeps something in memory
// of all of them (vector_index.h), on whatever server, follows by asking for what is beyond the
// last number that it has seen, and finds out what has gone where it asks for a row that is no
// more.
//
// A component takes two bytes, fixed point with the vector's own scale: 2.5 kB a frame of 1280
// dimensions, less than its thumbnail. That is exact to 0.00002 of the largest component, so a
// cosine that is computed from it is called exact.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/database/schema.h"
#include "cloud/database/sql.h"
#include "cloud/frames/frames.h"
#include "cloud/media/checked_frames.h"

namespace gleaner::cloud {

RoomTables SimilarTables();

inline constexpr size_t kMaxEmbeddingDims = 4096;
inline constexpr size_t kMaxEmbeddingModelBytes = 128;

// Announced (Database::Listen) with the model's name when a frame was given an embedding.
inline constexpr std::string_view kEmbeddingAdded = "embedding.added";

// Of length 1. INVALID_ARGUMENT for what has no direction: nothing but zeros, more than
// kMaxEmbeddingDims dimensions or none, a component that isn't finite.
absl::StatusOr<std::vector<float>> Normalized(std::span<const float> vector);

// --- within a transaction; may throw SqlError

// What `model` says of the frame, in the place of what it said before; of any length, it is
// normalized here. `model` names it with its version: 1 to 128 letters of printable ASCII without
// spaces. Says before it changes anything: INVALID_ARGUMENT for a name or a vector that can't be,
// or of other dimensions than the model's first; NOT_FOUND without such a frame.
absl::Status PutEmbedding(Sql& sql, const FrameName& frame, std::string_view model,
                          std::span<const float> vector);

// A model that embeddings came from.
struct EmbeddingModel {
  std::string name;
  size_t dims = 0;
  uint64_t rows = 0;
};
// By name.
std::vector<EmbeddingModel> ReadEmbeddingModels(Sql& sql);
std::optional<EmbeddingModel> ReadEmbeddingModel(Sql& sql, std::string_view model);

// Of length 1. Empty where there is none.
std::vector<float> ReadEmbedding(Sql& sql, const FrameName& frame, std::string_view model);

// Those with a number above `after`, in ascending order, at most `limit`. A model that is none has
// none.
void ReadEmbeddings(Sql& sql, std::string_view model, uint64_t after, size_t limit,
                    const std::function<void(uint64_t number, std::span<const float>)>& each);
// Only their numbers.
std::vector<uint64_t> ReadEmbeddingNumbers(Sql& sql, std::string_view model, uint64_t after,
                                           size_t limit);
// Those of the frames of these clips, in no order. At most a thousand clips.
void ReadEmbeddingsOf(Sql& sql, std::string_view model, const std::vector<std::string>& clips,
                      const std::function<void(const FrameName&, std::span<const float>)>& each);

// As WithCheck (media/checked_frames.h), after the room of frames has written its rows: embeddings
// of frames that are no more go.
void DropLostEmbeddings(Sql& sql, const CheckedClip& clip);

// A row's bytes, and back: empty for what isn't a row's.
std::string PackEmbedding(std::span<const float> unit);
void UnpackEmbedding(std::string_view bytes, std::vector<float>* vector);

}  // namespace gleaner::cloud
