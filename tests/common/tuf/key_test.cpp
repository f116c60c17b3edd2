#include "common/tuf/key.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "absl/strings/escaping.h"
#include "common/file.h"
#include "common/status.h"
#include "common/tuf/hex.h"
#include "tests/data/shell.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::tuf {
namespace {

// RFC 8032, section 7.1, TEST 2.
TEST(TufKey, VerifiesTheSignatureOfTheStandard) {
  std::array<uint8_t, 32> bytes{};
  ASSERT_TRUE(ReadHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", bytes));
  const PublicKey key = PublicKey::Of(bytes);
  std::string signature(64, '\0');
  ASSERT_TRUE(
      ReadHex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
              "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
              signature));
  EXPECT_TRUE(key.Verifies("\x72", signature));
  EXPECT_FALSE(key.Verifies("\x73", signature));
  EXPECT_FALSE(key.Verifies("\x72", signature.substr(1)));
  signature[0] = static_cast<char>(signature[0] ^ 1);
  EXPECT_FALSE(key.Verifies("\x72", signature));
}

TEST(TufKey, IsNamedByTheDigestOfItsCanonicalForm) {
  const PublicKey key = PublicKey::Of({});
  EXPECT_EQ(key.ToText(), R"({"keytype":"ed25519","keyval":{"public":")" + std::string(64, '0') +
                              R"("},"scheme":"ed25519"})"
                              "\n");
  const auto [status, digest] =
      Shell("printf %s '" + key.ToText().substr(0, key.ToText().size() - 1) + "' | sha256sum");
  EXPECT_EQ(key.id + "  -\n", digest);
}

TEST(TufKey, GoesThroughItsFilesAndSigns) {
  TemporaryFolder folder;
  const PrivateKey made = PrivateKey::Generate().value();
  ASSERT_TRUE(WriteFileDurably(folder / "key", made.ToPem()).ok());
  const PrivateKey read = PrivateKey::Read(folder / "key").value();
  EXPECT_EQ(read.public_key().id, made.public_key().id);
  const PublicKey key = PublicKey::Parse(made.public_key().ToText(), "it").value();
  EXPECT_EQ(key.id, made.public_key().id);
  EXPECT_TRUE(key.Verifies("message", read.Sign("message").value()));
  // OpenSSL's own command reads it.
  const auto [status, text] = Shell("openssl pkey -in " + folder / "key" + " -noout -text");
  EXPECT_EQ(status, 0);
  EXPECT_THAT(text, testing::HasSubstr("ED25519 Private-Key"));
}

TEST(TufKey, IsRefusedWhereOthersCouldHaveReadIt) {
  TemporaryFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "key", PrivateKey::Generate()->ToPem(), 0644).ok());
  ASSERT_EQ(chmod((folder / "key").c_str(), 0644), 0);
  const auto key = PrivateKey::Read(folder / "key");
  EXPECT_TRUE(absl::IsPermissionDenied(key.status())) << key.status();
}

TEST(TufKey, IsNotItsPublicHalf) {
  TemporaryFolder folder;
  const std::string text = PublicKey::Of({}).ToText();
  const auto refused = [&](const std::string& name, int mode, const std::string& why) {
    ASSERT_TRUE(WriteFileDurably(folder / name, text).ok());
    ASSERT_EQ(chmod((folder / name).c_str(), static_cast<mode_t>(mode)), 0);
    const auto key = PrivateKey::Read(folder / name);
    EXPECT_TRUE(absl::IsInvalidArgument(key.status())) << key.status();
    EXPECT_THAT(std::string(Message(key.status())), testing::EndsWith(why));
  };
  for (const int mode : {0644, 0600}) {
    refused("anna.pub", mode, "the private half, which signs, is " + folder / "anna");
    refused("anna", mode, "only the private half, the other file, signs");
  }
}

TEST(TufKey, OfAnotherKindIsRefused) {
  TemporaryFolder folder;
  Shell("umask 077; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " +
        folder / "key");
  EXPECT_THAT(Message(PrivateKey::Read(folder / "key").status()),
              testing::HasSubstr("is not an Ed25519 key"));
  EXPECT_FALSE(PublicKey::Parse("{}", "it").ok());
  EXPECT_FALSE(PublicKey::Parse("nonsense", "it").ok());
  std::string text = PublicKey::Of({}).ToText();
  text.replace(text.find("ed25519"), 7, "ecdsa");
  EXPECT_FALSE(PublicKey::Parse(text, "it").ok());
}

}  // namespace
}  // namespace gleaner::tuf
