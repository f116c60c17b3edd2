// [database] of the server's configuration: where the catalog is.
#pragma once

#include <string>

#include "common/config.h"

namespace gleaner::cloud {

// The URI of a PostgreSQL (postgres.h), from `url` or the file that `url_file` names; empty without
// either, for an SQLite file in the server's folder. Notes every mistake at its key.
std::string ReadDatabaseConfig(ConfigReader database);

}  // namespace gleaner::cloud
