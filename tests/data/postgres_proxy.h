// A way to a PostgreSQL on a socket that can lose the answer to a COMMIT: then what was committed
// is there, and whoever asked doesn't know.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "tests/data/proxy.h"
#include "tests/data/temporary_folder.h"

namespace gleaner {

class PostgresProxy {
 public:
  // `name`: as TestDatabase gives it.
  explicit PostgresProxy(const std::string& name);

  // The same database by way of this.
  const std::string& name() const { return name_; }
  // The next COMMIT is done, and the connection ends without its answer.
  void LoseNextAnswer() { lose_next_ = true; }

 private:
  bool PassOn(Proxy::From from, std::string_view bytes, int client, int server);

  TemporaryFolder folder_;
  std::string name_;
  std::atomic<bool> lose_next_{false};
  std::unique_ptr<Proxy> proxy_;  // last: its threads use what stands above
};

}  // namespace gleaner
