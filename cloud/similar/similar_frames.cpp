#include "cloud/similar/similar_frames.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "cloud/frames/frame_facts.h"
#include "cloud/search/filter_sql.h"
#include "cloud/similar/duplicates.h"
#include "cloud/similar/embeddings.h"
#include "common/status.h"

namespace gleaner::cloud {

// What is looked for.
struct SimilarFrames::Query {
  std::string model;
  std::vector<float> unit;
  std::optional<FrameName> frame;
  uint64_t cluster = 0;  // the frame's
};

struct SimilarFrames::Found {
  FrameName name;
  uint64_t number = 0, cluster = 0;
  double score = 0;
};

namespace {

constexpr uint32_t kUsual = 20;
// Of the 8-bit candidates so many more than wanted are read: their order is right but for a
// thousandth.
constexpr size_t kSpare = 20;
// Where some of what is near isn't wanted (a filter, duplicates), so many are tried before the
// catalog is asked which may be at all.
constexpr size_t kTried = 500;

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  if (a.size() != b.size()) return sum;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return std::clamp(sum, -1.0, 1.0);
}

constexpr std::string_view kTables =
    "embedding JOIN embedding_model ON embedding_model.number = embedding.model JOIN clip ON "
    "clip.arrival = embedding.arrival JOIN frame_video ON frame_video.arrival = embedding.arrival "
    "AND frame_video.position = embedding.position JOIN frame ON frame.arrival = embedding.arrival "
    "AND frame.position = embedding.position AND frame.pts = embedding.pts";

absl::StatusOr<std::vector<uint64_t>> NumbersOf(Sql& sql, std::string_view model,
                                                const Filter& filter) {
  Parameters parameters;
  const std::string name = parameters.NextName();
  parameters.Add(model);
  ASSIGN_OR_RETURN(const std::string condition,
                   FilterCondition(sql, filter, FilterOf::kFrames, parameters));
  const std::string query = fmt::format(
      "SELECT embedding.number FROM {} WHERE embedding_model.name = {} AND ({}) ORDER BY "
      "embedding.number",
      kTables, name, condition);
  std::vector<uint64_t> numbers;
  uint64_t number = 0;
  sql.QueryOnce(query, parameters, Out(number), [&] { numbers.push_back(number); });
  return numbers;
}

}  // namespace

const Embedder* SimilarFrames::EmbedderOf(std::string_view model) const {
  const auto found = std::find_if(embedders_.begin(), embedders_.end(),
                                  [&](const Embedder& one) { return one.model == model; });
  return found == embedders_.end() ? nullptr : &*found;
}

absl::StatusOr<SimilarFrames::Query> SimilarFrames::Prepare(const v1::FindSimilarRequest& request) {
  const bool picture = request.like_case() == v1::FindSimilarRequest::kPicture;
  auto query = database_.Read([&](Sql& sql) -> absl::StatusOr<Query> {
    Query made{.model = request.model()};
    const std::vector<EmbeddingModel> models = ReadEmbeddingModels(sql);
    if (made.model.empty()) {
      uint64_t most = 0;
      for (const EmbeddingModel& one : models) {
        if (one.rows <= most || (picture && EmbedderOf(one.name) == nullptr)) continue;
        most = one.rows;
        made.model = one.name;
      }
    }
    const auto model = std::find_if(models.begin(), models.end(), [&](const EmbeddingModel& one) {
      return one.name == made.model;
    });
    if (model == models.end()) {
      if (!made.model.empty()) {
        return absl::NotFoundError(
            fmt::format("model: no frame has been looked at by {}", made.model));
      }
      return absl::FailedPreconditionError(
          models.empty() ? "no model has looked at any frame yet"
                         : "no model here can look at pictures; give a frame instead");
    }
    if (request.like_case() == v1::FindSimilarRequest::kFrame) {
      const v1::FrameId& id = request.frame();
      made.frame = FrameName{.clip = id.clip(), .camera = id.camera(), .pts = id.pts()};
      RETURN_IF_ERROR(ReadFrame(sql, *made.frame).status());
      made.unit = ReadEmbedding(sql, *made.frame, made.model);
      made.cluster = ClusterOf(sql, *made.frame).value_or(0);
      if (made.unit.empty()) {
        return absl::NotFoundError(fmt::format("frame: {} hasn't looked at it (yet)", made.model));
      }
    }
    if (request.like_case() == v1::FindSimilarRequest::kVector) {
      const auto& given = request.vector().components();
      if (static_cast<size_t>(given.size()) != model->dims) {
        return absl::InvalidArgumentError(
            fmt::format("vector: {} components, {} has {}", given.size(), made.model, model->dims));
      }
      auto unit = Normalized({given.data(), static_cast<size_t>(given.size())});
      if (!unit.ok()) return Annotate(unit.status(), "vector");
      made.unit = *std::move(unit);
    }
    return made;
  });
  if (!query.ok() || !picture) return query;
  const Embedder* embedder = EmbedderOf(query->model);
  if (embedder == nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("{} can't look at pictures here; give a frame instead", query->model));
  }
  ASSIGN_OR_RETURN(const std::vector<float> seen, embedder->embed(request.picture()));
  ASSIGN_OR_RETURN(query->unit, Normalized(seen));
  return query;
}

absl::StatusOr<std::vector<SimilarFrames::Found>> SimilarFrames::Read(
    Sql& sql, const Query& query, const Filter& filter, const std::vector<Hit>& hits,
    std::vector<uint64_t>* gone) const {
  std::vector<Found> all;
  if (hits.empty()) return all;
  Parameters parameters;
  std::string numbers;
  for (const Hit& hit : hits) {
    numbers += (numbers.empty() ? "" : ", ") + parameters.NextName();
    parameters.Add(static_cast<int64_t>(hit.id));
  }
  ASSIGN_OR_RETURN(const std::string condition,
                   FilterCondition(sql, filter, FilterOf::kFrames, parameters));
  const std::string text = fmt::format(
      "SELECT embedding.number, embedding.vector, clip.id, frame_video.camera, embedding.pts, "
      "COALESCE(duplicate_frame.cluster, 0) FROM {} LEFT JOIN duplicate_frame ON "
      "duplicate_frame.arrival = embedding.arrival AND duplicate_frame.position = "
      "embedding.position AND duplicate_frame.pts = embedding.pts WHERE embedding.number IN ({}) "
      "AND ({})",
      kTables, numbers, condition);
  Found one;
  std::string bytes;
  BytesOut out{&bytes};
  std::vector<float> vector;
  sql.QueryOnce(text, parameters,
                Out(one.number, out, one.name.clip, one.name.camera, one.name.pts, one.cluster),
                [&] {
                  UnpackEmbedding(bytes, &vector);
                  one.score = Cosine(query.unit, vector);
                  all.push_back(one);
                });
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
    return a.score != b.score ? a.score > b.score : a.number < b.number;
  });
  // What isn't found may also be what the filter leaves out.
  if (filter.empty() && all.size() < hits.size()) {
    std::set<uint64_t> there;
    for (const Found& found : all) there.insert(found.number);
    for (const Hit& hit : hits) {
      if (!there.contains(hit.id)) gone->push_back(hit.id);
    }
  }
  return all;
}

absl::StatusOr<v1::FindSimilarResponse> SimilarFrames::Find(const v1::FindSimilarRequest& request,
                                                            const Filter& filter) {
  if (request.limit() > kMaxSimilar) {
    return absl::InvalidArgumentError(
        fmt::format("limit is {}, must be 1 to {}", request.limit(), kMaxSimilar));
  }
  if (request.like_case() == v1::FindSimilarRequest::LIKE_NOT_SET) {
    return absl::InvalidArgumentError("like what: give frame, picture or vector");
  }
  if (request.picture().size() > kMaxPictureBytes) {
    return absl::InvalidArgumentError(fmt::format("picture: {} bytes, must be at most {}",
                                                  request.picture().size(), kMaxPictureBytes));
  }
  ASSIGN_OR_RETURN(const Query query, Prepare(request));
  ASSIGN_OR_RETURN(const auto index, indexes_.Get(query.model));
  ++searches_;
  const size_t limit = request.limit() == 0 ? kUsual : request.limit();
  const bool choosy = request.distinct() || !filter.empty();

  // Those that are wanted of what was found.
  const auto wanted = [&](std::vector<Found> found) {
    std::set<uint64_t> clusters;
    if (request.distinct() && query.cluster != 0) clusters.insert(query.cluster);
    std::vector<Found> kept;
    for (Found& one : found) {
      if (kept.size() == limit) break;
      if (query.frame && !Before(one.name, *query.frame) && !Before(*query.frame, one.name)) {
        continue;
      }
      if (request.distinct() && one.cluster != 0 && !clusters.insert(one.cluster).second) continue;
      kept.push_back(std::move(one));
    }
    return kept;
  };
  std::vector<uint64_t> gone;
  auto response = database_.Read([&](Sql& sql) -> absl::StatusOr<v1::FindSimilarResponse> {
    size_t count = 2 * limit + kSpare;
    if (choosy) count = std::max(count, kTried);
    const std::vector<Hit> hits = index->Search(query.unit, count);
    ASSIGN_OR_RETURN(std::vector<Found> near, Read(sql, query, filter, hits, &gone));
    std::vector<Found> kept = wanted(std::move(near));
    // Few of what is near: what may be is looked at whole.
    if (kept.size() < limit && hits.size() == count && !filter.empty()) {
      ASSIGN_OR_RETURN(const std::vector<uint64_t> may, NumbersOf(sql, query.model, filter));
      ASSIGN_OR_RETURN(std::vector<Found> all,
                       Read(sql, query, filter, index->SearchAmong(query.unit, may, count), &gone));
      kept = wanted(std::move(all));
    }
    v1::FindSimilarResponse answer;
    answer.set_model(query.model);
    for (const Found& one : kept) {
      ASSIGN_OR_RETURN(v1::Frame frame, ReadFrame(sql, one.name));
      v1::SimilarFrame* added = answer.add_frames();
      *added->mutable_frame() = std::move(frame);
      added->set_score(one.score);
      added->set_cluster(one.cluster);
    }
    return answer;
  });
  if (!gone.empty()) indexes_.Forget(query.model, gone);
  return response;
}

absl::StatusOr<v1::ListEmbeddingModelsResponse> SimilarFrames::ListModels() {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListEmbeddingModelsResponse> {
    v1::ListEmbeddingModelsResponse response;
    for (const EmbeddingModel& one : ReadEmbeddingModels(sql)) {
      v1::EmbeddingModel* model = response.add_models();
      model->set_name(one.name);
      model->set_dimensions(static_cast<uint32_t>(one.dims));
      model->set_frames(one.rows);
      model->set_looks_at_pictures(EmbedderOf(one.name) != nullptr);
    }
    return response;
  });
}

}  // namespace gleaner::cloud
