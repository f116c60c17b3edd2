#include "cloud/curate/pool_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "cloud/curate/guesses.h"
#include "cloud/curate/strategy/rng.h"
#include "cloud/curate/strategy/vectors.h"
#include "cloud/frames/frame_facts.h"
#include "cloud/label/frame_opinions.h"
#include "cloud/label/schemas.h"
#include "cloud/similar/duplicates.h"
#include "cloud/similar/embeddings.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint32_t kPage = 500;

std::string IdOf(const FrameName& name) {
  return fmt::format("{}/{}/{:020}", name.clip, name.camera, name.pts);
}

// By which most frames have an embedding; empty where none has one.
std::string UsualModel(Sql& sql) {
  EmbeddingModel most;
  for (EmbeddingModel& model : ReadEmbeddingModels(sql)) {
    if (model.rows > most.rows) most = std::move(model);
  }
  return most.name;
}

// Down to kPoolDimensions, by signs that are always the same.
class Projection {
 public:
  explicit Projection(size_t from) : from_(from) {
    if (from_ <= kPoolDimensions) return;
    Rng rng(kPoolDimensions);
    signs_.resize(from_ * kPoolDimensions);
    for (float& sign : signs_) sign = (rng.Next() >> 63) != 0 ? 1 : -1;
  }
  size_t size() const { return std::min(from_, kPoolDimensions); }
  void Apply(std::span<const float> vector, float* to) const {
    if (signs_.empty()) {
      std::copy(vector.begin(), vector.end(), to);
    } else {
      DotEach(vector.data(), signs_.data(), kPoolDimensions, from_, to);
    }
    Normalize(to, size());
  }

 private:
  const size_t from_;
  std::vector<float> signs_;  // kPoolDimensions rows
};

}  // namespace

class PoolReader::Attempt {
 public:
  Attempt(PoolReader& reader, const PoolOrder& order) : reader_(reader), order_(order) {}

  absl::StatusOr<ReadPool> Run(const std::stop_token& stop,
                               const std::function<void(size_t)>& read) {
    RETURN_IF_ERROR(reader_.database_.Read([&](Sql& sql) { return Begin(sql); }));
    RETURN_IF_ERROR(Walk(order_.filter, false, stop, read));
    if (!order_.known.empty()) RETURN_IF_ERROR(Walk(order_.known, true, stop, read));
    return End();
  }

 private:
  absl::Status Walk(const Filter& filter, bool beyond, const std::stop_token& stop,
                    const std::function<void(size_t)>& read) {
    const std::set<FrameName, decltype(&Before)> there(
        made_.names.begin(), beyond ? made_.names.end() : made_.names.begin(), &Before);
    v1::ListFramesRequest request;
    request.set_page_size(kPage);
    do {
      if (stop.stop_requested()) return absl::CancelledError("choosing was asked to end");
      ASSIGN_OR_RETURN(v1::ListFramesResponse page, reader_.frames_.List(request, filter));
      request.set_page_token(page.next_page_token());
      if (beyond) {
        auto& frames = *page.mutable_frames();
        frames.erase(
            std::remove_if(
                frames.begin(), frames.end(),
                [&](const v1::Frame& frame) {
                  return there.contains({frame.id().clip(), frame.id().camera(), frame.id().pts()});
                }),
            frames.end());
      }
      const size_t before = made_.pool.frames.size();
      AddFrames(page, beyond);
      RETURN_IF_ERROR(reader_.database_.Read([&](Sql& sql) {
        Describe(sql, before);
        return absl::OkStatus();
      }));
      // Of another schema: here it says nothing.
      if (beyond) {
        Keep([&](size_t i) { return i < before || made_.pool.frames[i].labelled; });
      }
      while (made_.pool.frames.size() > reader_.most_) Thin();
      read(made_.pool.frames.size());
    } while (!request.page_token().empty());
    return absl::OkStatus();
  }

  absl::Status Begin(Sql& sql) {
    ASSIGN_OR_RETURN(schema_, ReadSchema(sql, order_.schema));
    made_.embedding_model = order_.embedding_model;
    if (made_.embedding_model.empty()) {
      made_.embedding_model = UsualModel(sql);
    } else if (!ReadEmbeddingModel(sql, made_.embedding_model)) {
      return absl::NotFoundError(
          fmt::format("no frame has an embedding by {}", made_.embedding_model));
    }
    return absl::OkStatus();
  }

  void AddFrames(const v1::ListFramesResponse& page, bool beyond) {
    Pool& pool = made_.pool;
    for (const v1::Frame& frame : page.frames()) {
      if (frame.background() == v1::Frame::BACKGROUND_YES) {
        if (!beyond) made_.counts.set_background(made_.counts.background() + 1);
        continue;
      }
      found_ += beyond ? 0 : 1;
      FrameName name{frame.id().clip(), frame.id().camera(), frame.id().pts()};
      if (LotOf(name) > highest_) continue;
      PoolFrame one;
      one.id = IdOf(name);
      one.site = pool.words.Add(frame.site());
      one.device = pool.words.Add(frame.device());
      one.camera = pool.words.Add(frame.device() + "/" + frame.id().camera());
      one.taken_ns = frame.taken_unix_ns();
      one.beyond = beyond;
      pool.frames.push_back(std::move(one));
      made_.names.push_back(std::move(name));
    }
  }

  // What else is known of the frames from `from` on.
  void Describe(Sql& sql, size_t from) {
    Pool& pool = made_.pool;
    std::map<FrameName, size_t, decltype(&Before)> at(&Before);
    std::set<std::string> of;
    for (size_t i = from; i < made_.names.size(); ++i) {
      at.emplace(made_.names[i], i);
      of.insert(made_.names[i].clip);
    }
    const std::vector<std::string> clips(of.begin(), of.end());
    const auto find = [&](const FrameName& name) -> PoolFrame* {
      const auto found = at.find(name);
      return found == at.end() ? nullptr : &pool.frames[found->second];
    };
    ReadPredictionsOf(sql, clips, order_.schema, order_.model, [&](const FramePrediction& said) {
      if (PoolFrame* frame = find(said.frame)) {
        frame->guess = GuessOf(schema_, said.annotation, pool.words);
        frame->model = pool.words.Add(said.model);
      }
    });
    ReadLabelsOf(sql, clips, order_.schema, [&](const FrameLabel& said) {
      PoolFrame* frame = find(said.frame);
      if (frame == nullptr || !said.counts) return;
      frame->labelled = true;
      frame->label = pool.words.Add(ClassOf(schema_, said.annotation));
      frame->corrected =
          said.verdict == v1::Label::VERDICT_FIXED || said.verdict == v1::Label::VERDICT_REJECTED;
      frame->reviewed = frame->corrected || said.verdict == v1::Label::VERDICT_ACCEPTED;
      if (!said.model.empty()) frame->model = pool.words.Add(said.model);
    });
    ReadClustersOf(sql, clips, [&](const FrameName& name, uint64_t cluster) {
      if (PoolFrame* frame = find(name)) frame->cluster = cluster;
    });
    if (made_.embedding_model.empty()) return;
    const auto add = [&](const FrameName& name, std::span<const float> vector) {
      const auto found = at.find(name);
      if (found == at.end() || vector.empty()) return;
      if (!projection_) {
        projection_ = std::make_unique<Projection>(vector.size());
        full_size_ = vector.size();
        pool.dimensions = projection_->size();
      }
      if (vector.size() != full_size_) return;
      pool.embeddings.resize(pool.frames.size() * pool.dimensions, 0);
      projection_->Apply(vector, &pool.embeddings[found->second * pool.dimensions]);
    };
    ReadEmbeddingsOf(sql, made_.embedding_model, clips, add);
    if (projection_) pool.embeddings.resize(pool.frames.size() * pool.dimensions, 0);
  }

  uint64_t LotOf(const FrameName& name) const {
    return Rng::For(order_.seed, "sample " + IdOf(name)).Next();
  }

  // Half of the frames stay, by their lots: those that come later are held to the same.
  void Thin() {
    highest_ /= 2;
    Keep([&](size_t i) { return LotOf(made_.names[i]) <= highest_; });
  }

  // Those of which `stays` is true, which is asked of each before it moves.
  template <typename Stays>
  void Keep(Stays stays) {
    Pool& pool = made_.pool;
    size_t kept = 0;
    for (size_t i = 0; i < pool.frames.size(); ++i) {
      if (!stays(i)) continue;
      if (kept != i) {
        pool.frames[kept] = std::move(pool.frames[i]);
        made_.names[kept] = std::move(made_.names[i]);
        if (!pool.embeddings.empty()) {
          std::copy_n(pool.Embedding(i), pool.dimensions, &pool.embeddings[kept * pool.dimensions]);
        }
      }
      ++kept;
    }
    pool.frames.resize(kept);
    made_.names.resize(kept);
    if (!pool.embeddings.empty()) pool.embeddings.resize(kept * pool.dimensions);
  }

  ReadPool End() {
    const Pool& pool = made_.pool;
    std::set<uint64_t> clusters;
    v1::SelectionPool& counts = made_.counts;
    size_t read = 0;
    for (size_t i = 0; i < pool.frames.size(); ++i) {
      const PoolFrame& frame = pool.frames[i];
      if (frame.labelled) counts.set_labelled(counts.labelled() + 1);
      if (frame.beyond) continue;
      ++read;
      if (frame.cluster != 0) clusters.insert(frame.cluster);
      if (frame.guess.known()) counts.set_predicted(counts.predicted() + 1);
      if (pool.HasEmbedding(i)) counts.set_embedded(counts.embedded() + 1);
    }
    counts.set_frames(found_);
    counts.set_clusters(clusters.size());
    if (found_ > read) {
      made_.notes.push_back(
          fmt::format("chosen from a sample of {} of the {} frames", read, found_));
    }
    return std::move(made_);
  }

  PoolReader& reader_;
  const PoolOrder& order_;
  v1::LabelSchema schema_;
  ReadPool made_;
  std::unique_ptr<Projection> projection_;
  size_t full_size_ = 0;
  uint64_t found_ = 0;
  uint64_t highest_ = std::numeric_limits<uint64_t>::max();
};

absl::StatusOr<ReadPool> PoolReader::Read(const PoolOrder& order, const std::stop_token& stop,
                                          const std::function<void(size_t)>& read) {
  return Attempt(*this, order).Run(stop, read);
}

}  // namespace gleaner::cloud
