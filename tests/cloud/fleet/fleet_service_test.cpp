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
    DeviceListenerOptions listener;
    listener.address = "127.0.0.1:0";
    listener.ca = folder_ / "ca.pem";
    listener.certificate = folder_ / "server.pem";
    listener.key = folder_ / "server.key";
    grpc::ServerBuilder builder;
    int port = 0;
    AddDeviceListener(builder, listener, *MakeServerCredentials(listener), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::FleetService::NewStub(grpc::CreateChannel(
        fmt::format("127.0.0.1:{}", port), DeviceCredentials(pki_, pki_.Device("cart-1"))));
    hello_.set_boot_id(std::string(16, 'b'));
    hello_.set_site("store-7");
    heartbeat_.set_boot_id(std::string(16, 'b'));
  }
  ~FleetTest() override {
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
  }

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
  std::unique_ptr<grpc::Server> server_;
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

TEST_F(FleetTest, WhatBreaksABoundIsRefusedAndNotKept) {
  v1::HelloResponse response;
  hello_.set_boot_id("short");
  EXPECT_EQ(Hello(&response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::HeartbeatResponse beat;
  heartbeat_.set_problem(std::string(513, 'x'));
  const grpc::Status status = Heartbeat(&beat);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("problem"));
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
