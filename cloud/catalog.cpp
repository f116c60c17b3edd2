#include "cloud/catalog.h"

#include "cloud/clips/clip_rows.h"
#include "cloud/database/tally.h"
#include "cloud/jobs/jobs.h"
#include "cloud/ledger/ledger.h"

namespace gleaner::cloud {

const StoreRooms& AllRooms() {
  static const StoreRooms rooms = {
      .tables = {TallyTables(), StoreTables(), LedgerTables(), ClipTables(), UploadTables(),
                 JobTables(), MediaTables(), FleetTables()},
      .naming = {ObjectNames(), ThumbnailNames()},
  };
  return rooms;
}

}  // namespace gleaner::cloud
