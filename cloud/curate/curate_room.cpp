#include "cloud/curate/curate_room.h"

#include <fmt/format.h>

#include "cloud/curate/curate_service.h"
#include "cloud/curate/selection_rows.h"
#include "cloud/curate/selection_words.h"
#include "cloud/curate/selections.h"
#include "cloud/curate/selector.h"
#include "cloud/similar/duplicates.h"
#include "cloud/similar/embeddings.h"

namespace gleaner::cloud {
namespace {

// What the room of likeness knows.
Likeness LikenessOfFrames() {
  return {.usual_model =
              [](Sql& sql) {
                EmbeddingModel most;
                for (EmbeddingModel& model : ReadEmbeddingModels(sql)) {
                  if (model.rows > most.rows) most = std::move(model);
                }
                return most.name;
              },
          .check_model = [](Sql& sql, const std::string& model) -> absl::Status {
            if (ReadEmbeddingModel(sql, model)) return absl::OkStatus();
            return absl::NotFoundError(fmt::format("no frame has an embedding by {}", model));
          },
          .embeddings =
              [](Sql& sql, const std::string& model, const std::vector<std::string>& clips,
                 const std::function<void(const FrameName&, std::span<const float>)>& each) {
                ReadEmbeddingsOf(sql, model, clips, each);
              },
          .clusters =
              [](Sql& sql, const std::vector<std::string>& clips,
                 const std::function<void(const FrameName&, uint64_t)>& each) {
                ReadClustersOf(sql, clips, each);
              }};
}

class Curate : public Room {
 public:
  explicit Curate(RoomContext& context)
      : selector_(context.database, LikenessOfFrames(), context.clock, context.words),
        selections_(context.database, context.jobs, context.clock, context.words),
        service_(selections_, context.clock) {}

  std::vector<PeopleService> ForPeople() override {
    return {{v1::CurateService::service_full_name(), &service_}};
  }
  std::vector<FilterWord> FilterWords() override { return SelectionWords(); }
  std::vector<JobKind> JobKinds() override { return {selector_.Kind()}; }

 private:
  Selector selector_;
  Selections selections_;
  CurateService service_;
};

}  // namespace

RoomEntry CurateRoom() {
  return {.tables = CurateTables(),
          .naming = {},
          .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<Curate>(context);
          }};
}

}  // namespace gleaner::cloud
