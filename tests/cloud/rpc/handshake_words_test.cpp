#include "cloud/rpc/handshake_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;
using testing::Optional;

// As Debian's gRPC and OpenSSL write them.
std::string Line(std::string_view openssl) {
  return "Handshake failed with fatal error SSL_ERROR_SSL: error:0A000086:SSL routines::" +
         std::string(openssl) + ".";
}

TEST(HandshakeWords, SayWhatIsWrongAndWhichKeyOfTheConfigurationIsMeant) {
  EXPECT_THAT(HandshakeWords(Line("peer did not return a certificate")),
              Optional(std::string(
                  "a connection to the devices' port was refused: it showed no certificate")));
  EXPECT_THAT(HandshakeWords(Line("certificate verify failed")),
              Optional(HasSubstr("not of the authority in tls.ca")));
  EXPECT_THAT(HandshakeWords(Line("tlsv1 alert unknown ca")),
              Optional(HasSubstr("the device does not trust tls.certificate")));
  EXPECT_THAT(HandshakeWords(Line("http request")), Optional(HasSubstr("http.listen")));
}

TEST(HandshakeWords, LeaveWhatTheyDoNotKnow) {
  EXPECT_EQ(HandshakeWords(Line("something new")), std::nullopt);
  EXPECT_EQ(HandshakeWords("certificate verify failed, somewhere else"), std::nullopt);
}

}  // namespace
}  // namespace gleaner::cloud
