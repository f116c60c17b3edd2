// What a server knows: every room's door to the database, made together.
#pragma once

#include <cstdint>

#include "cloud/clips/clips.h"
#include "cloud/database/database.h"
#include "cloud/fleet/camera_damage.h"
#include "cloud/fleet/devices.h"
#include "cloud/ingest/uploads.h"
#include "cloud/media/media_checks.h"
#include "cloud/store/blob_names.h"

namespace gleaner::cloud {

// Every room that has tables: a new one is a line in catalog.cpp.
const StoreRooms& AllRooms();

struct Catalog {
  // `database` must outlive it. See Devices for the other.
  Catalog(Database& database, int64_t offline_after_ns)
      : uploads(database),
        clips(database),
        checks(database),
        devices(database, offline_after_ns),
        damage(database) {
    uploads.Together(AskForMediaCheck);
  }

  Uploads uploads;
  Clips clips;
  MediaChecks checks;
  Devices devices;
  CameraDamage damage;
};

}  // namespace gleaner::cloud
