#include "cloud/http/catalog_room.h"

#include "cloud/clips/clip_news.h"
#include "cloud/clips/clip_words.h"
#include "cloud/events/relay.h"
#include "cloud/http/catalog_service.h"

namespace gleaner::cloud {
namespace {

class Reading : public Room {
 public:
  explicit Reading(RoomContext& context)
      : clips_(context.database),
        devices_(context.database, context.config.fleet.offline_after_ns()),
        service_(context.database, clips_, devices_, context.clock, context.words) {
    Relay(context.database, kClipChanged, context.events, "clips", "id");
  }

  std::vector<PeopleService> ForPeople() override {
    return {{v1::CatalogService::service_full_name(), &service_}};
  }
  std::vector<FilterWord> FilterWords() override { return ClipWords(); }

 private:
  Clips clips_;
  Devices devices_;
  CatalogService service_;
};

}  // namespace

RoomEntry CatalogRoom() {
  return {.open = [](RoomContext& context) -> std::unique_ptr<Room> {
    return std::make_unique<Reading>(context);
  }};
}

}  // namespace gleaner::cloud
