#include "cloud/server.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "cloud/net/listen_address.h"
#include "common/status.h"
#include "gleaner/v1/catalog.grpc.pb.h"
#include "gleaner/v1/fleet.grpc.pb.h"
#include "httplib.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/cloud/http/raw_client.h"
#include "tests/data/paths.h"
#include "tests/data/pki.h"
#include "tests/data/shell.h"

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    pki_.Write(folder_.path());
    WriteConfig("127.0.0.1:0", "127.0.0.1:0");
  }

  void WriteConfig(const std::string& grpc, const std::string& http) {
    std::ofstream(folder_ / "cloud.toml")
        << "[server]\ndata_dir = \"data\"\n[grpc]\nlisten = \"" << grpc
        << "\"\n[tls]\nca = \"ca.pem\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n"
        << "[http]\nlisten = \"" << http << "\"\n";
  }
  absl::StatusOr<std::unique_ptr<Server>> Start() {
    const auto config = LoadServerConfig(folder_ / "cloud.toml", BinDir());
    if (!config.ok()) return config.status();
    return Server::Start(*config, RealClock());
  }
  std::shared_ptr<grpc::Channel> Connect(const Server& server, const TestPki::Identity& device) {
    grpc::SslCredentialsOptions options;
    std::ifstream ca(folder_ / "ca.pem");
    options.pem_root_certs = std::string((std::istreambuf_iterator<char>(ca)), {});
    options.pem_cert_chain = device.certificate;
    options.pem_private_key = device.key;
    return grpc::CreateChannel(fmt::format("127.0.0.1:{}", server.grpc_port()),
                               grpc::SslCredentials(options));
  }
  // The program's exit status and what it said.
  std::pair<int, std::string> RunProgram(const std::string& arguments) {
    return Shell(fmt::format("timeout 20 {}/gleaner-cloud {} 2>&1", BinDir(), arguments));
  }

  TemporaryFolder folder_;
  TestPki pki_;
};

grpc::Status SayHello(std::shared_ptr<grpc::Channel> channel) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  v1::HelloRequest hello;
  hello.set_boot_id(std::string(16, 'b'));
  hello.set_site("store-7");
  v1::HelloResponse response;
  return v1::FleetService::NewStub(channel)->Hello(&context, hello, &response);
}

TEST_F(ServerTest, ADeviceThatSaysHelloIsOnThePage) {
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status();
  const grpc::Status hello = SayHello(Connect(**server, pki_.Device("cart-1")));
  ASSERT_TRUE(hello.ok()) << hello.error_message();
  httplib::Client client("127.0.0.1", (*server)->http_port());
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  const auto devices =
      client.Post("/gleaner.v1.CatalogService/ListDevices", "{}", "application/json");
  EXPECT_THAT(devices->body, AllOf(HasSubstr("\"cart-1\""), HasSubstr("\"store-7\"")));
  EXPECT_THAT(client.Get("/metrics")->body, AllOf(HasSubstr("gleaner_devices{state=\"online\"} 1"),
                                                  HasSubstr("gleaner_ingest_receipts_total 0")));
}

TEST_F(ServerTest, AJobThatWaitsIsRunAndSeen) {
  {
    auto catalog = OpenTestCatalog(folder_ / "data/catalog.db");
    ASSERT_TRUE(catalog.ok()) << catalog.status();
    Jobs jobs((*catalog)->database(), RealClock());
    ASSERT_TRUE(jobs.Add({.kind = kMediaCheck, .subject = "a clip that went"}).ok());
  }
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->http_port());
  std::string jobs;
  do {
    jobs = client.Post("/gleaner.v1.JobsService/ListJobs", "{}", "application/json")->body;
  } while (jobs.find("STATE_DONE") == std::string::npos);
  EXPECT_THAT(jobs, AllOf(HasSubstr("media-check"), HasSubstr("the clip is gone")));
  EXPECT_THAT(client.Get("/metrics")->body,
              HasSubstr("gleaner_jobs{kind=\"media-check\",state=\"waiting\"} 0"));
  const auto refused =
      client.Post("/gleaner.v1.JobsService/CancelJob", R"({"number":"1"})", "application/json");
  EXPECT_EQ(refused->status, 400);
  EXPECT_THAT(refused->body, HasSubstr("job 1 is done: there is nothing to cancel"));
}

// Configurations with one role alone want a PostgreSQL and a bucket; what it does needs neither.
TEST_F(ServerTest, AServerWithoutTheRoleApiTellsOfItsHealthAlone) {
  auto config = LoadServerConfig(folder_ / "cloud.toml", BinDir());
  ASSERT_TRUE(config.ok()) << config.status();
  config->roles = {.ingest = true, .api = false, .worker = false};
  auto server = Server::Start(*config, RealClock());
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(SayHello(Connect(**server, pki_.Device("cart-1"))).ok());
  httplib::Client client("127.0.0.1", (*server)->http_port());
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_THAT(client.Get("/metrics")->body, HasSubstr("gleaner_devices{state=\"online\"} 1"));
  for (const char* path : {"/", "/clips", "/events", "/media/x", "/frames/x"}) {
    const auto answer = client.Get(path);
    EXPECT_EQ(answer->status, 404) << path;
    EXPECT_THAT(answer->body, HasSubstr("whose role is api")) << path;
  }
  for (const char* path : {"/gleaner.v1.CatalogService/ListDevices", "/login"}) {
    EXPECT_EQ(client.Post(path, "{}", "application/json")->status, 404) << path;
  }
}

TEST_F(ServerTest, ADeviceThatSaysHelloIsTold) {
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status();
  RawClient page((*server)->http_port());
  page.Send("GET /events?topics=devices,clips,problems HTTP/1.1\r\nHost: localhost\r\n\r\n");
  page.ReadUntil("\nid: ");
  ASSERT_TRUE(SayHello(Connect(**server, pki_.Device("cart-1"))).ok());
  EXPECT_THAT(page.ReadUntil("\"}\n\n"),
              HasSubstr("event: devices\ndata: {\"device\":\"cart-1\"}\n\n"));
}

TEST_F(ServerTest, TheListOfTenThousandDevicesIsServed) {
  {
    auto catalog = OpenTestCatalog(folder_ / "data/catalog.db");
    ASSERT_TRUE(catalog.ok()) << catalog.status();
    v1::HelloRequest hello;
    hello.set_boot_id(std::string(16, 'b'));
    hello.set_platform(std::string(500, 'p'));
    for (int i = 0; i < 10'000; ++i) {
      ASSERT_TRUE((*catalog)->devices.RecordHello(fmt::format("cart-{}", i), hello, 1).ok());
    }
  }
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->http_port());
  client.set_read_timeout(60);
  const auto devices =
      client.Post("/gleaner.v1.CatalogService/ListDevices", "{}", "application/json");
  ASSERT_TRUE(devices);
  EXPECT_EQ(devices->status, 200) << devices->body;
  EXPECT_THAT(devices->body, HasSubstr("\"cart-9999\""));
}

TEST_F(ServerTest, ADevicesCertificateDoesNotOpenTheCatalog) {
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status();
  grpc::ClientContext context;
  v1::ListClipsResponse response;
  const grpc::Status status = v1::CatalogService::NewStub(Connect(**server, pki_.Device("cart-1")))
                                  ->ListClips(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ServerTest, AStrangersCertificateIsRefused) {
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status();
  TestPki stranger;
  EXPECT_EQ(SayHello(Connect(**server, stranger.Device("cart-1"))).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, StopsInTimeWithClientsStillThere) {
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = Connect(**server, pki_.Device("cart-1"));
  ASSERT_TRUE(SayHello(channel).ok());
  httplib::Client idle("127.0.0.1", (*server)->http_port());
  idle.set_keep_alive(true);
  ASSERT_EQ(idle.Get("/healthz")->status, 200);
  const auto begun = std::chrono::steady_clock::now();
  (*server)->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
}

TEST_F(ServerTest, TwoServersDoNotShareAFolder) {
  auto first = Start();
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Start();
  EXPECT_THAT(std::string(Message(second.status())), HasSubstr("in use by another gleaner-cloud"));
  first->reset();
  EXPECT_TRUE(Start().ok());
}

TEST_F(ServerTest, APortInUseIsASentenceAndExitStatusOne) {
  uint16_t port = 0;
  const auto taken = ListenOn({"127.0.0.1", 0}, &port);
  ASSERT_TRUE(taken.ok());
  const std::string config = "--config " + (folder_ / "cloud.toml");
  WriteConfig(fmt::format("127.0.0.1:{}", port), "127.0.0.1:0");
  const auto [grpc_status, grpc_said] = RunProgram(config);
  EXPECT_EQ(grpc_status, 1);
  EXPECT_THAT(grpc_said, AllOf(HasSubstr("gleaner-cloud: grpc.listen"),
                               HasSubstr(std::to_string(port)), HasSubstr("in use")));
  WriteConfig("127.0.0.1:0", fmt::format("127.0.0.1:{}", port));
  const auto [http_status, http_said] = RunProgram(config);
  EXPECT_EQ(http_status, 1);
  EXPECT_THAT(http_said, AllOf(HasSubstr("gleaner-cloud: http.listen"),
                               HasSubstr(std::to_string(port)), HasSubstr("in use")));
}

TEST_F(ServerTest, TheFirstAdminsTokenIsMadeWhereOthersCanReachThePage) {
  WriteConfig("127.0.0.1:0", "0.0.0.0:0");
  std::string token;
  const auto ask = [&](const Server& server) {
    return httplib::Client("127.0.0.1", server.http_port())
        .Post("/gleaner.v1.AccessService/WhoAmI", {{"Authorization", "Bearer " + token}}, "{}",
              "application/json")
        ->body;
  };
  {
    auto server = Start();
    ASSERT_TRUE(server.ok()) << server.status();
    EXPECT_THAT(ask(**server), HasSubstr("unauthenticated"));
    token = (*server)->first_token();
    EXPECT_THAT(ask(**server), AllOf(HasSubstr("first-admin"), HasSubstr("ROLE_ADMIN")));
  }
  auto again = Start();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->first_token(), "");
  EXPECT_THAT(ask(**again), HasSubstr("first-admin"));
}

TEST_F(ServerTest, OnLoopbackWhoeverAsksIsTheLocalAdmin) {
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->first_token(), "");
  EXPECT_THAT(httplib::Client("127.0.0.1", (*server)->http_port())
                  .Post("/gleaner.v1.AccessService/WhoAmI", "{}", "application/json")
                  ->body,
              AllOf(HasSubstr("\"local\""), HasSubstr("ROLE_ADMIN")));
}

TEST_F(ServerTest, TheProgramChecksItsConfiguration) {
  const std::string path = folder_ / "cloud.toml";
  EXPECT_EQ(RunProgram("--config " + path + " --check-config").first, 0);
  std::ofstream(path, std::ios::app) << "[http2]\n";
  const auto [status, said] = RunProgram("--config " + path + " --check-config");
  EXPECT_EQ(status, 2);
  EXPECT_THAT(said, HasSubstr("http2"));
  EXPECT_EQ(RunProgram("--config /no/such/file").first, 2);
  EXPECT_EQ(RunProgram("--help").first, 0);
  EXPECT_THAT(RunProgram("--version").second, testing::StartsWith("0.1.0"));
}

TEST_F(ServerTest, TheProgramSaysTheFirstTokenOnStandardOutputAloneAndStopsOnSigterm) {
  WriteConfig("127.0.0.1:0", "0.0.0.0:0");
  const std::string log = folder_ / "log", told = folder_ / "told";
  const std::string config = folder_ / "cloud.toml";
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    ::dup2(::open(told.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    const std::string program = BinDir() + "/gleaner-cloud";
    ::execl(program.c_str(), "gleaner-cloud", "--config", config.c_str(), nullptr);
    ::_exit(127);
  }
  const auto said = [](const std::string& path) {
    std::ifstream file(path);
    return std::string((std::istreambuf_iterator<char>(file)), {});
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while ((said(log).find("is ready") == std::string::npos ||
          said(told).find("revoke this one") == std::string::npos) &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  ASSERT_THAT(said(log), HasSubstr("is ready"));
  const std::string words = said(told);
  ASSERT_THAT(words, HasSubstr("The first admin's token"));
  const std::string token = words.substr(words.find("\n\n  ") + 4, 64);
  EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos) << words;
  EXPECT_EQ(said(log).find(token), std::string::npos) << "it is in the log";
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status << said(log);
}

}  // namespace
}  // namespace gleaner::cloud
