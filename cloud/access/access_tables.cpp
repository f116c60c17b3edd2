#include "cloud/access/access_tables.h"

#include <array>

namespace gleaner::cloud {
namespace {

// token.revoked_ns: 0 while it is in use. session.token: the hash of the token that it was opened
// with, and with which it ends.
constexpr std::array<std::string_view, 1> kMigrations = {R"(
  CREATE TABLE token (
    number NUMBERED, name TEXT NOT NULL, role BIGINT NOT NULL, secret TEXT NOT NULL,
    created_ns BIGINT NOT NULL, created_by TEXT NOT NULL, last_used_ns BIGINT NOT NULL,
    revoked_ns BIGINT NOT NULL);
  CREATE UNIQUE INDEX token_secret ON token (secret);
  CREATE UNIQUE INDEX token_in_use ON token (name) WHERE revoked_ns = 0;
  CREATE TABLE session (
    secret TEXT NOT NULL PRIMARY KEY, token TEXT NOT NULL, begun_ns BIGINT NOT NULL,
    until_ns BIGINT NOT NULL);
  CREATE INDEX session_token ON session (token, begun_ns);
  CREATE INDEX session_until ON session (until_ns);
  CREATE TABLE audit (
    number NUMBERED, at_ns BIGINT NOT NULL, who TEXT NOT NULL, role BIGINT NOT NULL,
    what TEXT NOT NULL, subject TEXT NOT NULL);
  APPEND_ONLY audit;
)"};

}  // namespace

RoomTables AccessTables() {
  // A session is nobody's business but its browser's: it opens nothing from a backup.
  return {.room = "access", .migrations = kMigrations, .left_out = "DELETE FROM session;"};
}

}  // namespace gleaner::cloud
