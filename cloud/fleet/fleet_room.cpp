#include "cloud/fleet/fleet_room.h"

#include <memory>

#include "cloud/fleet/device_events.h"
#include "cloud/fleet/fleet_service.h"

namespace gleaner::cloud {
namespace {

class Fleet : public Room {
 public:
  explicit Fleet(RoomContext& context)
      : devices_(context.database, context.config.fleet.offline_after_ns()),
        damage_(context.database),
        events_(std::make_shared<DeviceEvents>(context.events, context.clock,
                                               context.config.fleet.offline_after_ns())),
        service_(devices_, damage_, context.clock, OptionsOf(context.config)) {
    // Listeners stay as long as the database, which is longer than this room.
    context.database.Listen(std::string(kDeviceHeard),
                            [events = events_, &all = context.events](const std::string& device) {
                              device.empty() ? all.Reset() : events->OnHeard(device);
                            });
  }

  std::vector<grpc::Service*> ForDevices() override { return {&service_}; }

 private:
  FleetOptions OptionsOf(const ServerConfig& config) const {
    FleetOptions options = config.fleet;
    options.events = events_.get();
    return options;
  }

  Devices devices_;
  CameraDamage damage_;
  const std::shared_ptr<DeviceEvents> events_;
  FleetService service_;
};

}  // namespace

RoomEntry FleetRoom() {
  return {.tables = FleetTables(), .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<Fleet>(context);
          }};
}

}  // namespace gleaner::cloud
