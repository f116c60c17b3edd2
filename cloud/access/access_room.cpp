#include "cloud/access/access_room.h"

#include "cloud/access/access_service.h"
#include "cloud/access/access_tables.h"

namespace gleaner::cloud {
namespace {

class AccessDesk : public Room {
 public:
  explicit AccessDesk(RoomContext& context) : service_(context.database, context.tokens) {}

  std::vector<PeopleService> ForPeople() override {
    return {{v1::AccessService::service_full_name(), &service_}};
  }

 private:
  AccessService service_;
};

}  // namespace

RoomEntry AccessRoom() {
  return {.tables = AccessTables(), .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<AccessDesk>(context);
          }};
}

}  // namespace gleaner::cloud
