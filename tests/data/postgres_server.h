// A PostgreSQL of the tests' own, on a socket in a temporary folder.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "tests/data/temporary_folder.h"

namespace gleaner {

// What is committed outlives the processes, however they end; texts don't sort by bytes. Goes with
// its owner. Throws std::runtime_error where it can't be had.
class PostgresServer {
 public:
  // In memory, and never synced.
  PostgresServer();
  // On the disk of `parent`, in a folder there that everybody may reach, and synced as it should
  // be.
  explicit PostgresServer(const std::string& parent);
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // As `kill -9` of its first process, or of all of them at once (an immediate shutdown); then
  // nobody can connect until Start, which goes on with what is in the folder.
  enum class How { kFirstProcess, kAll };
  void Kill(How how);
  void Start();

  // What Database::Open takes.
  std::string Name(std::string_view database) const;

 private:
  std::string As() const;
  bool Answers() const;

  void Make();

  TemporaryFolder folder_;
  const bool syncs_;
  pid_t server_ = -1;
};

}  // namespace gleaner
