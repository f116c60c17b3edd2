// A way to a PostgreSQL on a socket that can lose the answer to a COMMIT: then what was committed
// is there, and whoever asked doesn't know.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "common/file.h"
#include "tests/data/temporary_folder.h"

namespace gleaner {

class PostgresProxy {
 public:
  // `name`: as TestDatabase gives it.
  explicit PostgresProxy(const std::string& name);
  ~PostgresProxy();

  // The same database by way of this.
  const std::string& name() const { return name_; }
  // The next COMMIT is done, and the connection ends without its answer.
  void LoseNextAnswer() { lose_next_ = true; }

 private:
  void Accept(const std::stop_token& stop);
  void Serve(const Fd& client, const std::stop_token& stop);
  // False if the connection is to end.
  bool PassOn(int client, int server);

  TemporaryFolder folder_;
  std::string server_, name_;
  Fd listener_;
  std::atomic<bool> lose_next_{false};
  std::vector<std::jthread> connections_;
  std::jthread accepting_;
};

}  // namespace gleaner
