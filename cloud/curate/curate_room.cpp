#include "cloud/curate/curate_room.h"

#include "cloud/curate/curate_service.h"
#include "cloud/curate/selection_rows.h"
#include "cloud/curate/selection_words.h"
#include "cloud/curate/selections.h"
#include "cloud/curate/selector.h"

namespace gleaner::cloud {
namespace {

class Curate : public Room {
 public:
  explicit Curate(RoomContext& context)
      : selector_(context.database, context.clock, context.words),
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
