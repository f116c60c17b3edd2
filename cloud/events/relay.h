// What transactions announce, told as events: on every server, whichever made the change.
#pragma once

#include <string>
#include <string_view>

#include "cloud/database/database.h"
#include "cloud/events/events.h"

namespace gleaner::cloud {

// Publishes {"KEY":"TEXT"} on `topic` for each text that is announced as `announcement` (see
// Database::Listen). `events` must outlive the database.
void Relay(Database& database, std::string_view announcement, Events& events,
           std::string_view topic, std::string key);

}  // namespace gleaner::cloud
