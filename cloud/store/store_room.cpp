#include "cloud/store/store_room.h"

#include "cloud/store/store_metrics.h"

namespace gleaner::cloud {
namespace {

class Store : public Room {
 public:
  explicit Store(RoomContext& context) : names_(context.names) {}

  std::vector<prometheus::MetricFamily> Metrics() override { return StoreMetrics(names_); }

 private:
  BlobNames& names_;
};

}  // namespace

RoomEntry StoreRoom() {
  return {.tables = StoreTables(), .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<Store>(context);
          }};
}

}  // namespace gleaner::cloud
