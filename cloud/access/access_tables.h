// The tables of tokens, sessions and the audit.
#pragma once

#include "cloud/database/schema.h"

namespace gleaner::cloud {

RoomTables AccessTables();

}  // namespace gleaner::cloud
