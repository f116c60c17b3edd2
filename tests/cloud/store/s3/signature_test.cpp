#include "cloud/store/s3/signature.h"

#include <gmock/gmock.h>

#include "common/clock.h"
#include "common/digest.h"

namespace gleaner::cloud::s3 {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

// The examples of AWS's own documentation of Signature Version 4 for S3.
class SignatureTest : public testing::Test {
 protected:
  static constexpr int64_t kWhenNs = 1'369'353'600 * kNanosPerSecond;  // 2013-05-24T00:00:00Z

  static SignedRequest Get(std::string path) {
    return {.method = "GET",
            .host = "examplebucket.s3.amazonaws.com",
            .path = std::move(path),
            .body_sha256 = Hex(AsBytes(Sha256::Of("")))};
  }
  std::string AuthorizationOf(const SignedRequest& request) const {
    return signer_.Headers(request, kWhenNs).at("authorization");
  }

  const Signer signer_{.credentials = {.access_key = "AKIAIOSFODNN7EXAMPLE",
                                       .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
                       .region = "us-east-1"};
};

TEST_F(SignatureTest, OfARangeIsThatOfTheDocumentation) {
  SignedRequest request = Get("/test.txt");
  request.headers["range"] = "bytes=0-9";
  EXPECT_EQ(AuthorizationOf(request),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(SignatureTest, OfABodyAndANameThatMustBeEncodedIsThatOfTheDocumentation) {
  SignedRequest request = Get("/test$file.text");
  request.method = "PUT";
  request.headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                     {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  request.body_sha256 = Hex(AsBytes(Sha256::Of("Welcome to Amazon S3.")));
  EXPECT_THAT(AuthorizationOf(request),
              EndsWith("=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST_F(SignatureTest, OfAParameterWithoutAValueIsThatOfTheDocumentation) {
  SignedRequest request = Get("/");
  request.query = {{"lifecycle", ""}};
  EXPECT_THAT(AuthorizationOf(request),
              EndsWith("=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST_F(SignatureTest, OfAListIsThatOfTheDocumentation) {
  SignedRequest request = Get("/");
  request.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_THAT(AuthorizationOf(request),
              EndsWith("=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST_F(SignatureTest, OfAUrlIsThatOfTheDocumentation) {
  SignedRequest request = Get("/test.txt");
  request.body_sha256 = "UNSIGNED-PAYLOAD";
  EXPECT_THAT(signer_.PresignedTarget(request, kWhenNs, 86'400),
              HasSubstr("&X-Amz-Signature="
                        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"));
}

}  // namespace
}  // namespace gleaner::cloud::s3
