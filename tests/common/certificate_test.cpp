#include "common/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include "common/status.h"
#include "tests/data/pki.h"

namespace gleaner {
namespace {

using testing::HasSubstr;

class CertificateTest : public testing::Test {
 protected:
  // The name in the certificate of a device that has these common names, or why there is none.
  std::string Name(const std::vector<std::string>& names) {
    const auto certificate = ParseCertificate(pki_.OddDevice(names).certificate, "device.pem");
    const auto name = DeviceNameIn(**certificate);
    return name.ok() ? *name : std::string(Message(name.status()));
  }

  TestPki pki_;
};

TEST_F(CertificateTest, NamesTheDevice) { EXPECT_EQ(Name({"cart-1"}), "cart-1"); }

TEST_F(CertificateTest, HasOneNameThatIsAName) {
  EXPECT_THAT(Name({}), HasSubstr("has no common name (CN)"));
  EXPECT_THAT(Name({"cart-1", "cart-1"}), HasSubstr("has more than one common name (CN)"));
  EXPECT_THAT(Name({"Cart 1"}), HasSubstr("common name \"Cart 1\" is not a name"));
  EXPECT_THAT(Name({""}), HasSubstr("is not a name"));
}

TEST_F(CertificateTest, BelongsToItsKeyAndNoOther) {
  const TestPki::Identity one = pki_.Device("cart-1"), other = pki_.Device("cart-1");
  const auto certificate = *ParseCertificate(one.certificate, "device.pem");
  EXPECT_TRUE(IsKeyOf(**ParsePrivateKey(one.key, "device.key"), *certificate));
  EXPECT_FALSE(IsKeyOf(**ParsePrivateKey(other.key, "device.key"), *certificate));
}

TEST_F(CertificateTest, AFileThatHoldsSomethingElseIsNamed) {
  const TestPki::Identity one = pki_.Device("cart-1");
  EXPECT_EQ(Message(ParseCertificate(one.key, "device.pem").status()),
            "device.pem: holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
  EXPECT_EQ(Message(ParsePrivateKey(one.certificate, "device.key").status()),
            "device.key: holds no PEM private key without a pass phrase");
  EXPECT_FALSE(ParseCertificate("", "device.pem").ok());
  EXPECT_EQ(ERR_peek_error(), 0u) << "or the next call of the library's on this thread finds it";
}

}  // namespace
}  // namespace gleaner
