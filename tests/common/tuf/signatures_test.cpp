#include "common/tuf/signatures.h"

#include <gmock/gmock.h>

#include "tests/common/tuf/lab.h"

namespace gleaner::tuf {
namespace {

class TufSignatures : public testing::Test {
 protected:
  Signature By(const std::string& name, const std::string& message = "payload") {
    const PrivateKey& key = lab_.key(name);
    return {key.public_key().id, key.Sign(message).value()};
  }
  std::string Check(const std::vector<Signature>& signatures) {
    return NameOf(CheckSignatures(root_, Role::kTargets, "payload", signatures, "it"));
  }

  Lab lab_{1'800'000'000};
  Root root_ = lab_.FirstRoot();
};

TEST_F(TufSignatures, OfAllThatAreWantedAreEnough) {
  EXPECT_EQ(Check({By("targets1"), By("targets2")}), "ok");
  EXPECT_EQ(Check({By("stranger"), By("targets2"), By("targets1")}), "ok");
}

TEST_F(TufSignatures, ThatAreTooFewAreNamed) {
  EXPECT_EQ(Check({By("targets1")}), "too_few_signatures");
  EXPECT_EQ(Check({By("targets1"), By("stranger")}), "too_few_signatures");
  EXPECT_EQ(Check({By("targets1"), By("targets1")}), "too_few_signatures");
  EXPECT_EQ(Check({}), "too_few_signatures");
}

TEST_F(TufSignatures, OfKeysThatTheRootDoesNotNameAreNamed) {
  EXPECT_EQ(Check({By("stranger")}), "wrong_key");
  EXPECT_EQ(Check({By("root1"), By("root2")}), "wrong_key");
}

TEST_F(TufSignatures, OfOtherBytesAreNamed) {
  EXPECT_EQ(Check({By("targets1"), By("targets2", "payloae")}), "bad_signature");
  Signature swapped = By("targets1");
  swapped.key_id = By("targets2").key_id;
  EXPECT_EQ(Check({By("targets1"), swapped}), "bad_signature");
}

TEST_F(TufSignatures, AreListedByTheKeysOfTheRoleThatSignedTheseBytes) {
  EXPECT_EQ(Signers(root_, Role::kTargets, "payload",
                    {By("stranger"), By("targets2"), By("targets1", "payloae"), By("root1")}),
            std::vector<std::string>{By("targets2").key_id});
}

// The specification counts keys, and a key can be written down in more than one way.
TEST_F(TufSignatures, OfOneKeyUnderTwoNamesCountOnce) {
  PublicKey twin = lab_.key("targets1").public_key();
  const std::string first = twin.id;
  twin.id = std::string(64, 'a');
  root_.keys[twin.id] = twin;
  root_.Of(Role::kTargets).key_ids = {first, twin.id};
  Signature again = By("targets1");
  again.key_id = twin.id;
  EXPECT_EQ(Check({By("targets1"), again}), "too_few_signatures");
  EXPECT_EQ(Signers(root_, Role::kTargets, "payload", {By("targets1"), again}),
            std::vector<std::string>{first});
}

}  // namespace
}  // namespace gleaner::tuf
