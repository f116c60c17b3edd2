#include "cloud/fleet/fleet_service.h"

#include <gmock/gmock.h>

#include "common/status.h"
#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

// A fleet service over mutual TLS, and calls of a device named in its certificate.
class FleetTest : public testing::Test {
 protected:
  FleetTest() {
    pki_.Write(folder_.path());
    DeviceServerOptions door;
    door.listen = {"127.0.0.1", 0};
    door.tls.ca = folder_ / "ca.pem";
    door.tls.certificate = folder_ / "server.pem";
    door.tls.key = folder_ / "server.key";
    server_ = *DeviceServer::Start(door, {&service_}, clock_);
    stub_ = v1::FleetService::NewStub(
        grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->port()),
                            DeviceCredentials(pki_, pki_.Device("cart-1"))));
    hello_.set_boot_id(std::string(16, 'b'));
    hello_.set_site("store-7");
    heartbeat_.set_boot_id(std::string(16, 'b'));
  }
  ~FleetTest() override { server_->Stop(std::chrono::seconds(5)); }

  grpc::Status Hello(v1::HelloResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return stub_->Hello(&context, hello_, response);
  }
  grpc::Status Heartbeat(v1::HeartbeatResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return stub_->Heartbeat(&context, heartbeat_, response);
  }

  TemporaryFolder folder_;
  TestPki pki_;
  FakeClock clock_;
  std::unique_ptr<Catalog> catalog_ = *OpenSqliteCatalog(folder_ / "catalog.db", clock_);
  FleetOptions options_;
  FleetService service_{*catalog_, clock_, options_};
  std::unique_ptr<DeviceServer> server_;
  std::unique_ptr<v1::FleetService::Stub> stub_;
  v1::HelloRequest hello_;
  v1::HeartbeatRequest heartbeat_;
};

TEST_F(FleetTest, HelloIsKeptUnderTheCertificatesNameAndAnsweredWithThePolicy) {
  v1::HelloResponse response;
  ASSERT_TRUE(Hello(&response).ok());
  EXPECT_EQ(response.policy().heartbeat_interval_s(), 10u);
  EXPECT_FALSE(response.policy().version().empty());
  EXPECT_EQ(response.server_unix_ns(), clock_.WallNs());
  const auto devices = *catalog_->ListDevices(clock_.WallNs());
  ASSERT_EQ(devices.devices_size(), 1);
  EXPECT_EQ(devices.devices(0).name(), "cart-1");
  EXPECT_EQ(devices.devices(0).site(), "store-7");
}

TEST_F(FleetTest, AHeartbeatBringsThePolicyOnlyWhenTheDeviceHasAnother) {
  v1::HeartbeatResponse response;
  heartbeat_.set_policy_version("old");
  ASSERT_TRUE(Heartbeat(&response).ok());
  ASSERT_TRUE(response.has_policy());
  heartbeat_.set_policy_version(response.policy().version());
  ASSERT_TRUE(Heartbeat(&response).ok());
  EXPECT_FALSE(response.has_policy());
  EXPECT_EQ(catalog_->ListDevices(clock_.WallNs())->devices(0).state(), v1::Device::STATE_ONLINE);
}

TEST_F(FleetTest, AHeartbeatIsToldWhichCamerasSendDamage) {
  v1::HeartbeatResponse response;
  ASSERT_TRUE(Heartbeat(&response).ok());
  EXPECT_EQ(response.notices_size(), 0);
  const int64_t first_ns = clock_.WallNs();
  ASSERT_TRUE(catalog_->RecordDamage("cart-1", "front", 3, first_ns).ok());
  ASSERT_TRUE(catalog_->RecordDamage("cart-1", "front", 4, first_ns + 60 * kNanosPerSecond).ok());
  ASSERT_TRUE(catalog_->RecordDamage("cart-2", "front", 9, first_ns).ok());
  response.Clear();
  ASSERT_TRUE(Heartbeat(&response).ok());
  ASSERT_EQ(response.notices_size(), 1);
  EXPECT_EQ(response.notices(0).camera(), "front");
  EXPECT_EQ(response.notices(0).count(), 7u);
  EXPECT_EQ(response.notices(0).since_unix_ns(), first_ns);
  EXPECT_EQ(response.notices(0).text(), "sends damaged pictures: 7 damaged frames in 2 clips");
}

TEST_F(FleetTest, WhatBreaksABoundIsRefusedAndNotKept) {
  v1::HelloResponse response;
  hello_.set_boot_id("short");
  EXPECT_EQ(Hello(&response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::HeartbeatResponse beat;
  heartbeat_.set_problem(std::string(513, 'x'));
  const grpc::Status status = Heartbeat(&beat);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("problem"));
  heartbeat_.clear_problem();
  heartbeat_.add_problems()->set_text(std::string(513, 'x'));
  EXPECT_THAT(Heartbeat(&beat).error_message(), HasSubstr("problems.text"));
  heartbeat_.mutable_problems(0)->set_text("x");
  heartbeat_.mutable_problems(0)->set_part(std::string(97, 'x'));
  EXPECT_THAT(Heartbeat(&beat).error_message(), HasSubstr("problems.part"));
  heartbeat_.clear_problems();
  for (int i = 0; i < 17; ++i) heartbeat_.add_problems()->set_text("x");
  EXPECT_THAT(Heartbeat(&beat).error_message(), HasSubstr("problems has 17 entries"));
  hello_.set_boot_id(std::string(16, 'b'));
  hello_.add_cameras()->set_name("Front_Door");
  EXPECT_THAT(Hello(&response).error_message(),
              HasSubstr("cameras.name \"Front_Door\" is not a name"));
  EXPECT_EQ(catalog_->ListDevices(clock_.WallNs())->devices_size(), 0);
}

TEST_F(FleetTest, NoDeviceCanStoreMoreThan64KiBOrWhatTheServerDoesNotKnow) {
  hello_.GetReflection()->MutableUnknownFields(&hello_)->AddLengthDelimited(
      900, std::string(30'000, 'u'));
  v1::HelloResponse response;
  ASSERT_TRUE(Hello(&response).ok());
  EXPECT_LT(catalog_->ListDevices(clock_.WallNs())->devices(0).hello().ByteSizeLong(), 1000u);
  for (int i = 0; i < 20; ++i) {
    v1::RuleDescription* rule = hello_.add_rules();
    rule->set_name("rule");
    rule->set_expression(std::string(4000, 'x'));
  }
  const grpc::Status hello = Hello(&response);
  EXPECT_EQ(hello.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(hello.error_message(), HasSubstr("65536"));
  heartbeat_.GetReflection()
      ->MutableUnknownFields(&heartbeat_)
      ->AddLengthDelimited(900, std::string(70'000, 'u'));
  v1::HeartbeatResponse beat;
  EXPECT_EQ(Heartbeat(&beat).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(FleetTest, AMessageThatGrowsInMemoryIsRefusedBeforeItDoes) {
  // Empty rules: two bytes each here, forty times that once they are parsed.
  for (int i = 0; i < 40'000; ++i) hello_.add_rules();
  v1::HelloResponse response;
  const grpc::Status status = Hello(&response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("80"));
  EXPECT_THAT(status.error_message(), HasSubstr("65536"));
}

TEST(FleetCheck, NamesTheFieldThatBreaksARule) {
  const auto hello = [](const std::function<void(v1::HelloRequest*)>& how) {
    v1::HelloRequest request;
    request.set_boot_id(std::string(16, 'b'));
    how(&request);
    return std::string(Message(CheckHello(request)));
  };
  using H = v1::HelloRequest;
  EXPECT_EQ(hello([](H*) {}), "");
  EXPECT_THAT(hello([](H* h) { h->set_site("A"); }), HasSubstr("site"));
  EXPECT_THAT(hello([](H* h) { h->set_platform(std::string(5000, 'x')); }), HasSubstr("platform"));
  EXPECT_THAT(hello([](H* h) { h->add_cameras(); }), HasSubstr("cameras.name"));
  EXPECT_THAT(hello([](H* h) {
                for (int i = 0; i < 9; ++i) h->add_cameras()->set_name("c");
              }),
              HasSubstr("cameras"));
  EXPECT_THAT(hello([](H* h) {
                for (int i = 0; i < 65; ++i) h->add_rules()->set_name("r");
              }),
              HasSubstr("rules"));
  v1::HeartbeatRequest heartbeat;
  EXPECT_TRUE(absl::IsInvalidArgument(CheckHeartbeat(heartbeat)));
  heartbeat.set_boot_id(std::string(16, 'b'));
  EXPECT_TRUE(CheckHeartbeat(heartbeat).ok());
  heartbeat.set_policy_version(std::string(65, 'x'));
  EXPECT_THAT(std::string(Message(CheckHeartbeat(heartbeat))), HasSubstr("policy_version"));
}

}  // namespace
}  // namespace gleaner::cloud
