// What strangers and broken peers do to the programs at their doors: floods, bombs, forged lines,
// and files that too many may read.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/file.h"
#include "gleaner/v1/fleet.grpc.pb.h"
#include "tests/data/paths.h"
#include "tests/e2e/bombs.h"
#include "tests/e2e/raw_http2.h"
#include "tests/e2e/rig.h"

namespace gleaner::e2e {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kMuch = 100 << 20;  // of memory, above idle

std::shared_ptr<grpc::Channel> ChannelOf(Rig& rig, const TestPki::Identity& device) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(
      fmt::format("127.0.0.1:{}", rig.grpc_port()),
      grpc::SslCredentials({rig.pki().ca(), device.key, device.certificate}), arguments);
}

grpc::Status SayHello(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + seconds(60));
  v1::HelloRequest hello;
  hello.set_boot_id(std::string(16, 'b'));
  v1::HelloResponse response;
  return v1::FleetService::NewStub(channel)->Hello(&context, hello, &response);
}

void ExpectLittleMemory(const Process& process, uint64_t idle) {
  const uint64_t above = process.PeakMemoryBytes() - std::min(process.PeakMemoryBytes(), idle);
  fmt::print("{} MiB above idle\n", above >> 20);
  EXPECT_LE(above, kMuch);
}

// While it lives, this process may have many files open.
bool AllowManyFiles(rlim_t wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(limit.rlim_max, std::max(limit.rlim_cur, wanted));
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= wanted;
}

TEST(Door, TwoThousandConnectionsWithoutACertificateKeepNoDeviceOut) {
  constexpr int kStrangers = 2000;
  if (!AllowManyFiles(kStrangers + 200)) GTEST_SKIP() << "this machine allows too few files";
  Rig rig;
  rig.LimitServerFiles(1024);
  rig.StartServer();
  const auto before = ChannelOf(rig, rig.pki().Device("cart-1"));
  ASSERT_TRUE(SayHello(before).ok());

  std::vector<Fd> strangers;
  for (int i = 0; i < kStrangers; ++i) {
    strangers.emplace_back(ConnectTo(rig.grpc_port()));
    ASSERT_TRUE(strangers.back().valid()) << i;
    // Some begin a handshake and leave it at that.
    if (i % 3 == 0) ::send(strangers.back().get(), "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL);
  }
  const auto begun = std::chrono::steady_clock::now();
  std::shared_ptr<grpc::Channel> device;
  grpc::Status hello;
  ASSERT_TRUE(Eventually([&] {
    device = ChannelOf(rig, rig.pki().Device("cart-2"));
    hello = SayHello(device);
    return hello.ok();
  })) << hello.error_message();
  fmt::print("the device was in after {} ms\n",
             std::chrono::duration_cast<std::chrono::milliseconds>(
                 std::chrono::steady_clock::now() - begun)
                 .count());
  EXPECT_TRUE(SayHello(before).ok());
  EXPECT_EQ(rig.Get("/readyz")->first, 200);
  EXPECT_GE(rig.Metric("gleaner_device_connections_accepted_total"), kStrangers);
  EXPECT_GE(rig.Metric("gleaner_device_connections_refused_total"), kStrangers - 300);
  EXPECT_EQ(rig.Metric("gleaner_device_connections{state=\"in_use\"}"), 2);
  const std::string log = rig.server().Log();
  EXPECT_THAT(log, HasSubstr("a connection from 127.0.0.1 was"));
  EXPECT_LT(std::count(log.begin(), log.end(), '\n'), 200) << "a flood is counted, not written";
  strangers.clear();
  EXPECT_TRUE(Eventually([&] {
    return rig.Metric("gleaner_device_connections{state=\"silent\"}") == 0 &&
           rig.Metric("gleaner_device_connections{state=\"handshake\"}") == 0;
  }));
  EXPECT_EQ(rig.server().Stop(), 0);
}

TEST(Door, ADevicesBombsTakeNoMemoryOfTheServer) {
  Rig rig;
  Process& server = rig.StartServer();
  const auto channel = ChannelOf(rig, rig.pki().Device("cart-1"));
  ASSERT_TRUE(SayHello(channel).ok());
  const grpc::ByteBuffer gzip = GzipBomb(size_t{1} << 30);
  server.ForgetPeak();
  const uint64_t idle = server.MemoryBytes();
  int told = 0;
  for (const char* method :
       {"/gleaner.v1.FleetService/Hello", "/gleaner.v1.FleetService/Heartbeat",
        "/gleaner.v1.IngestService/ReportLedger", "/gleaner.v1.IngestService/Upload"}) {
    for (int i = 0; i < 4; ++i) {
      const grpc::Status status = Throw(channel, method, gzip, /*compressed=*/true);
      // Whoever throws many is a flood, whose connection is ended.
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE) continue;
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
      EXPECT_THAT(status.error_message(), HasSubstr("gzip")) << method;
      ++told;
    }
  }
  EXPECT_GT(told, 0);
  ExpectLittleMemory(server, idle);
  EXPECT_TRUE(Eventually([&] { return SayHello(channel).ok(); })) << "the same device, well again";
}

TEST(Door, ADevicesLongListsTakeNoMemoryOfTheServer) {
  Rig rig;
  Process& server = rig.StartServer();
  const auto device = rig.pki().Device("cart-1");
  ASSERT_TRUE(SayHello(ChannelOf(rig, device)).ok());
  server.ForgetPeak();
  const uint64_t idle = server.MemoryBytes();
  struct Call {
    const char* method;
    int field;  // a list of messages
  };
  for (const Call& call :
       {Call{"/gleaner.v1.FleetService/Hello", 7}, Call{"/gleaner.v1.FleetService/Heartbeat", 7},
        Call{"/gleaner.v1.IngestService/ReportLedger", 1}}) {
    for (const size_t messages : {32'000, 1'000'000, 1'900'000}) {
      const auto channel = ChannelOf(rig, device);
      const grpc::ByteBuffer bomb = ListBomb(call.field, messages);
      // At once, as one connection allows.
      std::vector<std::jthread> throwers;
      for (int i = 0; i < 8; ++i) {
        throwers.emplace_back(
            [&] { EXPECT_FALSE(Throw(channel, call.method, bomb, /*compressed=*/false).ok()); });
      }
    }
  }
  ExpectLittleMemory(server, idle);
}

TEST(Door, AServersBombsTakeNoMemoryOfTheDaemon) {
  struct Bomb {
    grpc::ByteBuffer bytes;
    bool compressed;
  };
  for (const Bomb& bomb : {Bomb{GzipBomb(400 << 20), true}, Bomb{ListBomb(2, 130'000), false},
                           Bomb{ListBomb(2, 1'900'000), false}}) {
    Rig rig;
    BombServer server(rig.grpc_port(), rig.pki(), bomb.bytes, bomb.compressed);
    Process daemon = rig.StartDevice({});
    ASSERT_TRUE(Eventually([&] { return server.thrown() >= 1; })) << daemon.Log();
    daemon.ForgetPeak();
    const uint64_t idle = daemon.MemoryBytes();
    // Its heartbeats and its ledger come again, each after a longer pause.
    EXPECT_TRUE(Eventually([&] { return server.thrown() >= 5; }, seconds(120))) << daemon.Log();
    ExpectLittleMemory(daemon, idle);
    EXPECT_EQ(daemon.Stop(), 0);
    if (bomb.compressed) {
      EXPECT_THAT(daemon.Log(), HasSubstr("Compression algorithm 'gzip' is disabled"));
    }
  }
}

TEST(Door, NobodyWritesTheDaemonsLog) {
  Rig rig;
  DeviceSetup device;
  const std::string config = rig.Configure(device);
  std::ifstream in(config);
  std::string text(std::istreambuf_iterator<char>(in), {});
  // Without TLS, so that the other side can say whatever it likes.
  text = "device = \"cart-1\"\n" + text;
  text.replace(text.find("[server]\n"), 9, "[server]\nplaintext = true\n");
  const std::string path = rig.directory() + "/plain.toml";
  std::ofstream(path) << text;
  RawHttp2Server server(rig.grpc_port(), "200\n<3>forged\x1b[2J\xff");
  Process daemon({BinDir() + "/gleaner-edge", "--config", path}, rig.directory() + "/plain.log");
  EXPECT_TRUE(Eventually([&] { return server.answers() >= 3; })) << daemon.Log();
  EXPECT_TRUE(Eventually([&] { return daemon.Log().find("forged") != std::string::npos; }))
      << daemon.Log();
  EXPECT_EQ(daemon.Stop(), 0);
  const std::string log = daemon.Log();
  EXPECT_THAT(log, AllOf(HasSubstr("\\n<3>forged\\x1b[2J\\xff"), Not(HasSubstr("\x1b[2J"))));
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_THAT(line, Not(testing::StartsWith("<3>")));
  }
}

mode_t RightsOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(Door, WhatIsKeptIsForItsOwnerOnlyWhateverTheFoldersRights) {
  Rig rig;
  const DeviceSetup device;
  const std::string cloud = rig.directory() + "/cloud", spool = rig.SpoolOf(device.name);
  for (const std::string& folder : {cloud, spool}) {
    std::filesystem::create_directory(folder);
    ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
  }
  // As an earlier version left it.
  std::ofstream(cloud + "/catalog.db").flush();
  ASSERT_EQ(::chmod((cloud + "/catalog.db").c_str(), 0644), 0);
  const mode_t before = ::umask(0);
  rig.StartServer();
  Process daemon = rig.StartDevice(device);
  ::umask(before);
  ASSERT_TRUE(Eventually([&] { return !rig.Device("cart-1").empty(); })) << daemon.Log();
  for (const std::string& folder : {cloud, spool}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      EXPECT_EQ(RightsOf(entry.path()) & 077, 0u) << entry.path();
    }
  }
  for (const char* name : {"/catalog.db", "/catalog.db-wal", "/catalog.db-shm"}) {
    EXPECT_EQ(RightsOf(cloud + name), 0600u) << name;
  }
  EXPECT_EQ(RightsOf(spool + "/spool.db"), 0600u);
}

TEST(Door, AKeyThatAllMayReadIsRefusedByBothPrograms) {
  Rig rig;
  rig.StartServer().Stop();
  const std::string key = rig.directory() + "/server.key";
  ASSERT_EQ(::chmod(key.c_str(), 0644), 0);
  for (const bool check_only : {true, false}) {
    std::vector<std::string> argv = {BinDir() + "/gleaner-cloud", "--config",
                                     rig.directory() + "/cloud.toml"};
    if (check_only) argv.emplace_back("--check-config");
    Process server(argv, rig.directory() + "/refused.log");
    EXPECT_EQ(server.Wait(seconds(20)), 2);
    EXPECT_THAT(server.Log(),
                AllOf(HasSubstr("cloud.toml:"), HasSubstr("chmod o= "), HasSubstr("/server.key")));
  }
  const DeviceSetup device;
  rig.Configure(device);
  const std::string own = rig.directory() + "/cart-1.key";
  ASSERT_EQ(::chmod(own.c_str(), 0644), 0);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--check-config"}, std::vector<std::string>{}}) {
    Process daemon = rig.StartDevice(device, arguments);
    EXPECT_EQ(daemon.Wait(seconds(20)), 2);
    EXPECT_THAT(daemon.Log(),
                AllOf(HasSubstr("cart-1.toml:"), HasSubstr("chmod o= "), HasSubstr("/cart-1.key")));
  }
}

}  // namespace
}  // namespace gleaner::e2e
