// Who gets in: certificates, names, plaintext, and what the listener says of bad files.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "common/status.h"
#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

class TrustTest : public IngestTest {
 protected:
  grpc::Status EndOf(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    TestDevice device(address_, credentials);
    device.Send(OfferOf(MakeClip("cart-1", 1)));
    EXPECT_FALSE(device.Read().has_value());
    return device.Finish();
  }
};

TEST_F(TrustTest, NobodyGetsInWithoutACertificateOfTheOwnersAuthority) {
  TestPki stranger;
  const auto strange = stranger.Device("cart-1");
  const auto expired = pki_.ExpiredDevice("cart-1");
  EXPECT_EQ(EndOf(grpc::SslCredentials({pki_.ca(), "", ""})).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(EndOf(grpc::SslCredentials({pki_.ca(), strange.key, strange.certificate})).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(EndOf(DeviceCredentials(pki_, expired)).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(EndOf(grpc::InsecureChannelCredentials()).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(service_->stats().streams_total, 0u);
}

TEST_F(TrustTest, ReplacedFilesTakeEffectWithoutARestart) {
  Stop();
  door_.tls.reload_s = 1;
  Start();
  TestPki next;
  const auto old_device = pki_.Device("cart-1"), new_device = next.Device("cart-1");
  // Each trusts the server that it meets: it is for the server to refuse.
  EXPECT_TRUE(TestDevice(address_, DeviceCredentials(pki_, old_device))
                  .Upload(MakeClip("cart-1", 1))
                  .receipt.has_value());
  EXPECT_EQ(EndOf(DeviceCredentials(pki_, new_device)).error_code(), grpc::StatusCode::UNAVAILABLE);
  next.Write(folder_.path());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  bool taken = false;
  while (!taken && std::chrono::steady_clock::now() < deadline) {
    TestDevice device(address_, DeviceCredentials(next, new_device));
    device.Send(OfferOf(MakeClip("cart-1", 2)));
    taken = device.Read().has_value();
  }
  EXPECT_TRUE(taken);
  EXPECT_EQ(EndOf(DeviceCredentials(next, old_device)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TrustTest, ACertificateMustNameADevice) {
  for (const char* name : {"Cart 1", "../cart", "-cart"}) {
    const grpc::Status status = EndOf(DeviceCredentials(pki_, pki_.Device(name)));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << name;
  }
}

TEST_F(TrustTest, ACertificateThatCanBeReadInTwoWaysIsRefusedWithWhatIsWrong) {
  const auto refusal = [&](const std::vector<std::string>& names, const std::string& more = "") {
    const grpc::Status status = EndOf(DeviceCredentials(pki_, pki_.OddDevice(names, more)));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    return status.error_message();
  };
  EXPECT_THAT(refusal({"cart-1", "cart-2"}), HasSubstr("more than one common name"));
  EXPECT_THAT(refusal({"cart-1", "cart-1"}), HasSubstr("more than one common name"));
  EXPECT_THAT(refusal({std::string("cart-1\0.evil", 12)}), HasSubstr("cart-1\\x00.evil"));
  EXPECT_THAT(refusal({"cart-1\n"}), HasSubstr("cart-1\\n"));
  EXPECT_THAT(refusal({std::string(64, 'a')}), HasSubstr("1 to 63"));
  EXPECT_THAT(refusal({std::string(5000, 'a')}), HasSubstr("1 to 63"));
  EXPECT_THAT(refusal({""}), HasSubstr("1 to 63"));
  EXPECT_THAT(refusal({}, "DNS:cart-1"), HasSubstr("no common name"));
}

TEST_F(TrustTest, AlternativeNamesGiveNoOtherName) {
  const auto identity = pki_.OddDevice({"cart-1"}, "DNS:cart-2,DNS:cart-3");
  TestDevice device(address_, DeviceCredentials(pki_, identity));
  EXPECT_TRUE(device.Upload(MakeClip("cart-2", 1)).refused);
  EXPECT_TRUE(device.Upload(MakeClip("cart-1", 1)).receipt.has_value());
}

TEST_F(TrustTest, OverTlsTheMetadataIsNotBelieved) {
  TestDevice device(address_, DeviceCredentials(pki_, pki_.Device("cart-1")), "cart-2");
  EXPECT_TRUE(device.Upload(MakeClip("cart-2", 1)).refused);
  EXPECT_TRUE(device.Upload(MakeClip("cart-1", 1)).receipt.has_value());
}

TEST_F(TrustTest, OverPlaintextTheMetadataNamesTheDevice) {
  Stop();
  options_.trust_metadata = true;
  door_.plaintext = true;
  Start();
  TestDevice device(address_, grpc::InsecureChannelCredentials(), "cart-3");
  EXPECT_TRUE(device.Upload(MakeClip("cart-3", 1)).receipt.has_value());
  TestDevice nameless(address_, grpc::InsecureChannelCredentials());
  EXPECT_EQ(nameless.Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(TrustTest, APortHasOneServer) {
  DeviceServerOptions second = door_;
  second.listen.port = server_->port();
  IngestService service(catalog_->uploads, catalog_->names, *blobs_, **objects_, clock_, options_);
  const auto server = DeviceServer::Start(second, {&service}, clock_);
  EXPECT_THAT(std::string(Message(server.status())), HasSubstr("in use"));
}

TEST_F(TrustTest, BadFilesAreNamedWithWhatIsWrong) {
  const auto error = [&](const TlsFiles& files) {
    const auto credentials = MakeTlsCredentials(files);
    EXPECT_FALSE(credentials.ok());
    return std::string(Message(credentials.status()));
  };
  std::ofstream(folder_ / "empty.pem") << "nothing";
  ASSERT_EQ(::chmod((folder_ / "empty.pem").c_str(), 0600), 0);
  TlsFiles options = door_.tls;
  options.ca = folder_ / "missing.pem";
  EXPECT_THAT(error(options), HasSubstr("missing.pem"));
  options = door_.tls;
  options.ca = folder_ / "empty.pem";
  EXPECT_THAT(error(options), HasSubstr("empty.pem: holds no PEM certificate"));
  options = door_.tls;
  options.key = folder_ / "empty.pem";
  EXPECT_THAT(error(options), HasSubstr("empty.pem: holds no PEM private key"));
  pki_.Write(folder_.path(), "other", pki_.Device("other"));
  options = door_.tls;
  options.key = folder_ / "other.key";
  EXPECT_THAT(error(options), HasSubstr("other.key: is not the key of"));
  for (const mode_t mode : {0644, 0604, 0602, 0660}) {
    ASSERT_EQ(::chmod(door_.tls.key.c_str(), mode), 0);
    EXPECT_THAT(error(door_.tls), HasSubstr("server.key")) << mode;
    EXPECT_THAT(error(door_.tls), HasSubstr("chmod")) << mode;
  }
  // A service's own group may read what root has put there.
  ASSERT_EQ(::chmod(door_.tls.key.c_str(), 0640), 0);
  EXPECT_TRUE(MakeTlsCredentials(door_.tls).ok());
}

}  // namespace
}  // namespace gleaner::cloud
