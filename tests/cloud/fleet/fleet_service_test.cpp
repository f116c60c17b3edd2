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
  std::unique_ptr<TestCatalog> catalog_ = *OpenTestCatalog(folder_ / "catalog.db");
  FleetOptions options_;
  FleetService service_{catalog_->devices, catalog_->damage, clock_, options_};
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
  const auto devices = *catalog_->devices.List(clock_.WallNs());
  ASSERT_EQ(devices.devices_size(), 1);
  EXPECT_EQ(devices.devices(0).name(), "cart-1");
  EXPECT_EQ(devices.devices(0).site(), "store-7");
}

TEST_F(FleetTest, ACallerWithoutAProperNameIsRefusedAtOnce) {
  stub_ = v1::FleetService::NewStub(
      grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->port()),
                          DeviceCredentials(pki_, pki_.Device("No Name"))));
  v1::HelloResponse response;
  const grpc::Status status = Hello(&response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << status.error_message();
  EXPECT_EQ(catalog_->devices.List(clock_.WallNs())->devices_size(), 0);
}

TEST_F(FleetTest, AHeartbeatBringsThePolicyOnlyWhenTheDeviceHasAnother) {
  v1::HeartbeatResponse response;
  heartbeat_.set_policy_version("old");
  ASSERT_TRUE(Heartbeat(&response).ok());
  ASSERT_TRUE(response.has_policy());
  heartbeat_.set_policy_version(response.policy().version());
  ASSERT_TRUE(Heartbeat(&response).ok());
  EXPECT_FALSE(response.has_policy());
  EXPECT_EQ(catalog_->devices.List(clock_.WallNs())->devices(0).state(), v1::Device::STATE_ONLINE);
}

TEST_F(FleetTest, AHeartbeatIsToldWhichCamerasSendDamage) {
  v1::HeartbeatResponse response;
  ASSERT_TRUE(Heartbeat(&response).ok());
  EXPECT_EQ(response.notices_size(), 0);
  const int64_t first_ns = clock_.WallNs();
  ASSERT_TRUE(catalog_->damage.Record("cart-1", "front", 3, first_ns).ok());
  ASSERT_TRUE(catalog_->damage.Record("cart-1", "front", 4, first_ns + 60 * kNanosPerSecond).ok());
  ASSERT_TRUE(catalog_->damage.Record("cart-2", "front", 9, first_ns).ok());
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
  EXPECT_EQ(catalog_->devices.List(clock_.WallNs())->devices_size(), 0);
}

TEST_F(FleetTest, NoDeviceCanStoreMoreThan64KiBOrWhatTheServerDoesNotKnow) {
  hello_.GetReflection()->MutableUnknownFields(&hello_)->AddLengthDelimited(
      900, std::string(30'000, 'u'));
  v1::HelloResponse response;
  ASSERT_TRUE(Hello(&response).ok());
  EXPECT_LT(catalog_->devices.List(clock_.WallNs())->devices(0).hello().ByteSizeLong(), 1000u);
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

TEST(FleetCheck, TakesEachTextUpToItsBoundAndNamesTheOneThatIsLonger) {
  // A field, its bound in bytes, and a message whose field has so many.
  struct Hello {
    const char* field;
    size_t most;
    std::function<void(v1::HelloRequest&, std::string)> set;
  };
  const Hello hellos[] = {
      {"software_version", 4096,
       [](auto& h, std::string text) { h.set_software_version(std::move(text)); }},
      {"platform", 4096, [](auto& h, std::string text) { h.set_platform(std::move(text)); }},
      {"cameras.source", 4096,
       [](auto& h, std::string text) { h.mutable_cameras(0)->set_source(std::move(text)); }},
      {"cameras.codec", 4096,
       [](auto& h, std::string text) { h.mutable_cameras(0)->set_codec(std::move(text)); }},
      {"cameras.encoder", 4096,
       [](auto& h, std::string text) { h.mutable_cameras(0)->set_encoder(std::move(text)); }},
      {"rules.expression", 4096,
       [](auto& h, std::string text) { h.mutable_rules(0)->set_expression(std::move(text)); }}};
  for (const Hello& hello : hellos) {
    v1::HelloRequest request;
    request.set_boot_id(std::string(16, 'b'));
    request.add_cameras()->set_name("front");
    request.add_rules()->set_name("hand");
    hello.set(request, std::string(hello.most, 'x'));
    EXPECT_TRUE(CheckHello(request).ok()) << hello.field;
    hello.set(request, std::string(hello.most + 1, 'x'));
    EXPECT_EQ(Message(CheckHello(request)), fmt::format("{} has {} bytes, at most {} are allowed",
                                                        hello.field, hello.most + 1, hello.most));
  }
  struct Beat {
    const char* field;
    size_t most;
    std::function<void(v1::HeartbeatRequest&, std::string)> set;
  };
  const Beat beats[] = {
      {"policy_version", 64,
       [](auto& h, std::string text) { h.set_policy_version(std::move(text)); }},
      {"upload.state", 64,
       [](auto& h, std::string text) { h.mutable_upload()->set_state(std::move(text)); }},
      {"problem", 512, [](auto& h, std::string text) { h.set_problem(std::move(text)); }},
      {"problems.part", 96,
       [](auto& h, std::string text) { h.mutable_problems(0)->set_part(std::move(text)); }},
      {"problems.text", 512,
       [](auto& h, std::string text) { h.mutable_problems(0)->set_text(std::move(text)); }},
      {"cameras.problem", 4096,
       [](auto& h, std::string text) { h.mutable_cameras(0)->set_problem(std::move(text)); }}};
  for (const Beat& beat : beats) {
    v1::HeartbeatRequest request;
    request.set_boot_id(std::string(16, 'b'));
    request.add_problems()->set_text("x");
    request.add_cameras()->set_name("front");
    beat.set(request, std::string(beat.most, 'x'));
    EXPECT_TRUE(CheckHeartbeat(request).ok()) << beat.field;
    beat.set(request, std::string(beat.most + 1, 'x'));
    EXPECT_EQ(Message(CheckHeartbeat(request)),
              fmt::format("{} has {} bytes, at most {} are allowed", beat.field, beat.most + 1,
                          beat.most));
  }
}

TEST(FleetCheck, TakesAsManyOfAKindAsThereMayBe) {
  v1::HelloRequest hello;
  hello.set_boot_id(std::string(16, 'b'));
  for (int i = 0; i < 8; ++i) hello.add_cameras()->set_name("c");
  for (int i = 0; i < 64; ++i) hello.add_rules()->set_name("r");
  EXPECT_TRUE(CheckHello(hello).ok());
  hello.add_rules()->set_name("r");
  EXPECT_EQ(Message(CheckHello(hello)), "rules has 65 entries, at most 64 are allowed");
  hello.mutable_rules()->RemoveLast();
  hello.mutable_rules(63)->set_name("no name");
  EXPECT_THAT(std::string(Message(CheckHello(hello))), HasSubstr("rules.name"));
  v1::HeartbeatRequest beat;
  beat.set_boot_id(std::string(16, 'b'));
  for (int i = 0; i < 8; ++i) beat.add_cameras()->set_name("c");
  for (int i = 0; i < 16; ++i) beat.add_problems()->set_text("x");
  EXPECT_TRUE(CheckHeartbeat(beat).ok());
  beat.add_cameras()->set_name("c");
  EXPECT_EQ(Message(CheckHeartbeat(beat)), "cameras has 9 entries, at most 8 are allowed");
  beat.mutable_cameras()->RemoveLast();
  beat.mutable_cameras(7)->set_name("no name");
  EXPECT_THAT(std::string(Message(CheckHeartbeat(beat))), HasSubstr("cameras.name"));
}

TEST(FleetPolicy, IsCalledByItsContents) {
  v1::Policy policy = FleetOptions().policy;
  const std::string version = policy.version();
  EXPECT_EQ(version.size(), 16u);
  NameVersion(&policy);
  EXPECT_EQ(policy.version(), version) << "whatever it was called before";
  policy.set_heartbeat_interval_s(11);
  NameVersion(&policy);
  EXPECT_NE(policy.version(), version);
  policy.set_heartbeat_interval_s(10);
  NameVersion(&policy);
  EXPECT_EQ(policy.version(), version);
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
