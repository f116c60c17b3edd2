// Each way in which a server can't be reached, or doesn't answer as one, and its sentence.
#include "cli/client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>
#include <vector>

#include "common/file.h"
#include "common/status.h"
#include "gleaner/v1/catalog.pb.h"
#include "httplib.h"
#include "tests/cloud/http/service_testing.h"
#include "tests/data/pki.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

absl::Status Ask(ClientOptions options) {
  auto client = Client::Connect(std::move(options));
  if (!client.ok()) return client.status();
  v1::GetSummaryResponse summary;
  return client->Call("CatalogService/GetSummary", v1::GetSummaryRequest(), &summary);
}
std::string Said(ClientOptions options) { return std::string(Message(Ask(std::move(options)))); }

// A port on which something listens that never answers.
class Listener {
 public:
  explicit Listener(int backlog) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), backlog), 0);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    address_ = address;
  }
  std::string Url() const { return fmt::format("http://127.0.0.1:{}", ntohs(address_.sin_port)); }
  // Until the kernel takes no further connection.
  void Fill() {
    for (int i = 0; i < 4; ++i) {
      waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)::connect(waiting_.back().get(), reinterpret_cast<const sockaddr*>(&address_),
                      sizeof(address_));
    }
  }

 private:
  Fd fd_;
  sockaddr_in address_;
  std::vector<Fd> waiting_;
};

// An HTTP server that answers everything in one way.
template <typename Server>
class Answering {
 public:
  template <typename... Arguments>
  explicit Answering(httplib::Server::Handler handler, Arguments... arguments)
      : server_(arguments...) {
    server_.Post(".*", handler);
    port_ = server_.bind_to_any_port("0.0.0.0");
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Answering() { server_.stop(); }
  int port() const { return port_; }
  std::string Url() const { return fmt::format("http://127.0.0.1:{}", port_); }

 private:
  Server server_;
  int port_ = 0;
  std::jthread thread_;
};

std::string SaidOf(int status, const std::string& body, const httplib::Headers& headers = {}) {
  const Answering<httplib::Server> server(
      [&](const httplib::Request&, httplib::Response& response) {
        response.status = status;
        response.headers = headers;
        response.set_content(body, "text/html");
      });
  return Said({.url = server.Url()});
}

TEST(Client, TakesAddressesOnly) {
  for (const char* url :
       {"", "localhost:8080", "ftp://x", "http://", "http://x/path", "https:///", "http://:8080",
        "http://x:", "http://x:0", "http://x:65536", "http://x:http"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Client::Connect({.url = url}).status())) << url;
  }
  for (const char* url : {"http://gleaner.example:8080/", "http://gleaner.example", "https://[::1]",
                          "http://[::1]:65535"}) {
    EXPECT_TRUE(Client::Connect({.url = url}).ok()) << url;
  }
}

TEST(Client, NobodyAnswersOnlyWhereNobodyDoes) {
  // A port that was just free.
  std::string url;
  { url = Listener(1).Url(); }
  EXPECT_THAT(Said({.url = url}), AllOf(HasSubstr("can't reach " + url + ": nobody answers there"),
                                        HasSubstr("Is gleaner-cloud running?"),
                                        HasSubstr("--server or GLEANER_SERVER")));
}

TEST(Client, ANameThatIsNotKnownIsNamed) {
  EXPECT_THAT(Said({.url = "http://no-such-machine.invalid:8080"}),
              AllOf(HasSubstr("the name \"no-such-machine.invalid\" is not known ("),
                    HasSubstr("--server"), Not(HasSubstr("nobody answers"))));
}

TEST(Client, ASilentServerHasTakenTheRequest) {
  const Listener silent(8);
  const absl::Status status = Ask({.url = silent.Url(), .read_timeout_s = 1});
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(Message(status)),
              AllOf(HasSubstr("took the request and gave no answer within 1 s"),
                    Not(HasSubstr("nobody answers"))));
}

TEST(Client, AnAddressThatDropsConnectionsIsNoAnswer) {
  Listener full(0);
  full.Fill();
  const absl::Status status = Ask({.url = full.Url(), .connect_timeout_s = 1});
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(Message(status)),
              AllOf(HasSubstr("no answer within 1 s"), HasSubstr("firewall")));
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    pki_.Write(folder_.path());
    server_ = std::make_unique<Answering<httplib::SSLServer>>(
        [](const httplib::Request&, httplib::Response& response) {
          response.set_content("{}", "application/json");
        },
        certificate_.c_str(), key_.c_str());
  }
  std::string Url(const std::string& host) const {
    return fmt::format("https://{}:{}", host, server_->port());
  }

  TemporaryFolder folder_;
  TestPki pki_;
  const std::string certificate_ = folder_ / "server.pem";
  const std::string key_ = folder_ / "server.key";
  std::unique_ptr<Answering<httplib::SSLServer>> server_;
};

TEST_F(TlsTest, AnAuthorityOfItsOwnIsTrustedWhereItIsNamed) {
  EXPECT_EQ(Said({.url = Url("127.0.0.1"), .ca = folder_ / "ca.pem"}), "");
  const absl::Status unknown = Ask({.url = Url("127.0.0.1")});
  EXPECT_TRUE(absl::IsUnauthenticated(unknown)) << unknown;
  EXPECT_THAT(std::string(Message(unknown)),
              AllOf(HasSubstr("is not trusted: "), HasSubstr("--ca or GLEANER_CA")));
}

TEST_F(TlsTest, ACertificateOfAnotherNameIsSaidToBeOne) {
  EXPECT_THAT(Said({.url = Url("127.0.0.2"), .ca = folder_ / "ca.pem"}),
              AllOf(HasSubstr("is another machine's"), Not(HasSubstr("--ca"))));
}

TEST_F(TlsTest, PlainHttpToATlsPortAsksForHttps) {
  EXPECT_THAT(Said({.url = server_->Url()}), HasSubstr("ended the connection without an answer"));
}

TEST_F(TlsTest, AFileThatIsNoAuthorityIsNamed) {
  EXPECT_THAT(Said({.url = Url("127.0.0.1"), .ca = "/nowhere/ca.pem"}),
              HasSubstr("--ca: open /nowhere/ca.pem"));
  EXPECT_THAT(Said({.url = Url("127.0.0.1"), .ca = folder_ / "server.key"}),
              HasSubstr("server.key holds no PEM certificates"));
}

TEST(Client, TlsToAPlainPortSaysSo) {
  const Answering<httplib::Server> plain([](const auto&, auto&) {});
  EXPECT_THAT(Said({.url = fmt::format("https://127.0.0.1:{}", plain.port())}),
              AllOf(HasSubstr("not with TLS"), HasSubstr(plain.Url())));
}

class TokenTest : public cloud::ServiceTest {};

TEST_F(TokenTest, AMissingTokenAndAWrongOneAreToldApart) {
  Start("a-token-of-enough-length");
  const std::string url = fmt::format("http://127.0.0.1:{}", http_->port());
  const absl::Status missing = Ask({.url = url});
  EXPECT_TRUE(absl::IsUnauthenticated(missing));
  EXPECT_THAT(std::string(Message(missing)),
              AllOf(HasSubstr("wants a token"), HasSubstr("--token or GLEANER_TOKEN")));
  EXPECT_THAT(Said({.url = url, .token = "another-token-of-such-length"}),
              AllOf(HasSubstr("does not know this token"), HasSubstr("GLEANER_TOKEN")));
  EXPECT_EQ(Said({.url = url, .token = "a-token-of-enough-length"}), "");
}

TEST(Client, WhatIsNoGleanerServerIsSaidToBeNone) {
  EXPECT_THAT(SaidOf(404, "<h1>Not found</h1>"), HasSubstr("there is no Gleaner server at"));
  EXPECT_THAT(SaidOf(502, "<h1>Bad gateway</h1>"),
              HasSubstr("can't reach gleaner-cloud (HTTP 502)"));
  EXPECT_THAT(SaidOf(308, "", {{"Location", "https://gleaner.example/"}}),
              HasSubstr("sends us on to https://gleaner.example/"));
  EXPECT_THAT(SaidOf(403, "<h1>Forbidden</h1>"), HasSubstr("refuses the request (HTTP 403)"));
  EXPECT_THAT(SaidOf(500, "oops"), HasSubstr("HTTP status 500"));
  EXPECT_THAT(SaidOf(200, "<h1>Welcome</h1>"), HasSubstr("is it a Gleaner server?"));
}

TEST(Client, AnErrorOfTheServersIsItsOwnSentence) {
  EXPECT_EQ(SaidOf(400, R"({"code":"invalid_argument","message":"filter, column 8: no"})"),
            "filter, column 8: no");
  EXPECT_EQ(SaidOf(503, R"({"code":"unavailable"})"), "unavailable");
  EXPECT_EQ(SaidOf(500, R"({"code":"internal","message":7})"), "internal");
}

}  // namespace
}  // namespace gleaner::cli
