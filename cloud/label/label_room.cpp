#include "cloud/label/label_room.h"

#include "cloud/frames/frames.h"
#include "cloud/label/label_service.h"
#include "cloud/label/label_tables.h"
#include "cloud/label/label_words.h"
#include "cloud/label/said_classes.h"

namespace gleaner::cloud {
namespace {

class LabelsOfFrames : public Room {
 public:
  explicit LabelsOfFrames(RoomContext& context)
      : database_(context.database),
        frames_(context.database),
        service_(context.database, frames_, context.clock, context.words) {}

  std::vector<PeopleService> ForPeople() override {
    return {{v1::LabelService::service_full_name(), &service_}};
  }
  std::vector<FilterWord> FilterWords() override { return LabelWords(); }
  std::vector<JobKind> JobKinds() override { return {ClassesOfBefore(database_)}; }

 private:
  Database& database_;
  Frames frames_;
  LabelService service_;
};

}  // namespace

RoomEntry LabelRoom() {
  return {.tables = LabelTables(), .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<LabelsOfFrames>(context);
          }};
}

}  // namespace gleaner::cloud
