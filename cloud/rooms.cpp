#include "cloud/rooms.h"

#include "cloud/access/access_room.h"
#include "cloud/clips/clip_rows.h"
#include "cloud/curate/curate_room.h"
#include "cloud/database/tally.h"
#include "cloud/dataset/dataset_room.h"
#include "cloud/fleet/fleet_room.h"
#include "cloud/frames/frames_room.h"
#include "cloud/http/catalog_room.h"
#include "cloud/ingest/ingest_room.h"
#include "cloud/jobs/jobs_room.h"
#include "cloud/label/label_room.h"
#include "cloud/ledger/ledger.h"
#include "cloud/media/media_room.h"
#include "cloud/model/model_room.h"
#include "cloud/similar/similar_room.h"
#include "cloud/store/store_room.h"

namespace gleaner::cloud {

const std::vector<RoomEntry>& Rooms() {
  static const std::vector<RoomEntry> rooms = {
      {.tables = TallyTables()},
      StoreRoom(),
      {.tables = LedgerTables()},
      {.tables = ClipTables(), .naming = {ObjectNames()}},
      IngestRoom(),
      AccessRoom(),
      JobsRoom(),
      MediaRoom(),
      FramesRoom(),
      SimilarRoom(),
      LabelRoom(),
      ModelRoom(),
      CurateRoom(),
      DatasetRoom(),
      FleetRoom(),
      CatalogRoom(),
  };
  return rooms;
}

const StoreRooms& AllRooms() {
  static const StoreRooms all = [] {
    StoreRooms made;
    for (const RoomEntry& room : Rooms()) {
      if (!room.tables.room.empty()) made.tables.push_back(room.tables);
      made.naming.insert(made.naming.end(), room.naming.begin(), room.naming.end());
    }
    return made;
  }();
  return all;
}

}  // namespace gleaner::cloud
