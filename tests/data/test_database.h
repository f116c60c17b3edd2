// Which database a test works on: an SQLite file, or, where the environment says
// GLEANER_TEST_DATABASE=postgres, a PostgreSQL server that the test process starts for itself.
#pragma once

#include <string>

namespace gleaner {

bool OnPostgres();

// What Database::Open takes: `path` itself, or a database of PostgreSQL that is made for it and is
// the same for the same path, also in the processes that this one starts. The server runs on a
// socket in a temporary folder as long as the process that asked first; its locale doesn't sort by
// bytes, and it keeps nothing through a power cut.
std::string TestDatabase(const std::string& path);

}  // namespace gleaner
