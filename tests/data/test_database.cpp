#include "tests/data/test_database.h"

#include <stdlib.h>

#include <mutex>

#include "cloud/database/postgres.h"
#include "common/digest.h"
#include "tests/data/postgres_server.h"

namespace gleaner {
namespace {

constexpr const char* kVariable = "GLEANER_TEST_DATABASE";

std::string Chosen() {
  const char* chosen = ::getenv(kVariable);
  return chosen == nullptr ? "" : chosen;
}

// Started by the first who asks; whoever this process starts finds it by the environment.
std::string ServerOf(std::string_view database) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (Chosen() == "postgres") {
    static PostgresServer server;
    ::setenv(kVariable, server.Name("@").c_str(), 1);
  }
  std::string name = Chosen();
  return name.replace(name.find("/@?") + 1, 1, database);
}

}  // namespace

bool OnPostgres() { return !Chosen().empty(); }

std::string TestDatabase(const std::string& path) {
  if (!OnPostgres()) return path;
  const std::string name = "t" + Hex(AsBytes(Sha256::Of(path))).substr(0, 16);
  const auto admin = cloud::ConnectPostgres(ServerOf("postgres"));
  try {
    admin->Script("CREATE DATABASE " + name);
  } catch (const cloud::SqlError&) {
    // It is there: this path's.
  }
  return ServerOf(name);
}

}  // namespace gleaner
