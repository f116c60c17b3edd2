#include "tests/data/test_database.h"

#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cloud/database/postgres.h"
#include "common/digest.h"
#include "tests/data/temporary_folder.h"

namespace gleaner {
namespace {

constexpr const char* kVariable = "GLEANER_TEST_DATABASE";
constexpr const char* kPrograms = "/usr/lib/postgresql/15/bin";
constexpr int kTries = 600;

std::string Chosen() {
  const char* chosen = ::getenv(kVariable);
  return chosen == nullptr ? "" : chosen;
}

class PostgresServer {
 public:
  PostgresServer() {
    // It doesn't run as root.
    std::string as = "setpriv --pdeathsig QUIT";
    if (::geteuid() == 0) {
      const passwd* user = ::getpwnam("postgres");
      if (user == nullptr || ::chown(folder_.path().c_str(), user->pw_uid, user->pw_gid) != 0) {
        throw std::runtime_error("no user postgres: install the package postgresql");
      }
      as += " --reuid postgres --regid postgres --clear-groups";
    }
    const std::string data = folder_ / "data", log = folder_ / "log";
    const std::string init = fmt::format(
        "cd {} && {} {}/initdb -D {} -U gleaner -A trust -E UTF8 --locale=C.UTF-8 "
        "--locale-provider=icu --icu-locale=en-US --no-sync >{} 2>&1",
        folder_.path(), as, kPrograms, data, log);
    if (::system(init.c_str()) != 0) throw std::runtime_error("initdb failed: see " + log);
    const std::string command = fmt::format(
        "cd {} && exec {} {}/postgres -D {} -k {} -h '' -c fsync=off -c max_connections=200 >>{} "
        "2>&1",
        folder_.path(), as, kPrograms, data, folder_.path(), log);
    server_ = ::fork();
    if (server_ == 0) {
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < kTries; ++i) {
      try {
        (void)cloud::ConnectPostgres(Name("postgres"));
        return;
      } catch (const cloud::SqlError&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
    }
    throw std::runtime_error("PostgreSQL did not start: see " + log);
  }
  ~PostgresServer() {
    ::kill(server_, SIGQUIT);
    ::waitpid(server_, nullptr, 0);
  }
  std::string Name(std::string_view database) const {
    return fmt::format("postgresql://gleaner@/{}?host={}", database, folder_.path());
  }

 private:
  TemporaryFolder folder_;
  pid_t server_ = -1;
};

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
