#include "cloud/fleet/fleet_room.h"

#include "cloud/fleet/fleet_service.h"

namespace gleaner::cloud {
namespace {

class Fleet : public Room {
 public:
  explicit Fleet(RoomContext& context)
      : devices_(context.database, context.config.fleet.offline_after_ns()),
        damage_(context.database),
        service_(devices_, damage_, context.clock, context.config.fleet) {}

  std::vector<grpc::Service*> ForDevices() override { return {&service_}; }

 private:
  Devices devices_;
  CameraDamage damage_;
  FleetService service_;
};

}  // namespace

RoomEntry FleetRoom() {
  return {.tables = FleetTables(), .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<Fleet>(context);
          }};
}

}  // namespace gleaner::cloud
