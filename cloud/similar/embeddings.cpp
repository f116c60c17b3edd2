#include "cloud/similar/embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>

#include "cloud/database/tally.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

static_assert(std::endian::native == std::endian::little, "rows are little-endian");

constexpr float kFull = 32767;
constexpr std::string_view kTally = "embedding";

bool IsModelName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxEmbeddingModelBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

struct ModelRow {
  uint64_t number = 0;
  size_t dims = 0;
};

std::optional<ModelRow> FindModel(Sql& sql, std::string_view name) {
  ModelRow row;
  if (!sql.Query("SELECT number, dims FROM embedding_model WHERE name = :name", In(name),
                 Out(row.number, row.dims), [] {})) {
    return std::nullopt;
  }
  return row;
}

// Where the tables have the frame.
struct Place {
  int64_t arrival = 0, position = 0;
};

std::optional<Place> FindPlace(Sql& sql, const FrameName& frame) {
  Place place;
  if (!sql.Query(
          "SELECT frame.arrival, frame.position FROM clip JOIN frame_video ON "
          "frame_video.arrival = clip.arrival JOIN frame ON frame.arrival = clip.arrival AND "
          "frame.position = frame_video.position WHERE clip.id = :clip AND "
          "frame_video.camera = :camera AND frame.pts = :pts",
          In(frame.clip, frame.camera, frame.pts), Out(place.arrival, place.position), [] {})) {
    return std::nullopt;
  }
  return place;
}

}  // namespace

absl::StatusOr<std::vector<float>> Normalized(std::span<const float> vector) {
  if (vector.empty() || vector.size() > kMaxEmbeddingDims) {
    return absl::InvalidArgumentError(fmt::format("an embedding of {} dimensions, must be 1 to {}",
                                                  vector.size(), kMaxEmbeddingDims));
  }
  double sum = 0;
  for (size_t i = 0; i < vector.size(); ++i) {
    if (!std::isfinite(vector[i])) {
      return absl::InvalidArgumentError(
          fmt::format("component {} of the embedding is {}, must be finite", i + 1, vector[i]));
    }
    sum += static_cast<double>(vector[i]) * vector[i];
  }
  if (sum == 0) return absl::InvalidArgumentError("the embedding is nothing but zeros");
  const double scale = 1 / std::sqrt(sum);
  std::vector<float> unit(vector.size());
  for (size_t i = 0; i < unit.size(); ++i) unit[i] = static_cast<float>(vector[i] * scale);
  return unit;
}

std::string PackEmbedding(std::span<const float> unit) {
  float largest = 0;
  for (const float one : unit) largest = std::max(largest, std::abs(one));
  const float step = largest / kFull;
  std::string bytes(sizeof(float) + unit.size() * sizeof(int16_t), '\0');
  std::memcpy(bytes.data(), &step, sizeof(step));
  for (size_t i = 0; i < unit.size(); ++i) {
    const auto value = static_cast<int16_t>(std::lround(step == 0 ? 0 : unit[i] / step));
    std::memcpy(bytes.data() + sizeof(step) + i * sizeof(value), &value, sizeof(value));
  }
  return bytes;
}

void UnpackEmbedding(std::string_view bytes, std::vector<float>* vector) {
  vector->clear();
  float step = 0;
  if (bytes.size() <= sizeof(step) || (bytes.size() - sizeof(step)) % sizeof(int16_t) != 0) return;
  std::memcpy(&step, bytes.data(), sizeof(step));
  vector->resize((bytes.size() - sizeof(step)) / sizeof(int16_t));
  for (size_t i = 0; i < vector->size(); ++i) {
    int16_t value = 0;
    std::memcpy(&value, bytes.data() + sizeof(step) + i * sizeof(value), sizeof(value));
    (*vector)[i] = static_cast<float>(value) * step;
  }
}

absl::Status PutEmbedding(Sql& sql, const FrameName& frame, std::string_view model,
                          std::span<const float> vector) {
  if (!IsModelName(model)) {
    return absl::InvalidArgumentError(
        fmt::format("a model's name is 1 to {} letters of printable ASCII without spaces",
                    kMaxEmbeddingModelBytes));
  }
  ASSIGN_OR_RETURN(const std::vector<float> unit, Normalized(vector));
  const std::optional<Place> place = FindPlace(sql, frame);
  if (!place) {
    return absl::NotFoundError(fmt::format("clip {} has no frame of camera {} at {}", frame.clip,
                                           frame.camera, frame.pts));
  }
  std::optional<ModelRow> row = FindModel(sql, model);
  if (row && row->dims != unit.size()) {
    return absl::InvalidArgumentError(
        fmt::format("an embedding of {} dimensions by model {}, whose others have {}: another "
                    "version of a model is another name",
                    unit.size(), model, row->dims));
  }
  if (!row) {
    sql.Run("INSERT INTO embedding_model (name, dims) VALUES (:name, :dims)",
            In(model, unit.size()));
    row = FindModel(sql, model);
  }
  uint64_t before = 0;
  if (sql.Query(
          "SELECT number FROM embedding WHERE arrival = :arrival AND position = :position AND "
          "pts = :pts AND model = :model",
          In(place->arrival, place->position, frame.pts, row->number), Out(before), [] {})) {
    sql.Run("DELETE FROM embedding WHERE number = :number", In(before));
  } else {
    Tally(sql, kTally, model, 1);
  }
  const std::string bytes = PackEmbedding(unit);
  sql.Run(
      "INSERT INTO embedding (model, arrival, position, pts, vector) VALUES (:model, :arrival, "
      ":position, :pts, :vector)",
      In(row->number, place->arrival, place->position, frame.pts, Bytes{bytes}));
  sql.Announce(kEmbeddingAdded, model);
  return absl::OkStatus();
}

std::vector<EmbeddingModel> ReadEmbeddingModels(Sql& sql) {
  std::vector<EmbeddingModel> all;
  EmbeddingModel one;
  sql.Query("SELECT name, dims FROM embedding_model ORDER BY name", In(), Out(one.name, one.dims),
            [&] { all.push_back(one); });
  for (EmbeddingModel& model : all) model.rows = ReadTally(sql, kTally, model.name);
  return all;
}

std::optional<EmbeddingModel> ReadEmbeddingModel(Sql& sql, std::string_view model) {
  const auto row = FindModel(sql, model);
  if (!row) return std::nullopt;
  return EmbeddingModel{
      .name = std::string(model), .dims = row->dims, .rows = ReadTally(sql, kTally, model)};
}

std::vector<float> ReadEmbedding(Sql& sql, const FrameName& frame, std::string_view model) {
  std::string bytes;
  BytesOut out{&bytes};
  sql.Query(
      "SELECT embedding.vector FROM clip JOIN frame_video ON frame_video.arrival = "
      "clip.arrival JOIN embedding ON embedding.arrival = clip.arrival AND "
      "embedding.position = frame_video.position JOIN embedding_model ON "
      "embedding_model.number = embedding.model WHERE clip.id = :clip AND frame_video.camera "
      "= :camera AND embedding.pts = :pts AND embedding_model.name = :model",
      In(frame.clip, frame.camera, frame.pts, model), Out(out), [] {});
  std::vector<float> vector;
  UnpackEmbedding(bytes, &vector);
  return vector;
}

void ReadEmbeddings(Sql& sql, std::string_view model, uint64_t after, size_t limit,
                    const std::function<void(uint64_t, std::span<const float>)>& each) {
  const auto row = FindModel(sql, model);
  if (!row) return;
  uint64_t number = 0;
  std::string bytes;
  BytesOut out{&bytes};
  std::vector<float> vector;
  sql.Query(
      "SELECT number, vector FROM embedding WHERE model = :model AND number > :after ORDER BY "
      "number LIMIT :limit",
      In(row->number, after, limit), Out(number, out), [&] {
        UnpackEmbedding(bytes, &vector);
        each(number, vector);
      });
}

std::vector<uint64_t> ReadEmbeddingNumbers(Sql& sql, std::string_view model, uint64_t after,
                                           size_t limit) {
  std::vector<uint64_t> numbers;
  const auto row = FindModel(sql, model);
  if (!row) return numbers;
  uint64_t number = 0;
  sql.Query(
      "SELECT number FROM embedding WHERE model = :model AND number > :after ORDER BY number "
      "LIMIT :limit",
      In(row->number, after, limit), Out(number), [&] { numbers.push_back(number); });
  return numbers;
}

void ReadEmbeddingsOf(Sql& sql, std::string_view model, const std::vector<std::string>& clips,
                      const std::function<void(const FrameName&, std::span<const float>)>& each) {
  const auto row = FindModel(sql, model);
  if (!row || clips.empty()) return;
  Parameters parameters;
  std::string query =
      "SELECT clip.id, frame_video.camera, embedding.pts, embedding.vector FROM clip JOIN "
      "embedding "
      "ON embedding.arrival = clip.arrival JOIN frame_video ON frame_video.arrival = "
      "embedding.arrival AND frame_video.position = embedding.position WHERE embedding.model = " +
      parameters.NextName();
  parameters.Add(static_cast<int64_t>(row->number));
  query += " AND clip.id IN (";
  for (size_t i = 0; i < clips.size(); ++i) {
    query += (i == 0 ? "" : ", ") + parameters.NextName();
    parameters.Add(clips[i]);
  }
  query += ")";
  FrameName name;
  std::string bytes;
  BytesOut out{&bytes};
  std::vector<float> vector;
  sql.QueryOnce(query, parameters, Out(name.clip, name.camera, name.pts, out), [&] {
    UnpackEmbedding(bytes, &vector);
    each(name, vector);
  });
}

void DropLostEmbeddings(Sql& sql, const CheckedClip& clip) {
  int64_t arrival = 0;
  if (!sql.Query("SELECT arrival FROM clip WHERE id = :id", In(clip.id), Out(arrival), [] {})) {
    return;
  }
  std::vector<uint64_t> lost;
  std::map<std::string, int64_t> by_model;
  uint64_t number = 0;
  std::string model;
  sql.Query(
      "SELECT embedding.number, embedding_model.name FROM embedding JOIN embedding_model ON "
      "embedding_model.number = embedding.model WHERE embedding.arrival = :arrival AND NOT "
      "EXISTS (SELECT 1 FROM frame WHERE frame.arrival = embedding.arrival AND frame.position "
      "= embedding.position AND frame.pts = embedding.pts)",
      In(arrival), Out(number, model), [&] {
        lost.push_back(number);
        ++by_model[model];
      });
  for (const uint64_t one : lost) {
    sql.Run("DELETE FROM embedding WHERE number = :number", In(one));
  }
  for (const auto& [name, count] : by_model) Tally(sql, kTally, name, -count);
}

}  // namespace gleaner::cloud
