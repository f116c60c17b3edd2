#include "cloud/rpc/device_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <functional>
#include <thread>

#include "cloud/rpc/bounded_message.h"
#include "cloud/rpc/identity.h"
#include "common/digest.h"
#include "common/status.h"
#include "gleaner/v1/fleet.grpc.pb.h"
#include "gleaner/v1/ingest.grpc.pb.h"
#include "tests/data/http2_flood.h"
#include "tests/data/http2_frame.h"
#include "tests/data/pki.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

// Greets with what it knows of the caller.
class Greeter final
    : public v1::FleetService::WithRawCallbackMethod_Hello<
          v1::FleetService::WithRawCallbackMethod_Heartbeat<v1::FleetService::Service>> {
  grpc::ServerUnaryReactor* Hello(grpc::CallbackServerContext* context, const grpc::ByteBuffer*,
                                  grpc::ByteBuffer* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto device = DeviceName(*context, /*trust_metadata=*/false);
    v1::HelloResponse hello;
    hello.mutable_policy()->set_version(device.value_or("nobody") + " " + context->peer());
    *response = Serialized(hello);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// Takes what is uploaded and takes its time: the sender is always ahead of it.
class SlowReader final
    : public v1::IngestService::WithRawCallbackMethod_Upload<
          v1::IngestService::WithRawCallbackMethod_ReportLedger<v1::IngestService::Service>> {
 public:
  int64_t messages() const { return messages_; }

 private:
  class Stream : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Stream(std::atomic<int64_t>& messages) : messages_(messages) { StartRead(&in_); }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::OK);
      ++messages_;
      grpc::Slice slice;
      ASSERT_TRUE(in_.DumpToSingleSlice(&slice).ok());
      for (int i = 0; i < 4; ++i) {
        (void)Sha256::Of({reinterpret_cast<const char*>(slice.begin()), slice.size()});
      }
      StartRead(&in_);
    }
    void OnDone() override { delete this; }

   private:
    std::atomic<int64_t>& messages_;
    grpc::ByteBuffer in_;
  };
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Upload(
      grpc::CallbackServerContext*) override {
    return new Stream(messages_);
  }

  std::atomic<int64_t> messages_ = 0;
};

class DeviceServerTest : public testing::Test {
 protected:
  DeviceServerTest() {
    pki_.Write(folder_.path());
    options_.listen = {"127.0.0.1", 0};
    options_.tls.ca = folder_ / "ca.pem";
    options_.tls.certificate = folder_ / "server.pem";
    options_.tls.key = folder_ / "server.key";
  }
  ~DeviceServerTest() override {
    if (server_ != nullptr) server_->Stop(seconds(5));
  }

  void Start() {
    auto server = DeviceServer::Start(options_, {&greeter_, &reader_}, clock_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::shared_ptr<grpc::Channel> Channel(const TestPki::Identity& device,
                                         const grpc::ChannelArguments& more = {}) {
    grpc::ChannelArguments arguments = more;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        fmt::format("127.0.0.1:{}", server_->port()),
        grpc::SslCredentials({pki_.ca(), device.key, device.certificate}), arguments);
  }
  grpc::Status Hello(const std::shared_ptr<grpc::Channel>& channel,
                     v1::HelloResponse* response = nullptr,
                     grpc_compression_algorithm compression = GRPC_COMPRESS_NONE) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(60));
    context.set_compression_algorithm(compression);
    v1::HelloRequest request;
    request.set_platform(std::string(10'000, 'x'));
    v1::HelloResponse unused;
    return v1::FleetService::NewStub(channel)->Hello(&context, request,
                                                     response != nullptr ? response : &unused);
  }
  Fd Connect() {
    sockaddr_storage to;
    const socklen_t size = ListenAddress{"127.0.0.1", server_->port()}.Fill(&to);
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), size), 0);
    return socket;
  }
  static bool IsClosed(const Fd& socket) {
    pollfd end{.fd = socket.get(), .events = POLLIN, .revents = 0};
    char bytes[4096];
    while (::poll(&end, 1, 60'000) == 1) {
      if (::recv(socket.get(), bytes, sizeof(bytes), 0) <= 0) return true;
    }
    return false;
  }
  bool Eventually(const std::function<bool(const AcceptorStats&)>& condition) {
    const auto end = std::chrono::steady_clock::now() + seconds(60);
    while (!condition(server_->stats())) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  TemporaryFolder folder_;
  TestPki pki_;
  FakeClock clock_;
  Greeter greeter_;
  SlowReader reader_;
  DeviceServerOptions options_;
  std::unique_ptr<DeviceServer> server_;
};

TEST_F(DeviceServerTest, KnowsWhoCallsAndFromWhere) {
  Start();
  v1::HelloResponse response;
  const grpc::Status status = Hello(Channel(pki_.Device("cart-1")), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(response.policy().version(), StartsWith("cart-1 ipv4:127.0.0.1:"));
}

TEST_F(DeviceServerTest, AConnectionWithACallIsInUseUntilItIsClosed) {
  Start();
  {
    const auto channel = Channel(pki_.Device("cart-1"));
    ASSERT_TRUE(Hello(channel).ok());
    EXPECT_EQ(server_->stats().open.in_use, 1u);
    clock_.Advance(3600 * kNanosPerSecond);
    ASSERT_TRUE(Hello(channel).ok());
    EXPECT_EQ(server_->stats().accepted, 1u);
  }
  EXPECT_TRUE(Eventually([](const auto& stats) { return stats.open.in_use == 0; }));
}

TEST_F(DeviceServerTest, StrangersByTheThousandKeepNoDeviceOutAndCutNoneOff) {
  options_.connections = {.all = 100, .per_address = 100};
  Start();
  const auto before = Channel(pki_.Device("cart-1"));
  ASSERT_TRUE(Hello(before).ok());
  std::vector<Fd> bare;
  for (int i = 0; i < 1500; ++i) bare.push_back(Connect());
  ASSERT_TRUE(Hello(Channel(pki_.Device("cart-2"))).ok());
  ASSERT_TRUE(Hello(before).ok());
  EXPECT_TRUE(server_->Check().ok());
  EXPECT_GT(server_->stats().displaced, 1400u);
  EXPECT_EQ(server_->stats().accepted, 1502u) << "the first device kept its connection";
}

TEST_F(DeviceServerTest, AHandshakeThatStopsHalfwayIsClosed) {
  Start();
  const Fd half = Connect();
  // The head of a TLS record, whose body never comes.
  ASSERT_EQ(::send(half.get(), "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL), 6);
  ASSERT_TRUE(Eventually([](const auto& stats) { return stats.open.handshake == 1; }));
  clock_.Advance(options_.connections.first_call_ns);
  EXPECT_TRUE(IsClosed(half));
  EXPECT_EQ(server_->stats().no_call, 1u);
}

TEST_F(DeviceServerTest, ACertificateWithoutACallIsNotEnoughToStay) {
  Start();
  const auto channel = Channel(pki_.Device("cart-1"));
  channel->GetState(/*try_to_connect=*/true);
  ASSERT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + seconds(60)));
  ASSERT_TRUE(Eventually([](const auto& stats) { return stats.open.handshake == 1; }));
  clock_.Advance(options_.connections.first_call_ns);
  EXPECT_TRUE(Eventually([](const auto& stats) { return stats.no_call == 1; }));
  // It may come again, and then it does.
  EXPECT_TRUE(Hello(channel).ok() || Hello(channel).ok());
}

TEST_F(DeviceServerTest, WhoIsNoTlsPeerIsClosedByTheHandshake) {
  Start();
  const Fd http = Connect();
  ASSERT_EQ(::send(http.get(), "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
  EXPECT_TRUE(IsClosed(http));
  EXPECT_TRUE(Eventually([](const auto& stats) { return stats.open.handshake == 0; }));
}

TEST_F(DeviceServerTest, CompressedMessagesAreRefusedByName) {
  Start();
  const auto channel = Channel(pki_.Device("cart-1"));
  for (const auto compression : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    const grpc::Status status = Hello(channel, nullptr, compression);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("is disabled"));
  }
  EXPECT_TRUE(Hello(channel).ok());
}

TEST_F(DeviceServerTest, OneCertificateKeepsNoOtherDeviceOut) {
  options_.connections = {.all = 20, .per_address = 20};
  Start();
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 40; ++i) {
    channels.push_back(Channel(pki_.Device("cart-1")));
    ASSERT_TRUE(Hello(channels.back()).ok()) << i;
  }
  EXPECT_TRUE(Hello(Channel(pki_.Device("cart-2"))).ok());
  EXPECT_TRUE(Hello(channels.back()).ok());
  EXPECT_GE(server_->stats().device_full, 32u);
}

TEST_F(DeviceServerTest, AConnectionThatMakesCallsWithoutEndIsEnded) {
  Start();
  const auto channel = Channel(pki_.Device("cart-1"));
  for (int64_t i = 0; i < options_.connections.calls_in_a_row; ++i) {
    ASSERT_TRUE(Hello(channel).ok()) << i;
  }
  EXPECT_EQ(server_->stats().calls, 0u);
  (void)Hello(channel);
  EXPECT_EQ(server_->stats().calls, 1u);
  EXPECT_TRUE(Eventually([](const auto& stats) { return stats.open.in_use == 0; }));
  // It may come again, and others were never kept waiting.
  EXPECT_TRUE(Hello(Channel(pki_.Device("cart-2"))).ok());
  EXPECT_TRUE(Hello(channel).ok() || Hello(channel).ok());
}

// What it may send until it is cut: less than what the test below sends and keeps its connection.
constexpr uint64_t kFloodBytes = 256 << 20;

TEST_F(DeviceServerTest, AHeaderBlockWithoutEndIsCutAndNobodyElseIs) {
  Start();
  const auto other = Channel(pki_.Device("cart-2"));
  ASSERT_TRUE(Hello(other).ok());
  for (const char* name : {"a header without end", "headers without end",
                           "one header again and again", "empty continuations"}) {
    const uint64_t before = server_->stats().flood;
    RawHttp2Client client(server_->port(), pki_.Device("cart-1"));
    EXPECT_LT(client.Send(Http2FloodNamed(name), kFloodBytes), kFloodBytes) << name;
    EXPECT_EQ(server_->stats().flood, before + 1) << name;
    EXPECT_TRUE(Hello(other).ok()) << name;
  }
  EXPECT_EQ(server_->stats().accepted, 5u) << "the other device kept its connection";
}

TEST_F(DeviceServerTest, AFloodOnAConnectionInUseIsCutAsWell) {
  Start();
  RawHttp2Client client(server_->port(), pki_.Device("cart-1"));
  ASSERT_TRUE(client.Send(http2::Frame(http2::kHeaders, http2::kEndHeaders, /*stream=*/1,
                                       http2::CallHeaders("/gleaner.v1.IngestService/Upload"))));
  ASSERT_TRUE(Eventually([](const auto& stats) { return stats.open.in_use == 1; }));
  EXPECT_LT(client.Send(Http2FloodNamed("headers without end", /*first=*/3), kFloodBytes),
            kFloodBytes);
  EXPECT_TRUE(Eventually([](const auto& stats) { return stats.open.in_use == 0; }));
  EXPECT_EQ(server_->stats().flood, 1u);
}

TEST_F(DeviceServerTest, AnUploadFasterThanItsReaderIsNeverCut) {
  Start();
  const auto channel = Channel(pki_.Device("cart-1"));
  grpc::ClientContext context;
  v1::UploadResponse unused;
  const auto stream = v1::IngestService::NewStub(channel)->Upload(&context);
  v1::UploadRequest request;
  request.mutable_chunk()->set_data(std::string(256 << 10, 'x'));
  constexpr int64_t kMessages = 2 * kFloodBytes / (256 << 10);
  for (int64_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(stream->Write(request)) << i;
    // Beside it, as a device's heartbeat.
    if (i % 200 == 0) {
      ASSERT_TRUE(Hello(channel).ok()) << i;
    }
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(reader_.messages(), kMessages);
  EXPECT_EQ(server_->stats().flood, 0u);
  EXPECT_EQ(server_->stats().accepted, 1u);
}

TEST_F(DeviceServerTest, StopsWithStrangersAndDevicesConnected) {
  Start();
  const Fd silent = Connect(), half = Connect();
  ASSERT_EQ(::send(half.get(), "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL), 6);
  const auto channel = Channel(pki_.Device("cart-1"));
  ASSERT_TRUE(Hello(channel).ok());
  server_->Stop(std::chrono::milliseconds(0));
  EXPECT_TRUE(IsClosed(silent) && IsClosed(half));
  EXPECT_FALSE(server_->Check().ok());
  server_->Stop(std::chrono::milliseconds(0));
}

TEST_F(DeviceServerTest, APortInUseIsNamed) {
  Start();
  options_.listen.port = server_->port();
  Greeter other;
  EXPECT_THAT(DeviceServer::Start(options_, {&other}, clock_).status().ToString(),
              HasSubstr("Address already in use"));
}

}  // namespace
}  // namespace gleaner::cloud
