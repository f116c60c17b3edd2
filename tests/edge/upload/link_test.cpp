#include "edge/upload/link.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "common/file.h"
#include "common/status.h"
#include "common/version.h"
#include "edge/upload/trouble.h"
#include "edge/upload/unary.h"
#include "gleaner/v1/fleet.grpc.pb.h"
#include "tests/data/log_lines.h"
#include "tests/data/pki.h"
#include "tests/edge/upload/fake_cloud.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {
namespace {

using testing::HasSubstr;

absl::StatusOr<LinkOptions> ReadOptions(std::string_view text) {
  ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Parse(text, "test.toml"));
  const LinkOptions options = LinkOptions::Read(reader);
  RETURN_IF_ERROR(reader.Finish());
  return options;
}

TEST(LinkOptions, ReadsTheServerTable) {
  const auto options = ReadOptions(R"(
    address = "cloud.example:7443"
    ca = "/etc/gleaner/ca.pem"
    certificate = "/etc/gleaner/device.pem"
    key = "/etc/gleaner/device.key"
    server_name = "cloud")");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->server, "cloud.example:7443");
  EXPECT_EQ(options->server_name, "cloud");
}

TEST(LinkOptions, RefusesPlaintextToAnotherMachine) {
  EXPECT_TRUE(ReadOptions("address = \"127.0.0.1:1\"\nplaintext = true").ok());
  EXPECT_TRUE(ReadOptions("address = \"[::1]:1\"\nplaintext = true").ok());
  const auto refused = ReadOptions("address = \"10.0.0.1:1\"\nplaintext = true");
  EXPECT_THAT(refused.status().ToString(), HasSubstr("test.toml:2:13: plaintext"));
  LinkOptions options;
  options.server = "cloud.example:7443";
  options.plaintext = true;
  EXPECT_TRUE(absl::IsInvalidArgument(Link::Open(options, RealClock()).status()));
}

TEST(LinkOptions, NamesEveryMistake) {
  const auto options = ReadOptions("address = \"cloud.example\"\nca = \"\"");
  const std::string text = options.status().ToString();
  EXPECT_THAT(text, HasSubstr("is not host:port"));
  EXPECT_THAT(text, HasSubstr("ca"));
  EXPECT_THAT(text, HasSubstr("certificate"));
  EXPECT_THAT(text, HasSubstr("key"));
}

TEST(IsLoopback, KnowsThisMachineOnly) {
  for (const char* yes : {"localhost:1", "127.0.0.1:65535", "127.1.2.3:80", "[::1]:7443"}) {
    EXPECT_TRUE(IsLoopback(yes)) << yes;
  }
  for (const char* no : {"localhost", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1.evil.example:80",
                         "localhost.example:80", "[::2]:80", "::1", "0.0.0.0:80", ":80", ""}) {
    EXPECT_FALSE(IsLoopback(no)) << no;
  }
}

class Identities : public testing::Test {
 protected:
  absl::StatusOr<Identity> Load(int64_t in_days = 0) {
    return LoadIdentity(authority_.path("ca.pem"), authority_.path("cart-1.pem"),
                        authority_.path("cart-1.key"),
                        RealClock().WallNs() / kNanosPerSecond + in_days * 86400);
  }
  void Overwrite(const std::string& file, std::string_view text) {
    ASSERT_TRUE(WriteFileDurably(authority_.path(file), text).ok());
  }

  TestAuthority authority_;
  Identities() { authority_.Issue("cart-1"); }
};

TEST_F(Identities, TakeTheDevicesNameFromTheCertificate) {
  const auto identity = Load();
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->name, "cart-1");
  EXPECT_THAT(identity->warnings, testing::IsEmpty());
}

TEST_F(Identities, NameTheFileThatIsMissing) {
  std::filesystem::remove(authority_.path("cart-1.key"));
  EXPECT_TRUE(absl::IsNotFound(Load().status()));
  EXPECT_THAT(Load().status().ToString(), HasSubstr("cart-1.key"));
}

TEST_F(Identities, NameTheFileThatIsNotPem) {
  Overwrite("cart-1.pem", "not a certificate");
  EXPECT_THAT(Load().status().ToString(), HasSubstr("cart-1.pem: holds no PEM certificate"));
  authority_.Issue("cart-1");
  Overwrite("ca.pem", "");
  EXPECT_THAT(Load().status().ToString(), HasSubstr("ca.pem: holds no PEM certificate"));
  Overwrite("cart-1.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  std::filesystem::copy_file(authority_.path("cart-1.pem"), authority_.path("ca.pem"),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(Load().status().ToString(), HasSubstr("cart-1.key: holds no PEM private key"));
}

TEST_F(Identities, RefuseAKeyOfAnotherCertificate) {
  authority_.Issue("cart-2");
  std::filesystem::copy_file(authority_.path("cart-2.key"), authority_.path("cart-1.key"),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(Load().status().ToString(),
              HasSubstr("cart-1.key: is not the key of the certificate"));
}

TEST_F(Identities, WarnOfACertificateOutOfItsDatesButGoOn) {
  const auto expired = Load(60);
  ASSERT_TRUE(expired.ok());
  EXPECT_THAT(expired->warnings,
              testing::Contains(HasSubstr("cart-1.pem: the certificate expired")));
  const auto early = Load(-60);
  ASSERT_TRUE(early.ok());
  EXPECT_THAT(early->warnings, testing::Contains(HasSubstr("valid from")));
}

TEST_F(Identities, RefuseAKeyThatEveryoneMayRead) {
  for (const mode_t mode : {0644, 0604, 0601, 0660}) {
    ASSERT_EQ(chmod(authority_.path("cart-1.key").c_str(), mode), 0);
    EXPECT_TRUE(absl::IsPermissionDenied(Load().status())) << mode;
    EXPECT_THAT(Load().status().ToString(), HasSubstr("cart-1.key can be ")) << mode;
    EXPECT_THAT(Load().status().ToString(), HasSubstr("chmod ")) << mode;
  }
  ASSERT_EQ(chmod(authority_.path("cart-1.key").c_str(), 0640), 0);  // root's, for our group
  EXPECT_TRUE(Load().ok());
}

TEST_F(Identities, RefuseACertificateThatCanBeReadInTwoWays) {
  TestPki pki;
  const auto error = [&](const std::vector<std::string>& names) {
    const TestPki::Identity odd = pki.OddDevice(names);
    Overwrite("cart-1.pem", odd.certificate);
    Overwrite("cart-1.key", odd.key);
    return Load().status().ToString();
  };
  EXPECT_THAT(error({"cart-1", "cart-2"}), HasSubstr("cart-1.pem: the certificate has more than"));
  EXPECT_THAT(error({std::string("cart-1\0x", 8)}), HasSubstr("\"cart-1\\x00x\" is not a name"));
  EXPECT_THAT(error({std::string(64, 'a')}), HasSubstr("is not a name"));
  EXPECT_THAT(error({}), HasSubstr("no common name"));
  EXPECT_EQ(error({"cart-1"}), "OK");
}

// A server that wants a client's certificate from its own authority.
class MutualTls : public testing::Test {
 protected:
  MutualTls() { authority_.Issue("cart-1"); }

  std::shared_ptr<grpc::ServerCredentials> Credentials() {
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = *ReadFile(authority_.path("ca.pem"), 1 << 20);
    options.pem_key_cert_pairs.push_back({*ReadFile(authority_.path("localhost.key"), 1 << 20),
                                          *ReadFile(authority_.path("localhost.pem"), 1 << 20)});
    return grpc::SslServerCredentials(options);
  }
  absl::Status SayHello(Link& link) {
    v1::HelloRequest request;
    v1::HelloResponse response;
    const auto stub = v1::FleetService::NewStub(link.Channel());
    return CallUnary(link, {}, 10 * kNanosPerSecond, [&](grpc::ClientContext* context) {
      return stub->Hello(context, request, &response);
    });
  }
  // Why there is no connection.
  std::string Trouble(Link& link) {
    const absl::Status status = SayHello(link);
    EXPECT_TRUE(IsUnreachable(status)) << status;
    return std::string(Message(status));
  }

  TestAuthority authority_;
};

TEST_F(MutualTls, ConnectsWithACertificateOfTheServersAuthority) {
  FakeCloud cloud(Credentials());
  auto link = Link::Open(authority_.Options(cloud.address(), "cart-1"), RealClock());
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ((*link)->certificate_name(), "cart-1");
  EXPECT_TRUE(SayHello(**link).ok());
  // The certificate names the device, nothing else does.
  EXPECT_THAT(cloud.devices, testing::ElementsAre(""));
}

TEST_F(MutualTls, IsRefusedWithACertificateOfAnotherAuthority) {
  FakeCloud cloud(Credentials());
  TestAuthority other;
  other.Issue("cart-1");
  LinkOptions options = other.Options(cloud.address(), "cart-1");
  options.ca = authority_.path("ca.pem");
  auto link = Link::Open(options, RealClock());
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ(Trouble(**link), "no connection to " + cloud.address() +
                                 ": it hung up: is this the devices' port, and does the server's "
                                 "tls.ca vouch for " +
                                 options.certificate + " (server.certificate)?");
}

TEST_F(MutualTls, RefusesAServerOfAnotherAuthorityOrName) {
  FakeCloud cloud(Credentials());
  TestAuthority other;
  LinkOptions options = authority_.Options(cloud.address(), "cart-1");
  options.ca = other.path("ca.pem");
  EXPECT_EQ(Trouble(**Link::Open(options, RealClock())),
            "no connection to " + cloud.address() +
                ": its certificate is not of the authority in " + options.ca +
                " (server.ca), or not valid now");
  options = authority_.Options(cloud.address(), "cart-1");
  options.server_name = "another.example";
  EXPECT_EQ(Trouble(**Link::Open(options, RealClock())),
            "no connection to " + cloud.address() +
                ": its certificate is for another name; server.server_name says which one to "
                "expect");
}

TEST_F(MutualTls, ATroubleThatAllCallsShareIsLoggedOnceUntilAConnectionComesAbout) {
  FakeCloud cloud(Credentials());
  auto link = Link::Open(authority_.Options(cloud.address(), "cart-1"), RealClock());
  ASSERT_TRUE(link.ok()) << link.status();
  LogLines lines(/*for_journal=*/true);
  const std::string trouble =
      "no connection to " + cloud.address() + ": nobody listens there (Connection refused)";
  for (int i = 0; i < 2; ++i) {
    cloud.Stop();
    // A call may still go into the connection that has just ended.
    while (!IsUnreachable(SayHello(**link))) {
    }
    for (int call = 0; call < 3; ++call) EXPECT_EQ(Trouble(**link), trouble);
    cloud.Start();
    EXPECT_TRUE(SayHello(**link).ok());
  }
  EXPECT_EQ(lines.text(), "<4>" + trouble + "\n<4>" + trouble + "\n");
}

TEST_F(MutualTls, NamesAServerThatSpeaksNoTlsAndANameThatIsNotKnown) {
  FakeCloud plain;
  EXPECT_THAT(Trouble(**Link::Open(authority_.Options(plain.address(), "cart-1"), RealClock())),
              HasSubstr("is this the devices' port"));
  EXPECT_EQ(Trouble(**Link::Open(authority_.Options("no-such-machine.invalid:7443", "cart-1"),
                                 RealClock())),
            "no connection to no-such-machine.invalid:7443: its name is not known here; "
            "server.address says it");
}

TEST_F(MutualTls, TakesUpARenewedCertificateWithoutARestart) {
  FakeCloud cloud(Credentials());
  TestAuthority other;  // the device was first enrolled with the wrong authority
  other.Issue("cart-1");
  LinkOptions options = other.Options(cloud.address(), "cart-1");
  options.ca = authority_.path("ca.pem");
  auto link = Link::Open(options, RealClock());
  ASSERT_TRUE(link.ok());
  ASSERT_FALSE(SayHello(**link).ok());
  const auto replace = std::filesystem::copy_options::overwrite_existing;
  // In the middle of the rotation key and certificate don't match: the link goes on as it was.
  std::filesystem::copy_file(authority_.path("cart-1.pem"), other.path("cart-1.pem"), replace);
  EXPECT_FALSE(SayHello(**link).ok());
  std::filesystem::copy_file(authority_.path("cart-1.key"), other.path("cart-1.key"), replace);
  EXPECT_TRUE(SayHello(**link).ok());
}

TEST_F(MutualTls, BecomesNoOtherDeviceWhileItRuns) {
  FakeCloud cloud(Credentials());
  auto link = Link::Open(authority_.Options(cloud.address(), "cart-1"), RealClock());
  ASSERT_TRUE(link.ok());
  authority_.Issue("cart-2");
  for (const char* file : {".pem", ".key"}) {
    std::filesystem::copy_file(authority_.path(std::string("cart-2") + file),
                               authority_.path(std::string("cart-1") + file),
                               std::filesystem::copy_options::overwrite_existing);
  }
  EXPECT_TRUE(SayHello(**link).ok());
  EXPECT_EQ((*link)->certificate_name(), "cart-1");
}

TEST_F(MutualTls, WarnsOfDatesOnlyWhenFilesAreRenewedForThoseOfTheFirstTheConfigurationTold) {
  FakeClock long_after;
  long_after.StepWall(RealClock().WallNs() - long_after.WallNs() + 60 * 86'400 * kNanosPerSecond);
  LogLines lines;
  auto link = Link::Open(authority_.Options("localhost:1", "cart-1"), long_after);
  ASSERT_TRUE(link.ok()) << link.status();
  (*link)->Channel();
  EXPECT_EQ(lines.text(), "");
  authority_.Issue("cart-1");
  (*link)->Channel();
  EXPECT_THAT(lines.text(), HasSubstr("cart-1.pem: the certificate expired at"));
}

TEST_F(MutualTls, LooksAtFilesAgainOnlyWhenTheyHaveChanged) {
  auto link = Link::Open(authority_.Options("localhost:1", "cart-1"), RealClock());
  ASSERT_TRUE(link.ok()) << link.status();
  const auto first = (*link)->Channel();
  EXPECT_EQ((*link)->Channel(), first);
  LogLines lines;
  std::filesystem::remove(authority_.path("cart-1.key"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*link)->Channel(), first) << "goes on with what it has";
  const std::string text = lines.text();
  EXPECT_THAT(text, HasSubstr("can't be used"));
  EXPECT_EQ(text.find("can't be used"), text.rfind("can't be used")) << text;
  authority_.Issue("cart-1");
  const auto renewed = (*link)->Channel();
  EXPECT_NE(renewed, first);
  EXPECT_EQ((*link)->Channel(), renewed);
}

TEST(Link, ReplacesAConnectionThatWasForgottenAndNoOther) {
  auto link = PlainLink("localhost:1", RealClock());
  const auto first = link->Channel();
  EXPECT_EQ(link->Channel(), first);
  link->Forget();
  const auto second = link->Channel();
  EXPECT_NE(second, first);
  EXPECT_EQ(link->Channel(), second);
}

// One call to a server on this machine.
class HelloTest : public testing::Test {
 protected:
  absl::Status Hello() {
    v1::HelloResponse response;
    const auto stub = v1::FleetService::NewStub(link_->Channel());
    return CallUnary(*link_, {}, 10 * kNanosPerSecond, [&](grpc::ClientContext* context) {
      return stub->Hello(context, v1::HelloRequest(), &response);
    });
  }

  FakeCloud cloud_;
  std::unique_ptr<Link> link_ = PlainLink(cloud_.address(), RealClock());
};

TEST_F(HelloTest, ReachesAServerThatCameBackAtOnce) {
  cloud_.Stop();
  // gRPC's own back-off would have grown to many seconds by now.
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(absl::IsUnavailable(Hello()));
  cloud_.Start();
  EXPECT_TRUE(Hello().ok());
  EXPECT_THAT(cloud_.devices, testing::ElementsAre("test-device"));
}

TEST_F(HelloTest, TellsWhichReleaseTheDeviceRuns) {
  ASSERT_TRUE(Hello().ok());
  EXPECT_THAT(cloud_.agents,
              testing::ElementsAre(testing::StartsWith(fmt::format("gleaner-edge/{}", Version()))));
}

TEST_F(HelloTest, GoesThroughNoProxyToAServerOnThisMachine) {
  ASSERT_EQ(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
  link_ = PlainLink(cloud_.address(), RealClock());
  const absl::Status status = Hello();
  unsetenv("http_proxy");
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(HelloTest, TakesNoAnswerOfMoreThanAQuarterOfAMebibyte) {
  size_t bytes = 0;
  cloud_.on_hello = [&](const v1::HelloRequest&, v1::HelloResponse* response) {
    response->mutable_policy()->set_version(std::string(bytes, 'x'));
    return grpc::Status::OK;
  };
  bytes = 255 << 10;
  EXPECT_TRUE(Hello().ok());
  bytes = 256 << 10;
  EXPECT_TRUE(absl::IsResourceExhausted(Hello()));
}

}  // namespace
}  // namespace gleaner::edge
