// Logging in: RFC 7616's own examples, and what cameras make of challenges.
#include "edge/camera/rtsp_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// RFC 7616, 3.9.1.
constexpr char kMd5[] =
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, "
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
constexpr char kSha256[] =
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
constexpr char kCnonce[] = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

std::string Answer(const std::string& header,
                   const Credentials& credentials = {"Mufasa", "Circle of Life"}) {
  const auto challenge = StrongestChallenge({header});
  EXPECT_TRUE(challenge.has_value()) << header;
  return Authorization(*challenge, credentials, "GET", "/dir/index.html", 1, kCnonce);
}

TEST(RtspAuth, AnswersTheExamplesOfTheStandard) {
  EXPECT_THAT(Answer(kMd5), HasSubstr("response=\"8ca523f5e9506fed4657c9700eebdbec\""));
  EXPECT_THAT(Answer(kSha256), HasSubstr("response=\"753927fa0e85d155564e2e272a28d1802ca10daf449"
                                         "6794697cf8db5856cb6c1\""));
  const std::string answer = Answer(kSha256);
  EXPECT_THAT(answer, HasSubstr("username=\"Mufasa\""));
  EXPECT_THAT(answer, HasSubstr("uri=\"/dir/index.html\""));
  EXPECT_THAT(answer, HasSubstr("algorithm=SHA-256"));
  EXPECT_THAT(answer, HasSubstr("qop=auth, nc=00000001, cnonce=\""));
  EXPECT_THAT(answer, HasSubstr("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""));
}

TEST(RtspAuth, AnswersAHashedUserNameAsTheStandardDoes) {
  // RFC 7616, 3.9.2, with its erratum 4897: the user's name is "Jäsøn Doe".
  const auto challenge = StrongestChallenge(
      {"Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, "
       "nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", "
       "opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true"});
  ASSERT_TRUE(challenge.has_value());
  const std::string answer =
      Authorization(*challenge, {"J\xc3\xa4s\xc3\xb8n Doe", "Secret, or not?"}, "GET", "/doe.json",
                    1, "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm");
  EXPECT_THAT(answer, HasSubstr("username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed"
                                "06ece9b0b\""));
  EXPECT_THAT(answer, HasSubstr("userhash=true"));
}

TEST(RtspAuth, TakesTheStrongestOfAllChallengesInAnyOrderAndAnyNumberOfHeaders) {
  const std::string basic = "Basic realm=\"cam\"";
  const auto scheme = [](const std::vector<std::string>& headers) {
    return StrongestChallenge(headers)->scheme;
  };
  EXPECT_EQ(scheme({kMd5, kSha256}), LoginScheme::kSha256);
  EXPECT_EQ(scheme({kSha256, kMd5}), LoginScheme::kSha256);
  EXPECT_EQ(scheme({basic, kMd5}), LoginScheme::kMd5);
  EXPECT_EQ(scheme({kMd5, basic}), LoginScheme::kMd5);
  EXPECT_EQ(scheme({basic + ", " + kSha256 + ", " + kMd5}), LoginScheme::kSha256);
  EXPECT_EQ(scheme({std::string(kMd5) + "," + kSha256 + "," + basic}), LoginScheme::kSha256);
  EXPECT_EQ(scheme({"Negotiate aGVsbG8==, " + basic}), LoginScheme::kBasic);
  EXPECT_EQ(scheme({basic}), LoginScheme::kBasic);
  EXPECT_EQ(scheme({"digest REALM=x,NONCE=y,ALGORITHM=sha-256"}), LoginScheme::kSha256);
}

TEST(RtspAuth, TakesNoChallengeThatItCannotAnswer) {
  for (const char* header :
       {"", ",", "=", "\"", "Negotiate", "Digest realm=\"x\"",
        "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-1",
        "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"", "realm=\"x\"", "Bearer realm=\"x\""}) {
    EXPECT_FALSE(StrongestChallenge({header}).has_value()) << header;
  }
  // The one beside it is still taken.
  EXPECT_EQ(StrongestChallenge({"Digest realm=\"x\", nonce=\"y\", algorithm=SHA-1", kMd5})->scheme,
            LoginScheme::kMd5);
}

TEST(RtspAuth, LeavesOutWhatAnOldCameraDoesNotKnow) {
  // RFC 2069: no qop. MD5 of "Mufasa:cam:Circle of Life" and so on, as curl answers it.
  const std::string answer = Answer("Digest realm=\"cam\", nonce=\"abcd1234\"");
  EXPECT_THAT(answer, Not(HasSubstr("qop")));
  EXPECT_THAT(answer, Not(HasSubstr("nc=")));
  EXPECT_THAT(answer, Not(HasSubstr("cnonce")));
  EXPECT_THAT(answer, Not(HasSubstr("algorithm")));
  EXPECT_THAT(answer, Not(HasSubstr("opaque")));
}

TEST(RtspAuth, KeysASessionVariantWithBothNonces) {
  const std::string plain = Answer("Digest realm=\"cam\", nonce=\"n\", qop=auth, algorithm=MD5");
  const std::string session =
      Answer("Digest realm=\"cam\", nonce=\"n\", qop=auth, algorithm=MD5-sess");
  EXPECT_THAT(session, HasSubstr("algorithm=MD5-sess"));
  EXPECT_NE(plain.substr(plain.find("response=")), session.substr(session.find("response=")));
}

TEST(RtspAuth, QuotesWhatWouldEndAQuotedString) {
  const std::string answer =
      Answer("Digest realm=\"a\\\"b\", nonce=\"n\"", {"us\"er\\", "pass\"word"});
  EXPECT_THAT(answer, HasSubstr("realm=\"a\\\"b\""));
  EXPECT_THAT(answer, HasSubstr("username=\"us\\\"er\\\\\""));
}

TEST(RtspAuth, NeverSendsThePasswordOfADigest) {
  EXPECT_THAT(Answer(kSha256), Not(HasSubstr("Circle of Life")));
}

TEST(RtspAuth, ReadsThatANonceIsTooOld) {
  EXPECT_TRUE(StrongestChallenge({"Digest realm=\"x\", nonce=\"y\", stale=TRUE"})->stale);
  EXPECT_FALSE(StrongestChallenge({"Digest realm=\"x\", nonce=\"y\", stale=false"})->stale);
}

TEST(RtspAuth, MakesAnotherNonceEachTime) {
  EXPECT_EQ(NewCnonce().size(), 32u);
  EXPECT_NE(NewCnonce(), NewCnonce());
}

}  // namespace
}  // namespace gleaner::edge
