// Who gets in: certificates, names, plaintext, and what the listener says of bad files.
#include <gmock/gmock.h>

#include <fstream>

#include "cloud/ingest/tls.h"
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
  listener_.reload_s = 1;
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

TEST_F(TrustTest, OverTlsTheMetadataIsNotBelieved) {
  TestDevice device(address_, DeviceCredentials(pki_, pki_.Device("cart-1")), "cart-2");
  EXPECT_TRUE(device.Upload(MakeClip("cart-2", 1)).refused);
  EXPECT_TRUE(device.Upload(MakeClip("cart-1", 1)).receipt.has_value());
}

TEST_F(TrustTest, OverPlaintextTheMetadataNamesTheDevice) {
  Stop();
  options_.trust_metadata = true;
  listener_.plaintext = true;
  Start();
  TestDevice device(address_, grpc::InsecureChannelCredentials(), "cart-3");
  EXPECT_TRUE(device.Upload(MakeClip("cart-3", 1)).receipt.has_value());
  TestDevice nameless(address_, grpc::InsecureChannelCredentials());
  EXPECT_EQ(nameless.Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(TrustTest, APortHasOneServer) {
  DeviceListenerOptions second = listener_;
  second.address = "127.0.0.1" + address_.substr(address_.find(':'));
  grpc::ServerBuilder builder;
  int port = -1;
  AddDeviceListener(builder, second, *MakeServerCredentials(second), &port);
  IngestService service(*catalog_, *blobs_, clock_, options_);
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  EXPECT_TRUE(server == nullptr || port == 0);
}

TEST_F(TrustTest, BadFilesAreNamedWithWhatIsWrong) {
  const auto error = [&](const DeviceListenerOptions& options) {
    const auto credentials = MakeServerCredentials(options);
    EXPECT_FALSE(credentials.ok());
    return std::string(Message(credentials.status()));
  };
  std::ofstream(folder_ / "empty.pem") << "nothing";
  DeviceListenerOptions options = listener_;
  options.ca = folder_ / "missing.pem";
  EXPECT_THAT(error(options), HasSubstr("missing.pem"));
  options = listener_;
  options.ca = folder_ / "empty.pem";
  EXPECT_THAT(error(options), HasSubstr("empty.pem holds no certificate"));
  options = listener_;
  options.key = folder_ / "empty.pem";
  EXPECT_THAT(error(options), HasSubstr("empty.pem holds no private key"));
  pki_.Write(folder_.path(), "other", pki_.Device("other"));
  options = listener_;
  options.key = folder_ / "other.key";
  EXPECT_THAT(error(options), HasSubstr("other.key is not the key of"));
}

}  // namespace
}  // namespace gleaner::cloud
