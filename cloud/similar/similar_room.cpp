#include "cloud/similar/similar_room.h"

#include "cloud/similar/duplicates.h"
#include "cloud/similar/embeddings.h"
#include "cloud/similar/similar_service.h"

namespace gleaner::cloud {
namespace {

class LikenessOfFrames : public Room {
 public:
  explicit LikenessOfFrames(RoomContext& context)
      : indexes_(context.database, {}),
        frames_(context.database, indexes_, embedders_),
        service_(frames_, context.clock, context.words) {
    context.with_check.emplace_back(DropLostEmbeddings);
    context.with_check.emplace_back(JoinClusters);
  }

  std::vector<PeopleService> ForPeople() override {
    return {{v1::SimilarService::service_full_name(), &service_}};
  }
  std::vector<prometheus::MetricFamily> Metrics() override {
    prometheus::MetricFamily vectors{"gleaner_similar_index_vectors",
                                     "Embeddings in an index in memory, by model and kind.",
                                     prometheus::MetricType::Gauge,
                                     {}};
    prometheus::MetricFamily bytes{"gleaner_similar_index_bytes",
                                   "What an index takes of memory, by model and kind.",
                                   prometheus::MetricType::Gauge,
                                   {}};
    for (const LiveIndexes::Numbers& one : indexes_.numbers()) {
      prometheus::ClientMetric metric;
      metric.label = {{"model", one.model}, {"kind", std::string(one.kind)}};
      metric.gauge.value = static_cast<double>(one.vectors);
      vectors.metric.push_back(metric);
      metric.gauge.value = static_cast<double>(one.bytes);
      bytes.metric.push_back(metric);
    }
    const auto counter = [](const char* name, const char* help, uint64_t count) {
      prometheus::ClientMetric metric;
      metric.counter.value = static_cast<double>(count);
      return prometheus::MetricFamily{name, help, prometheus::MetricType::Counter, {metric}};
    };
    return {
        vectors, bytes,
        counter("gleaner_similar_searches_total",
                "How often frames that are like something were looked for.", frames_.searches()),
        counter("gleaner_similar_indexes_built_total",
                "How often an index was read anew from the catalog.", indexes_.built())};
  }
  void Stop() override { indexes_.Stop(); }

 private:
  // What can look at pictures that people give: nothing yet.
  const std::vector<Embedder> embedders_;
  LiveIndexes indexes_;
  SimilarFrames frames_;
  SimilarService service_;
};

}  // namespace

RoomEntry SimilarRoom() {
  return {.tables = SimilarTables(), .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<LikenessOfFrames>(context);
          }};
}

}  // namespace gleaner::cloud
