// A connection to a PostgreSQL server, by libpqxx.
//
// One writer at a time, over all servers that share the database: a writing transaction takes an
// advisory lock first, so that what rooms do is as safe there as on SQLite, whose file has one
// writer anyway. Group commit (database.h) makes that cheap. Text compares byte by byte (COLLATE
// "C"), whatever the database's locale.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "cloud/database/connection.h"

namespace gleaner::cloud {

// Whether `connection` names a PostgreSQL database: postgresql://… or postgres://….
bool IsPostgres(std::string_view connection);

// The same without its password, for logs and errors.
std::string WithoutPassword(std::string_view connection);

// `connection`: a URI as libpq reads it, https://www.postgresql.org/docs/15/libpq-connect.html.
// Durable: a commit is on the server's disk when it returns; a session for which that is switched
// off is switched on. Throws SqlError, kLost when nobody answers within 10 s; also for a database
// that isn't UTF-8, or a server before version 15.
std::unique_ptr<Connection> ConnectPostgres(const std::string& connection);

// Calls `listening` once it is connected, then `heard` with each text that a committed transaction
// has told by Connection::Notify; on this thread, until `stop`. Throws SqlError when the connection
// fails.
void ListenOnPostgres(const std::string& connection, const std::stop_token& stop,
                      const std::function<void()>& listening,
                      const std::function<void(const std::string& text)>& heard);

}  // namespace gleaner::cloud
