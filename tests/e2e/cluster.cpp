#include "tests/e2e/cluster.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "cloud/database/postgres.h"
#include "tests/data/free_port.h"
#include "tests/data/paths.h"
#include "tests/data/test_bucket.h"

namespace gleaner::e2e {
namespace {

// The store may be away for as long as it takes to start.
constexpr auto kReadyDeadline = std::chrono::seconds(120);

}  // namespace

Cluster::Cluster(int servers, const Process::Environment& extra) : extra_(extra) {
  pki_.Write(directory_);
  cloud::ConnectPostgres(database_.Name("postgres"))->Script("CREATE DATABASE fleet");
  std::filesystem::create_directory(directory_ + "/store");
  store_ = std::make_unique<Radosgw>(directory_ + "/store", Radosgw::KeptIn::kDisk);
  const cloud::s3::BucketOptions bucket = BucketOf(store_->endpoint(), directory_);
  shared_config_ =
      fmt::format(R"([tls]
ca = "{0}/ca.pem"
certificate = "{0}/server.pem"
key = "{0}/server.key"
[database]
url = "{1}"
[store]
kind = "s3"
endpoint = "{2}"
bucket = "{3}"
prefix = "{4}"
access_key = "{5}"
secret_key = "{6}"
)",
                  directory_, database_.Name("fleet"), bucket.endpoint, bucket.bucket,
                  bucket.prefix, bucket.credentials.access_key, bucket.credentials.secret_key);
  for (int i = 0; i < servers; ++i) {
    servers_.push_back(Configure(fmt::format("ingest-{}", i + 1), "ingest"));
  }
  // All at once: whichever comes first makes the tables.
  for (Server& server : servers_) Start(server, extra_);
  UntilReady();
}

Cluster::Server Cluster::Configure(const std::string& name, const std::string& role) {
  Server server{.grpc_port = FreeServerPort(),
                .page = Page(FreeServerPort()),
                .name = name,
                .config = fmt::format("{}/{}.toml", directory_, name)};
  std::ofstream(server.config) << fmt::format(R"([server]
data_dir = "{}/{}"
role = "{}"
[grpc]
listen = "127.0.0.1:{}"
[http]
listen = "127.0.0.1:{}"
)",
                                              directory_, name, role, server.grpc_port,
                                              server.page.http_port())
                               << shared_config_;
  return server;
}

void Cluster::Start(Server& server, const Process::Environment& extra) {
  server.served = false;
  server.process = std::make_unique<Process>(
      std::vector<std::string>{BinDir() + "/gleaner-cloud", "--config", server.config},
      fmt::format("{}/{}.log", directory_, server.name), extra);
}

bool Cluster::Serves(Server& server) {
  if (!server.served) {
    const auto ready = server.page.Get("/readyz");
    server.served = ready && ready->first == 200;
  }
  return server.served;
}

void Cluster::KillAndStart(int part) {
  if (part == kDatabase) {
    // Odd and even: its first process dies without a word, or all do at once.
    static int kills = 0;
    database_.Kill(++kills % 2 == 0 ? PostgresServer::How::kAll
                                    : PostgresServer::How::kFirstProcess);
    database_.Start();
  } else if (part == kStore) {
    store_->Kill();
    store_->BeginStart();
  } else {
    Server& server = servers_[static_cast<size_t>(part)];
    EXPECT_TRUE(Eventually(
        [&] {
          Tend();
          return Serves(server);
        },
        kReadyDeadline))
        << server.name << ": " << server.process->Log();
    server.process->Kill();
    Start(server, extra_);
  }
}

void Cluster::Tend() {
  for (Server& server : servers_) {
    if (server.process->running()) {
      Serves(server);
      continue;
    }
    EXPECT_FALSE(server.served) << server.name << " ended by itself: " << server.process->Log();
    Start(server, extra_);
  }
}

void Cluster::UntilReady() {
  store_->UntilStarted();
  EXPECT_TRUE(Eventually(
      [&] {
        Tend();
        for (Server& server : servers_) {
          const auto ready = server.page.Get("/readyz");
          if (!ready || ready->first != 200) return false;
        }
        return true;
      },
      kReadyDeadline))
      << servers_.front().process->Log();
}

Page Cluster::StartPage() {
  page_ = std::make_unique<Server>(Configure("page", "api"));
  Start(*page_, {});
  EXPECT_TRUE(Eventually([&] { return Serves(*page_) || !page_->process->running(); }) &&
              page_->process->running())
      << page_->process->Log();
  return page_->page;
}

std::vector<int> Cluster::grpc_ports() const {
  std::vector<int> ports;
  for (const Server& server : servers_) ports.push_back(server.grpc_port);
  return ports;
}

}  // namespace gleaner::e2e
