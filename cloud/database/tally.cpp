#include "cloud/database/tally.h"

#include <array>

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 1> kMigrations = {R"(
  CREATE TABLE counter (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);
  CREATE TABLE tally (
    dimension TEXT NOT NULL, value TEXT NOT NULL, clips BIGINT NOT NULL, bytes BIGINT NOT NULL,
    PRIMARY KEY (dimension, value));
)"};

}  // namespace

RoomTables TallyTables() { return {.room = "tally", .migrations = kMigrations}; }

void Tally(Sql& sql, std::string_view dimension, std::string_view value, int64_t clips,
           int64_t bytes) {
  sql.Run(
      "INSERT INTO tally (dimension, value, clips, bytes) VALUES (:dimension, :value, :clips, "
      ":bytes) ON CONFLICT (dimension, value) DO UPDATE SET clips = tally.clips + excluded.clips, "
      "bytes = tally.bytes + excluded.bytes",
      In(dimension, value, clips, bytes));
}

uint64_t ReadTally(Sql& sql, std::string_view dimension, std::string_view value, uint64_t* bytes) {
  uint64_t count = 0, size = 0;
  sql.Query("SELECT clips, bytes FROM tally WHERE dimension = :dimension AND value = :value",
            In(dimension, value), Out(count, size), [] {});
  if (bytes != nullptr) *bytes = size;
  return count;
}

uint64_t CountUp(Sql& sql, std::string_view counter, uint64_t by) {
  uint64_t value = 0;
  sql.Query(
      "INSERT INTO counter (name, value) VALUES (:name, :by) ON CONFLICT (name) DO UPDATE SET "
      "value = counter.value + excluded.value RETURNING value",
      In(counter, by), Out(value), [] {});
  return value;
}

}  // namespace gleaner::cloud
