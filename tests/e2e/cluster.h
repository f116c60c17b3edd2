// Many servers of one Gleaner on this machine: ingest on each of them, one PostgreSQL, one bucket
// of a radosgw that keeps its objects on the disk; and all of them can be killed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/data/pki.h"
#include "tests/data/postgres_server.h"
#include "tests/data/radosgw.h"
#include "tests/e2e/kept_folder.h"
#include "tests/e2e/page.h"
#include "tests/e2e/process.h"

namespace gleaner::e2e {

// Used by the thread that made it: what it starts goes with that thread.
class Cluster {
 public:
  // Starts all of it, the servers with `extra` in their environment, and waits until they are
  // ready. Needs HasRadosgw().
  Cluster(int servers, const Process::Environment& extra);

  // What is killed: a server by its number, or what they share.
  static constexpr int kDatabase = -1;
  static constexpr int kStore = -2;
  // Kills it and starts it again on what it had on the disk, without waiting until it is ready;
  // before that, waits until it is ready again after the last time.
  void KillAndStart(int part);
  // As systemd does: starts servers again that ended by themselves. One that served before, and
  // then ended for whatever others did, is a failure of the test.
  void Tend();
  // Everything answers.
  void UntilReady();

  // A server more, of the page and the API alone: what is there, seen by one that took in nothing.
  Page StartPage();

  TestPki& pki() { return pki_; }
  std::vector<int> grpc_ports() const;

 private:
  struct Server {
    int grpc_port;
    Page page;
    std::string name, config;
    std::unique_ptr<Process> process = nullptr;
    bool served = false;  // since it was started
  };

  Server Configure(const std::string& name, const std::string& role);
  void Start(Server& server, const Process::Environment& extra);
  static bool Serves(Server& server);

  const KeptFolder folder_;  // goes after all that writes in it
  const std::string directory_ = folder_.path();
  const Process::Environment extra_;
  TestPki pki_;
  PostgresServer database_;
  std::unique_ptr<Radosgw> store_;
  std::string shared_config_;
  std::vector<Server> servers_;
  std::unique_ptr<Server> page_;
};

}  // namespace gleaner::e2e
