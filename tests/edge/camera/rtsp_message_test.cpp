// RTSP's byte stream: messages and packets in one another, in pieces, and from cameras that err.
#include "edge/camera/rtsp_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "common/status.h"

namespace gleaner::edge {
namespace {

using Item = std::variant<std::monostate, RtspMessage, RtspData>;

void Feed(RtspReader& reader, std::string_view bytes) {
  std::memcpy(reader.Space(bytes.size()), bytes.data(), bytes.size());
  reader.Received(bytes.size());
}

std::string Packet(uint8_t channel, const std::string& bytes) {
  return std::string{'$', static_cast<char>(channel), static_cast<char>(bytes.size() >> 8),
                     static_cast<char>(bytes.size())} +
         bytes;
}

// What the reader makes of `stream`, as text.
std::string All(RtspReader& reader) {
  std::string all;
  for (;;) {
    const auto item = reader.Next();
    if (!item.ok()) return all + "!" + std::string(Message(item.status()));
    if (std::holds_alternative<std::monostate>(*item)) return all;
    if (const auto* data = std::get_if<RtspData>(&*item)) {
      all += "<" + std::to_string(data->channel) + ":" + std::string(data->bytes) + ">";
    } else {
      const auto& message = std::get<RtspMessage>(*item);
      all += "[" + (message.code > 0 ? std::to_string(message.code) : message.method) + " " +
             std::string(message.Header("cseq")) + " " + message.body + "]";
    }
  }
}

const std::string kStream = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nhello" +
                            Packet(0, "one") + Packet(1, "") +
                            "GET_PARAMETER * RTSP/1.0\r\ncseq:7\r\n\r\n" + Packet(0, "$$RTSP") +
                            "RTSP/1.0 401 No\nCSEQ : 2\n\n" + Packet(2, "two");
constexpr char kItems[] = "[200 1 hello]<0:one><1:>[GET_PARAMETER 7 ]<0:$$RTSP>[401 2 ]<2:two>";

TEST(RtspReader, TakesMessagesAndPacketsApart) {
  RtspReader reader;
  Feed(reader, kStream);
  EXPECT_EQ(All(reader), kItems);
}

TEST(RtspReader, DoesSoWhereverTheStreamIsCut) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    RtspReader reader;
    std::string all;
    for (size_t at = 0; at < kStream.size();) {
      const size_t size =
          std::min<size_t>(kStream.size() - at, 1 + random() % (round < 100 ? 3 : 40));
      Feed(reader, std::string_view(kStream).substr(at, size));
      at += size;
      all += All(reader);
    }
    ASSERT_EQ(all, kItems) << round;
  }
}

TEST(RtspReader, SkipsWhatSomeCamerasLeaveBetweenPackets) {
  RtspReader reader;
  Feed(reader, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n\r\n\0\0junk" + Packet(0, "one") + "xx" +
                   Packet(0, "two"));
  EXPECT_EQ(All(reader), "[200 1 ]<0:one><0:two>");
}

TEST(RtspReader, SaysThatAServerSpeaksSomethingElse) {
  for (const char* other : {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH\r\n",
                            "\x15\x03\x01", "220 mail ESMTP\r\n"}) {
    RtspReader reader;
    Feed(reader, other);
    EXPECT_EQ(All(reader), "!answers, but not in RTSP") << other;
  }
}

TEST(RtspReader, BoundsWhatItTakes) {
  RtspReader endless;
  Feed(endless, "RTSP/1.0 200 OK\r\nX: " + std::string(20'000, 'x'));
  EXPECT_EQ(All(endless), "!sent a message whose headers have no end");
  for (const char* length : {"999999999", "-1", "x", "99999999999999999999999"}) {
    RtspReader reader;
    Feed(reader, std::string("RTSP/1.0 200 OK\r\nContent-Length: ") + length + "\r\n\r\n");
    EXPECT_EQ(All(reader), "!sent a message with a body of no sensible length") << length;
  }
  RtspReader garbage;
  Feed(garbage, "RTSP/1.0 200 OK\r\n\r\n" + std::string(RtspReader::kMaxGarbageBytes + 1, 'x'));
  EXPECT_EQ(All(garbage), "[200  ]!answers, but not in RTSP");
  RtspReader strange;
  Feed(strange, "RTSP/1.0 OK\r\n\r\n");
  EXPECT_EQ(All(strange), "!sent a response without a status");
}

TEST(RtspMessage, FindsHeadersByNameWhateverTheirCaseAndAllOfAName) {
  RtspReader reader;
  Feed(reader,
       "RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\n"
       "www-authenticate: Digest realm=\"b\",\r\n nonce=\"c\"\r\n\r\n");
  const auto item = reader.Next();
  ASSERT_TRUE(item.ok());
  const auto& message = std::get<RtspMessage>(*item);
  EXPECT_THAT(message.Headers("www-authenticate"),
              ::testing::ElementsAre("Basic realm=\"a\"", "Digest realm=\"b\", nonce=\"c\""));
  EXPECT_EQ(message.Header("x"), "");
}

TEST(RtspMessage, ReadsParametersOfAHeader) {
  const std::string transport =
      "RTP/AVP/TCP;unicast; Interleaved = 4-5 ;ssrc=\"00AB\";mode=\"PLAY\"";
  EXPECT_EQ(Parameter(transport, "interleaved"), "4-5");
  EXPECT_EQ(Parameter(transport, "ssrc"), "00AB");
  EXPECT_EQ(Parameter(transport, "unicast"), "");
  EXPECT_EQ(Parameter(transport, "client_port"), std::nullopt);
  EXPECT_EQ(Parameter("", "x"), std::nullopt);
}

}  // namespace
}  // namespace gleaner::edge
