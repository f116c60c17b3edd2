#include "tests/data/postgres_server.h"

#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "cloud/database/postgres.h"

namespace gleaner {
namespace {

constexpr const char* kPrograms = "/usr/lib/postgresql/15/bin";
constexpr int kTries = 600;

}  // namespace

PostgresServer::PostgresServer() : syncs_(false) { Make(); }
PostgresServer::PostgresServer(const std::string& parent) : folder_(parent), syncs_(true) {
  Make();
}

void PostgresServer::Make() {
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam("postgres");
    if (user == nullptr || ::chown(folder_.path().c_str(), user->pw_uid, user->pw_gid) != 0) {
      throw std::runtime_error("no user postgres: install the package postgresql");
    }
  }
  const std::string init = fmt::format(
      "cd {0} && {1} {2}/initdb -D {0}/data -U gleaner -A trust -E UTF8 --locale=C.UTF-8 "
      "--locale-provider=icu --icu-locale=en-US --no-sync >{0}/log 2>&1",
      folder_.path(), As(), kPrograms);
  if (::system(init.c_str()) != 0)
    throw std::runtime_error("initdb failed: see " + folder_ / "log");
  Start();
}

PostgresServer::~PostgresServer() { Kill(How::kAll); }

void PostgresServer::Kill(How how) {
  if (server_ < 0) return;
  ::kill(server_, how == How::kAll ? SIGQUIT : SIGKILL);
  ::waitpid(std::exchange(server_, -1), nullptr, 0);
}

void PostgresServer::Start() {
  const std::string command = fmt::format(
      "cd {0} && exec {1} {2}/postgres -D {0}/data -k {0} -h '' -c fsync={3} "
      "-c max_connections=200 >>{0}/log 2>&1",
      folder_.path(), As(), kPrograms, syncs_ ? "on" : "off");
  for (int i = 0; i < kTries; ++i) {
    // It doesn't start while processes are left of one that was killed.
    if (server_ > 0 && ::waitpid(server_, nullptr, WNOHANG) == server_) server_ = -1;
    if (server_ < 0) {
      server_ = ::fork();
      if (server_ == 0) {
        ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        ::_exit(127);
      }
    }
    if (Answers()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  throw std::runtime_error("PostgreSQL did not start: see " + folder_ / "log");
}

std::string PostgresServer::Name(std::string_view database) const {
  return fmt::format("postgresql://gleaner@/{}?host={}", database, folder_.path());
}

// It doesn't run as root.
std::string PostgresServer::As() const {
  const std::string as = "setpriv --pdeathsig QUIT";
  return ::geteuid() == 0 ? as + " --reuid postgres --regid postgres --clear-groups" : as;
}

bool PostgresServer::Answers() const {
  try {
    (void)cloud::ConnectPostgres(Name("postgres"));
    return true;
  } catch (const cloud::SqlError&) {
    return false;
  }
}

}  // namespace gleaner
