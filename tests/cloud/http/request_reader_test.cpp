#include "cloud/http/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gleaner::cloud {
namespace {

using State = RequestReader::State;
using testing::HasSubstr;

std::string Post(const std::string& fields, const std::string& body = "") {
  return "POST /x HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body;
}

std::string Chunked(const std::string& body) {
  return Post("Transfer-Encoding: chunked\r\n", body);
}

// What is hidden in each of the cases below: to be seen by nobody.
const std::string kHidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";

// All that comes out of `bytes`, given whole and byte by byte, which must be the same.
struct Outcome {
  std::vector<std::string> paths;
  std::vector<std::string> bodies;
  int refused = 0;  // the status

  bool operator==(const Outcome&) const = default;
};

Outcome Read(std::string_view bytes, size_t at_once) {
  RequestReader reader;
  Outcome outcome;
  while (!bytes.empty() && reader.state() != State::kRefused) {
    const std::string_view piece = bytes.substr(0, at_once);
    bytes.remove_prefix(piece.size());
    for (State state = reader.Feed(piece); state == State::kWhole; state = reader.Next()) {
      outcome.paths.push_back(reader.request().path);
      outcome.bodies.push_back(reader.request().body);
      if (!reader.keep_alive()) return outcome;
    }
  }
  if (reader.state() == State::kRefused) outcome.refused = reader.refusal().status;
  return outcome;
}

Outcome Read(const std::string& bytes) {
  const Outcome whole = Read(bytes, bytes.size());
  EXPECT_EQ(whole, Read(bytes, 1)) << bytes;
  return whole;
}

TEST(RequestReader, RefusesAControlCharacterAtOnceAndDoesNotWaitForTheRest) {
  for (const char c : {'\x01', '\x1b', '\x7f', '\0'}) {
    RequestReader reader;
    EXPECT_EQ(reader.Feed(std::string("GET / HTTP/1.1\r\nA: b") + c), State::kRefused) << int{c};
    EXPECT_EQ(reader.refusal().status, 400);
  }
}

TEST(RequestReader, ReadsRequestsThatFollowEachOther) {
  const Outcome read = Read(
      "GET /one?a=1&b&c=%20+x HTTP/1.1\r\nHost: x\r\n\r\n" + Post("Content-Length: 4\r\n", "body") +
      Chunked("3;name=\"va;lue\"\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n") + kHidden);
  EXPECT_EQ(read.paths, (std::vector<std::string>{"/one", "/x", "/x", "/hidden"}));
  EXPECT_EQ(read.bodies, (std::vector<std::string>{"", "body", "abc0123456789", ""}));
  EXPECT_EQ(read.refused, 0);
}

TEST(RequestReader, WhatAProxyMayReadOtherwiseIsRefusedAndWhatFollowsIsNotRead) {
  for (const std::string& bytes : {
           // A body's length, written so that some see it and some don't.
           Post("Content-Length : 37\r\n"),
           Post("Content-Length\t: 37\r\n"),
           Post("Content-Length: 37\r\nContent-Length: 37\r\n"),
           Post("Content-Length: 37\r\nContent-Length: 0\r\n"),
           Post("Content-Length: 37, 37\r\n"),
           Post("Content-Length: 37, 0\r\n"),
           Post("Content-Length: +37\r\n"),
           Post("Content-Length: -37\r\n"),
           Post("Content-Length: 0x25\r\n"),
           Post("Content-Length: 3 7\r\n"),
           Post("Content-Length: 37.0\r\n"),
           Post("Content-Length: \r\n"),
           Post("Content-Length: 99999999999999999999\r\n"),
           Post("Content-Length: 18446744073709551653\r\n"),
           Post("Content-Length:\r\n 37\r\n"),
           Post("X: y\r\n Content-Length: 37\r\n"),
           Post("X: y\r\n\tContent-Length: 37\r\n"),
           Post(" Content-Length: 37\r\n"),
           Post("Content Length: 37\r\n"),
           Post(std::string("Content-Length\0: 37\r\n", 21)),
           Post(std::string("Content-Length: 37\0\r\n", 21)),
           Post("Content-Length: 37\x7f\r\n"),
           Post("X: y\rContent-Length: 37\r\n"),
           Post("X: y\nContent-Length: 37\r\n"),
           Post("X: y\r\rContent-Length: 37\r\n"),
           Post("Content-Length\r\n"),
           Post(": 37\r\n"),
           Post("Content-Length: 37\n"),
           Post("(Content-Length): 37\r\n"),
           // Two ways to say where it ends, or one that is not understood.
           Post("Content-Length: 37\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
           Post("Transfer-Encoding: chunked\r\nContent-Length: 37\r\n", "0\r\n\r\n"),
           Post("Transfer-Encoding: gzip\r\nContent-Length: 37\r\n"),
           Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
           Post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
           Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
           Post("Transfer-Encoding: identity\r\n"),
           Post("Transfer-Encoding: xchunked\r\n"),
           Post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
           Post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
           Post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
           Post("Transfer-Encoding: chunked\x0b\r\n", "0\r\n\r\n"),
           std::string("POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           // Chunks.
           Chunked("+3\r\nabc\r\n0\r\n\r\n"),
           Chunked("-3\r\nabc\r\n0\r\n\r\n"),
           Chunked("0x3\r\nabc\r\n0\r\n\r\n"),
           Chunked(" 3\r\nabc\r\n0\r\n\r\n"),
           Chunked("3 \r\nabc\r\n0\r\n\r\n"),
           Chunked("\r\nabc\r\n0\r\n\r\n"),
           Chunked("g\r\nabc\r\n0\r\n\r\n"),
           Chunked("3\nabc\r\n0\r\n\r\n"),
           Chunked("3\r\nabc\n0\r\n\r\n"),
           Chunked("3\r\nabcd\r\n0\r\n\r\n"),
           Chunked("3\r\nabc0\r\n\r\n"),
           Chunked("3\rabc\r\n0\r\n\r\n"),
           Chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"),
           Chunked("3;\"a\r\nabc\r\n0\r\n\r\n"),
           Chunked("3;=b\r\nabc\r\n0\r\n\r\n"),
           Chunked("3;" + std::string(5000, 'a') + "\r\nabc\r\n0\r\n\r\n"),
           Chunked("0\r\nX: " + std::string(5000, 'a') + "\r\n\r\n"),
           Chunked("0\r\nX : y\r\n\r\n"),
           Chunked("0\r\nContent-Length: 37\r\n\r\n"),
           // The request line.
           std::string("GET /x HTTP/1.1\nHost: x\n\n"),
           std::string("GET  /x HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /x  HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET\t/x HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /x HTTP/1.1 \r\nHost: x\r\n\r\n"),
           std::string("GET /x\r\nHost: x\r\n\r\n"),
           std::string("GET /x HTTP/2.0\r\nHost: x\r\n\r\n"),
           std::string("GET /x http/1.1\r\nHost: x\r\n\r\n"),
           std::string("\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET x HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /x#y HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /%4 HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /?a=%0 HTTP/1.1\r\nHost: x\r\n\r\n"),
           // Whom it is for.
           std::string("GET /x HTTP/1.1\r\n\r\n"),
           std::string("GET /x HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
           std::string("GET /x HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n"),
           std::string("GET /x HTTP/1.1\r\nHost: x, y\r\n\r\n"),
           std::string("GET /x HTTP/1.1\r\nHost: x y\r\n\r\n"),
           std::string("GET /x HTTP/1.1\r\nHost: me@x\r\n\r\n"),
           std::string("GET /x HTTP/1.1\r\nHost: x/y\r\n\r\n"),
           std::string("GET http://y/x HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET http://x:80/x HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET http://x@y/x HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET ftp://x/x HTTP/1.1\r\nHost: x\r\n\r\n"),
       }) {
    // As much filling as the lengths above speak of, so that either reading has its body.
    const Outcome read = Read(bytes + kHidden + "    " + kHidden);
    EXPECT_EQ(read.paths, std::vector<std::string>{}) << bytes;
    EXPECT_EQ(read.refused, 400) << bytes;
  }
}

TEST(RequestReader, ABodyThatAGetBringsIsNotReadAsARequest) {
  for (const char* how : {"Content-Length: 37\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"}) {
    const Outcome read = Read(std::string("GET /outer HTTP/1.1\r\nHost: x\r\n") + how + kHidden);
    EXPECT_EQ(read.paths, std::vector<std::string>{"/outer"});
  }
}

TEST(RequestReader, WhatTrailersSayIsNotInTheHead) {
  RequestReader reader;
  ASSERT_EQ(
      reader.Feed(Chunked("0\r\nAuthorization: Bearer x\r\nX-Forwarded-Proto: https\r\n\r\n")),
      State::kWhole);
  EXPECT_FALSE(reader.request().headers.Has("Authorization"));
  EXPECT_FALSE(reader.request().headers.Has("X-Forwarded-Proto"));
}

TEST(RequestReader, AnAbsoluteAddressIsTakenIfItsHostIsTheRequests) {
  for (const char* target : {"http://x:8080/a%20b?c=d", "HTTP://X:8080/a%20b?c=d", "/a%20b?c=d"}) {
    RequestReader reader;
    ASSERT_EQ(reader.Feed(std::string("GET ") + target + " HTTP/1.1\r\nHost: x:8080\r\n\r\n"),
              State::kWhole)
        << target;
    EXPECT_EQ(reader.request().path, "/a b");
    EXPECT_EQ(reader.request().query.find("c")->second, "d");
  }
  RequestReader bare;
  ASSERT_EQ(bare.Feed("GET http://x HTTP/1.1\r\nHost: x\r\n\r\n"), State::kWhole);
  EXPECT_EQ(bare.request().path, "/");
}

TEST(RequestReader, KeepsTheConnectionAsTheClientAndItsVersionSay) {
  const struct {
    const char* request;
    bool keep;
  } cases[] = {{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
               {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false},
               {"GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n", false},
               {"GET / HTTP/1.0\r\n\r\n", false},
               {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true}};
  for (const auto& [request, keep] : cases) {
    RequestReader reader;
    ASSERT_EQ(reader.Feed(request), State::kWhole) << request;
    EXPECT_EQ(reader.keep_alive(), keep) << request;
  }
}

TEST(RequestReader, TheHeadOfABodyThatIsOnItsWayCanBeJudged) {
  RequestReader reader;
  ASSERT_EQ(reader.Feed(Post("Content-Length: 5\r\nAuthorization: Bearer x\r\n", "12")),
            State::kBody);
  EXPECT_EQ(reader.request().path, "/x");
  EXPECT_EQ(reader.request().headers.Get("authorization"), "Bearer x");
  EXPECT_EQ(reader.body_bytes(), 5);
  EXPECT_FALSE(reader.expects_continue());
  EXPECT_EQ(reader.Feed("345"), State::kWhole);
  EXPECT_EQ(reader.request().body, "12345");
}

TEST(RequestReader, OneByteCanShowThatAHeadIsNone) {
  // Nobody waits for the rest of what can't become a request.
  RequestReader reader;
  EXPECT_EQ(reader.Feed("GET / HTTP/1.1\n"), State::kRefused);
  EXPECT_THAT(reader.refusal().why, HasSubstr("line feed"));
}

TEST(RequestReader, SizesAreBounded) {
  const auto refused = [](const std::string& bytes) { return Read(bytes, bytes.size()).refused; };
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nX: " + std::string(33'000, 'a')), 400);
  EXPECT_EQ(refused("GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"), 414);
  EXPECT_EQ(refused("GET /" + std::string(1'100, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"), 414);
  EXPECT_EQ(refused("GET /?" + std::string(7'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
  EXPECT_EQ(refused(Post("Content-Length: 1048577\r\n")), 413);
  EXPECT_EQ(refused(Chunked("100001\r\n")), 413);
  EXPECT_EQ(refused(Chunked("FFFFFFFFFFFFFFFF\r\n")), 413);
}

}  // namespace
}  // namespace gleaner::cloud
