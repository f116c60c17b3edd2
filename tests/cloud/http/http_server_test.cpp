#include "cloud/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cloud/http/gzip.h"
#include "cloud/http/respond.h"
#include "common/status.h"
#include "tests/cloud/http/raw_client.h"

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

size_t CountOf(const std::string& text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

// Answers GET with the path and POST with the length of the body.
class HttpServerTest : public testing::Test {
 protected:
  void Start(size_t threads = 2) { Start(HttpServer::Limits{.threads = threads}); }
  void Start(const HttpServer::Limits& limits) {
    HttpServer::Handlers handlers;
    handlers.get = [this](const HttpRequest& request, HttpResponse& response) {
      if (request.path == "/throw") throw std::runtime_error("on purpose");
      if (request.path == "/wait") {
        ++waiting_;
        go_on_.wait(false);
      }
      if (request.path == "/endless") {
        response.source = {uint64_t{1} << 40, [this](uint64_t, size_t size, std::string* piece) {
                             sending_ = true;
                             piece->assign(std::min<size_t>(size, 1 << 16), 'x');
                             return absl::OkStatus();
                           }};
        return;
      }
      if (request.path == "/short-but-many") {
        response.body.assign(200 << 10, 'x');
        return;
      }
      Respond(request, response, 200, "path " + request.path, "text/plain");
    };
    handlers.post = [](const HttpRequest& request, HttpResponse& response) {
      Respond(request, response, 200, "body of " + std::to_string(request.body.size()),
              "text/plain");
    };
    handlers.admit = [](const HttpRequest& request, HttpResponse& response) {
      if (request.path != "/secret") return true;
      Respond(request, response, 401, "not for you", "text/plain");
      return false;
    };
    handlers.done = [this](const HttpRequest&, const HttpResponse& response, double) {
      last_status_ = response.status;
    };
    handlers.headers = {{"X-Frame-Options", "DENY"}};
    auto server = HttpServer::Start({"127.0.0.1", 0}, limits, std::move(handlers));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  RawClient Connect() { return RawClient(server_->port()); }

  std::unique_ptr<HttpServer> server_;
  std::atomic<int> last_status_{0};
  std::atomic<bool> sending_{false};
  std::atomic<int> waiting_{0};     // so many /wait are being answered
  std::atomic<bool> go_on_{false};  // and may be
};

TEST_F(HttpServerTest, AnswersSeveralRequestsOverOneConnection) {
  Start();
  RawClient client = Connect();
  client.Send("GET /one HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("path /one"), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.Send("GET /two HTTP/1.1\r\nHost: x\r\n\r\nGET /three HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(CountOf(client.ReadUntil("path /three"), "HTTP/1.1 200"), 3);
  EXPECT_FALSE(client.ended());
}

TEST_F(HttpServerTest, APortInUseIsAnErrorThatNamesIt) {
  Start();
  HttpServer::Handlers handlers;
  const auto second = HttpServer::Start({"127.0.0.1", server_->port()}, {}, std::move(handlers));
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(
      std::string(Message(second.status())),
      AllOf(HasSubstr(std::to_string(server_->port())), HasSubstr("Address already in use")));
}

TEST_F(HttpServerTest, ABodyThatAGetBringsIsNeverReadAsTheNextRequest) {
  Start();
  RawClient client = Connect();
  client.Send(
      "GET /outer HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n"
      "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n    ");
  const std::string& all = client.ReadToEnd();
  EXPECT_EQ(CountOf(all, "HTTP/1.1 "), 1) << all;
  EXPECT_THAT(all, AllOf(HasSubstr("path /outer"), HasSubstr("Connection: close"),
                         Not(HasSubstr("Keep-Alive")), Not(HasSubstr("smuggled"))));
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpServerTest, SaysOnceWhetherTheConnectionGoesOn) {
  Start();
  // A method that nobody answers ends it; the library would have said otherwise beside that.
  RawClient client = Connect();
  client.Send("DELETE /x HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n");
  const std::string& all = client.ReadToEnd();
  EXPECT_THAT(all, AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD, POST\r\n"),
                         HasSubstr("Connection: close\r\n"), Not(HasSubstr("Keep-Alive"))));
  EXPECT_EQ(CountOf(all, "Connection: "), 1) << all;
  RawClient last = Connect();
  last.Send("GET /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1");
  EXPECT_EQ(CountOf(last.ReadToEnd(), "Connection: "), 1) << last.ReadToEnd();
}

TEST_F(HttpServerTest, RefusesARequestThatSaysItsLengthTwice) {
  Start();
  for (const char* lengths :
       {"Content-Length: 4\r\nContent-Length: 5", "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked", "Content-Length: 4x", "Content-Length: -1"}) {
    RawClient client = Connect();
    client.Send(std::string("POST /x HTTP/1.1\r\nHost: x\r\n") + lengths + "\r\n\r\nbody");
    EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 400 ")) << lengths;
    EXPECT_TRUE(client.ended());
  }
}

TEST_F(HttpServerTest, APostWithoutABodyIsAnsweredAtOnce) {
  Start();
  RawClient client = Connect();
  const auto begun = std::chrono::steady_clock::now();
  client.Send("POST /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("body of 0"), HasSubstr("body of 0"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(3));
}

TEST_F(HttpServerTest, TakesABodyOfAMebibyteAndNotAByteMore) {
  Start();
  for (const auto& [size, wanted] :
       std::vector<std::pair<size_t, std::string>>{{1 << 20, "200 "}, {(1 << 20) + 1, "413 "}}) {
    RawClient plain = Connect();
    plain.Send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) +
               "\r\n\r\n");
    plain.Send(std::string(size, 'a'));
    EXPECT_THAT(plain.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 " + wanted)) << size;
    RawClient chunked = Connect();
    chunked.Send("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    char head[32];
    std::snprintf(head, sizeof(head), "%zx\r\n", size);
    chunked.Send(head + std::string(size, 'a') + "\r\n0\r\n\r\n");
    EXPECT_THAT(chunked.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 " + wanted)) << size;
  }
}

TEST_F(HttpServerTest, AGzipBombEndsAtTheLimit) {
  Start();
  const std::string bomb = Gzip(std::string(64 << 20, '\0'));
  ASSERT_LT(bomb.size(), 200'000u);
  RawClient client = Connect();
  client.Send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: " +
              std::to_string(bomb.size()) + "\r\n\r\n" + bomb);
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, RefusesHeadsWithoutMeasure) {
  Start();
  RawClient lines = Connect();
  lines.Send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 2000 && lines.Send("X-Filler: 0123456789012345678901234567890\r\n"); ++i) {
  }
  EXPECT_THAT(lines.ReadToEnd(), StartsWith("HTTP/1.1 400 "));
  RawClient one_line = Connect();
  one_line.Send("GET /" + std::string(200'000, 'a'));
  one_line.ReadToEnd();
  EXPECT_TRUE(one_line.ended());
  RawClient path = Connect();
  path.Send("GET /" + std::string(2000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(path.ReadToEnd(), StartsWith("HTTP/1.1 414 "));
}

TEST_F(HttpServerTest, NonsenseIsRefusedAndTheNextClientServed) {
  Start();
  for (const std::string& nonsense :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 16),
        std::string("GET\r\n\r\n"), std::string("PUT /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
        std::string("GET / HTTP/1.1\r\nRange: bytes=" + std::string(7000, '1') + "-\r\n\r\n")}) {
    RawClient client = Connect();
    client.Send(nonsense);
    EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 4")) << nonsense;
    EXPECT_TRUE(client.ended());
  }
  RawClient good = Connect();
  good.Send("GET /fine HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(good.ReadUntil("path /fine"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AnExceptionIsA500WithoutItsText) {
  Start();
  RawClient client = Connect();
  client.Send("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string& answer = client.ReadUntil("log says what");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 500 "), Not(HasSubstr("on purpose")),
                            HasSubstr("X-Frame-Options: DENY")));
  server_->Stop();  // it is counted after it is sent
  EXPECT_EQ(last_status_, 500);
}

TEST_F(HttpServerTest, IdleConnectionsHoldNoThread) {
  Start(2);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 60; ++i) {
    idle.push_back(std::make_unique<RawClient>(server_->port()));
    idle.back()->Send("GET /idle HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_THAT(idle.back()->ReadUntil("path /idle"), HasSubstr("path /idle")) << i;
  }
  RawClient one_more = Connect();
  one_more.Send("GET /more HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(one_more.ReadUntil("path /more"), HasSubstr("path /more"));
  for (auto& client : idle) EXPECT_FALSE(client->ended());
}

TEST_F(HttpServerTest, ConnectionsThatSendHalfAHeadHoldNoThreadAndEnd) {
  Start(2);
  std::vector<std::unique_ptr<RawClient>> slow;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 40; ++i) {
    slow.push_back(std::make_unique<RawClient>(server_->port()));
    slow.back()->Send(i % 2 == 0 ? "G" : "GET /half HTTP/1.1\r\nHost: x\r\n");
  }
  RawClient other = Connect();
  other.Send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(other.ReadUntil("path /other"), StartsWith("HTTP/1.1 200"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(3));
  slow.back()->Send("\r\n");
  EXPECT_THAT(slow.back()->ReadUntil("path /half"), StartsWith("HTTP/1.1 200"));
  slow.front()->ReadToEnd();
  EXPECT_TRUE(slow.front()->ended());
}

TEST_F(HttpServerTest, BodiesThatDoNotComeHoldNoThread) {
  Start(2);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<RawClient>(server_->port()));
    slow.back()->Send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1");
  }
  RawClient other = Connect();
  other.Send("POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n12");
  EXPECT_THAT(other.ReadUntil("body of 2"), StartsWith("HTTP/1.1 200"));
  for (auto& client : slow) {
    client->Send("23456789");
    EXPECT_THAT(client->ReadUntil("body of 9"), StartsWith("HTTP/1.1 200"));
  }
}

TEST_F(HttpServerTest, ABodyThatDoesNotComeIsGivenUp) {
  Start({.body = std::chrono::milliseconds(1)});
  RawClient client = Connect();
  client.Send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1");
  EXPECT_THAT(client.ReadToEnd(),
              AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("Connection: close")));
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpServerTest, LongBodiesThatAreOnTheirWayHaveABoundTogether) {
  Start({.held_bytes = 250'000});
  const std::string head = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 3; ++i) {
    slow.push_back(std::make_unique<RawClient>(server_->port()));
    slow.back()->Send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n" + head);
    // The answer to what comes first shows that the rest is read too.
    ASSERT_THAT(slow.back()->ReadUntil("path /x"), HasSubstr("path /x"));
  }
  EXPECT_THAT(slow[2]->ReadToEnd(),
              AllOf(HasSubstr("HTTP/1.1 503 "), HasSubstr("Retry-After: 1\r\n"),
                    HasSubstr("X-Frame-Options: DENY")));
  RawClient other = Connect();
  other.Send("POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n12");
  EXPECT_THAT(other.ReadUntil("body of 2"), StartsWith("HTTP/1.1 200"));
  for (int i = 0; i < 2; ++i) {
    slow[i]->Send(std::string(100'000, 'x'));
    EXPECT_THAT(slow[i]->ReadUntil("body of 100000"), HasSubstr("body of 100000"));
  }
  // What they held is free again.
  RawClient again = Connect();
  again.Send(head + std::string(100'000, 'x'));
  EXPECT_THAT(again.ReadUntil("body of 100000"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, ABodyIsNotReadBeforeItsSenderIsAdmitted) {
  Start();
  RawClient stranger = Connect();
  stranger.Send("POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\nbegin");
  EXPECT_THAT(stranger.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("not for you"),
                                          HasSubstr("Connection: close\r\n")));
  EXPECT_TRUE(stranger.ended());
}

TEST_F(HttpServerTest, SaysToGoOnOnlyToWhoIsAdmitted) {
  Start();
  RawClient client = Connect();
  client.Send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("body");
  EXPECT_THAT(client.ReadUntil("body of 4"), HasSubstr("HTTP/1.1 200 OK\r\n"));
  client.Send(
      "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.ReadToEnd(), AllOf(HasSubstr("HTTP/1.1 401 "), HasSubstr("not for you")));
  EXPECT_EQ(CountOf(client.ReadToEnd(), "100 Continue"), 1);
  RawClient odd = Connect();
  odd.Send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: miracles\r\n\r\n");
  EXPECT_THAT(odd.ReadToEnd(), StartsWith("HTTP/1.1 417 "));
}

TEST_F(HttpServerTest, LongAnswersThatNobodyTakesHoldNoThreadAndHaveABoundTogether) {
  Start({.threads = 2, .held_bytes = 600'000});
  std::vector<std::unique_ptr<RawClient>> readers;
  for (int i = 0; i < 3; ++i) {
    readers.push_back(std::make_unique<RawClient>(server_->port()));
    readers.back()->Send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    readers.back()->ReadUntil(i < 2 ? "\r\n\r\nxxxx" : "\r\n\r\n");
  }
  EXPECT_THAT(readers[2]->ReadUntil("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After: 1\r\n"),
                    HasSubstr("X-Frame-Options: DENY")));
  RawClient other = Connect();
  other.Send("GET /short HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(other.ReadUntil("path /short"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AReaderWhoTakesNothingIsDropped) {
  Start({.write = std::chrono::milliseconds(1)});
  RawClient client = Connect();
  client.Send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
  client.ReadUntil("\r\n\r\nxxxx");
  while (last_status_ == 0) std::this_thread::yield();  // counted when it ends
  client.ReadToEnd();
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpServerTest, ShortAnswersThatNobodyReadsLeaveThreadsForOthers) {
  Start(2);
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += "GET /short-but-many HTTP/1.1\r\nHost: x\r\n\r\n";
  std::vector<std::unique_ptr<RawClient>> readers;
  for (int i = 0; i < 4; ++i) {
    readers.push_back(std::make_unique<RawClient>(server_->port()));
    readers.back()->Send(requests);
  }
  RawClient other = Connect();
  other.Send("GET /short HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(other.ReadUntil("path /short"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, BeyondTheConnectionLimitTheLongestIdleOneGoes) {
  Start();
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 512; ++i) {
    idle.push_back(std::make_unique<RawClient>(server_->port()));
    idle.back()->Send("GET /idle HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_THAT(idle.back()->ReadUntil("path /idle"), HasSubstr("path /idle")) << i;
  }
  RawClient one_more = Connect();
  one_more.Send("GET /more HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(one_more.ReadUntil("path /more"), HasSubstr("path /more"));
  idle.front()->ReadToEnd();
  EXPECT_TRUE(idle.front()->ended());
}

TEST_F(HttpServerTest, BeyondTheConnectionLimitTheOneGoesThatKeepsTheServerWaiting) {
  Start({.threads = 2, .connections = 2});
  RawClient half = Connect();
  half.Send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1");
  RawClient endless = Connect();
  endless.Send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
  endless.ReadUntil("\r\n\r\nxxxx");
  // Neither is idle, so at first nobody is let in; later the first one goes.
  for (bool served = false; !served;) {
    RawClient other = Connect();
    other.Send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
    served = other.ReadUntil("path /other").find("path /other") != std::string::npos;
  }
  half.ReadToEnd();
  EXPECT_TRUE(half.ended());
}

TEST_F(HttpServerTest, BeyondTheConnectionLimitWithNoneIdleTheNewOneIsRefused) {
  Start(512);
  std::vector<std::unique_ptr<RawClient>> busy;
  for (int i = 0; i < 512; ++i) {
    busy.push_back(std::make_unique<RawClient>(server_->port()));
    busy.back()->Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  while (waiting_ < 512) std::this_thread::yield();
  RawClient one_more = Connect();
  EXPECT_THAT(one_more.ReadToEnd(),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: 1\r\n"),
                    HasSubstr("Connection: close\r\n")));
  EXPECT_TRUE(one_more.ended());
  go_on_ = true;
  go_on_.notify_all();
  for (auto& client : busy) {
    ASSERT_THAT(client->ReadUntil("path /wait"), StartsWith("HTTP/1.1 200"));
  }
}

TEST_F(HttpServerTest, StopsInTimeWhileSomeoneDownloadsWithoutReading) {
  Start();
  RawClient slow = Connect();
  slow.Send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
  slow.ReadUntil("\r\n\r\nxxxx");  // the head, and the body has begun
  ASSERT_TRUE(sending_);
  const auto begun = std::chrono::steady_clock::now();
  server_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  EXPECT_FALSE(Connect().connected());
}

}  // namespace
}  // namespace gleaner::cloud
