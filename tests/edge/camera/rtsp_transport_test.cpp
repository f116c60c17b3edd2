// How a camera's packets come: over TCP, over UDP where it knows nothing else, and what is said
// where they don't come at all.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <thread>

#include "common/status.h"
#include "edge/camera/login_guard.h"
#include "edge/camera/rtsp_session.h"
#include "tests/data/seed.h"
#include "tests/edge/camera/camera_door.h"
#include "tests/edge/camera/camera_rig.h"
#include "tests/edge/camera/camera_watch.h"
#include "tests/edge/camera/rtsp_camera.h"
#include "tests/edge/camera/tls_front.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kS = kNanosPerSecond;

using Door = std::function<std::optional<RtspBehavior::Answer>(const RtspRequest&)>;

std::string Header(const RtspRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

// Answers one method as told, and nothing else.
Door Answering(const std::string& method, const std::string& status, const std::string& headers) {
  return [=](const RtspRequest& request) {
    std::optional<RtspBehavior::Answer> answer;
    if (request.method == method) answer = {status, headers};
    return answer;
  };
}

// Refuses the transport that has `word` in it.
Door Refusing(const std::string& word, bool contains) {
  return [=](const RtspRequest& request) {
    std::optional<RtspBehavior::Answer> answer;
    const bool has = Header(request, "transport").find(word) != std::string::npos;
    if (request.method == "SETUP" && has == contains) answer = {"461 Unsupported Transport", ""};
    return answer;
  };
}

int Count(const RtspCamera& camera, const std::string& method) {
  const auto requests = camera.requests();
  return static_cast<int>(std::count_if(requests.begin(), requests.end(), [&](const auto& request) {
    return request.method == method;
  }));
}

class FieldTransport : public CameraRig {
 protected:
  // Small, so that a burst of it fits into a socket's buffer.
  const Film film_ = Film::Load(
      MakeFilm({.seconds = 3,
                .width = 160,
                .height = 96,
                .encode = "-c:v libx264 -preset ultrafast -bf 0 -g 25 -pix_fmt yuv420p"}));
  FakeClock clock_;

  // What a camera says of a server that behaves so.
  std::string Problem(RtspBehavior behavior, const std::string& transport = "auto") {
    RtspCamera camera(film_, std::move(behavior));
    CameraOptions options = LiveOptions(camera.url());
    options.transport = transport;
    CameraWatch watch(options, clock_);
    EXPECT_TRUE(watch.Waits());
    return watch.status().problem;
  }
};

TEST_F(FieldTransport, TakesUdpFromACameraThatRefusesTcp) {
  RtspCamera camera(film_, RtspBehavior{.door = Refusing("TCP", true)});
  CameraWatch watch(LiveOptions(camera.url()), clock_);
  EXPECT_TRUE(watch.Streams(60)) << watch.status().problem;
  EXPECT_EQ(camera.connections(), 1) << "in the same session";
}

TEST_F(FieldTransport, TriesUdpAfterACameraHasSentNothingOverTcpAndStaysWithWhatWorks) {
  std::atomic<bool> plays{false};
  const RtspBehavior silent{.pace = [&](int64_t) {
    plays = true;
    return false;
  }};
  const RtspBehavior cut{.frames = 60, .then = RtspBehavior::Then::kClose};
  RtspCamera camera(film_, std::vector<RtspBehavior>{silent, cut, cut});
  clock_.AutoAdvance(true);  // waits for a retry are over at once
  CameraWatch watch(LiveOptions(camera.url()), clock_);
  ASSERT_TRUE(Eventually([&] { return plays.load(); }));
  clock_.Advance(11 * kS);
  EXPECT_TRUE(watch.Streams(30)) << watch.status().problem;
  ASSERT_TRUE(Eventually([&] { return Count(camera, "SETUP") >= 3; }));
  std::vector<bool> over_udp;
  for (const RtspRequest& request : camera.requests()) {
    if (request.method != "SETUP") continue;
    over_udp.push_back(Header(request, "transport").find("client_port") != std::string::npos);
  }
  over_udp.resize(3);  // it goes on
  EXPECT_THAT(over_udp, ::testing::ElementsAre(false, true, true));
}

TEST_F(FieldTransport, GoesBackToTcpWhereNothingComesOverUdpEither) {
  std::atomic<int> plays{0};  // has answered PLAY so often
  RtspCamera camera(film_, RtspBehavior{.pace = [&](int64_t) {
                      ++plays;
                      return false;
                    }});
  clock_.AutoAdvance(true);  // waits for a retry are over at once
  CameraWatch watch(LiveOptions(camera.url()), clock_);
  for (int played = 1; played <= 3; ++played) {
    ASSERT_TRUE(Eventually([&] { return plays == played; }));
    clock_.Advance(11 * kS);
  }
  std::string order;
  for (const RtspRequest& request : camera.requests()) {
    if (request.method != "SETUP") continue;
    order += Header(request, "transport").find("TCP") != std::string::npos ? "T" : "U";
  }
  EXPECT_EQ(order.substr(0, 3), "TUT");
}

TEST_F(FieldTransport, AsksForWhatTheConfigurationSaysAlone) {
  RtspCamera camera(film_, RtspBehavior{});
  CameraOptions options = LiveOptions(camera.url());
  options.transport = "udp";
  {
    CameraWatch watch(options, clock_);
    EXPECT_TRUE(watch.Streams(30)) << watch.status().problem;
  }
  for (const RtspRequest& request : camera.requests()) {
    EXPECT_THAT(Header(request, "transport"), Not(HasSubstr("TCP")));
  }
  EXPECT_THAT(Problem(RtspBehavior{.door = Refusing("TCP", true)}, "tcp"),
              HasSubstr("answers SETUP with 461: it doesn't send this way; set transport"));
  EXPECT_THAT(Problem(RtspBehavior{.door = Refusing("TCP", false)}, "udp"), HasSubstr("461"));
}

TEST_F(FieldTransport, ReadsInterleavedPacketsEvenWhereUdpWasAskedFor) {
  RtspBehavior odd;
  odd.door = Answering("SETUP", "200 OK",
                       "Session: 7\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
  RtspCamera camera(film_, odd);
  CameraOptions options = LiveOptions(camera.url());
  options.transport = "udp";
  CameraWatch watch(options, clock_);
  EXPECT_TRUE(watch.Streams(60)) << watch.status().problem;
}

TEST_F(FieldTransport, PutsPacketsThatOvertookOneAnotherBackInOrder) {
  const uint64_t seed = Seed(20'261'129);
  const auto late = [seed](int64_t, int64_t packet) {
    return (seed ^ static_cast<uint64_t>(packet) * 2654435761u) % 5 == 0;
  };
  RtspCamera camera(film_, RtspBehavior{.loop = true, .frames = 100, .late = late});
  CameraOptions options = LiveOptions(camera.url());
  options.transport = "udp";
  FakeClock clock;
  Collector collector(95);
  Camera subject(options, clock, collector);
  ASSERT_TRUE(subject.Run(collector.stop.get_token()).ok());
  size_t errors = 0;
  const std::vector<int64_t> shown = DecodedPts(collector.formats[0], collector.packets, &errors);
  EXPECT_EQ(errors, 0u);
  EXPECT_EQ(shown.size(), 95u);
  for (size_t i = 1; i < shown.size(); ++i) EXPECT_EQ(shown[i] - shown[i - 1], 3600) << i;
}

TEST_F(FieldTransport, GoesOnWherePacketsAreLost) {
  const uint64_t seed = Seed(20'261'130);
  const auto lost = [seed](int64_t, int64_t packet) {
    return (seed ^ static_cast<uint64_t>(packet) * 2654435761u) % 20 == 7;
  };
  RtspCamera camera(film_, RtspBehavior{.loop = true, .frames = 300, .lost = lost});
  CameraOptions options = LiveOptions(camera.url());
  options.transport = "udp";
  CameraWatch watch(options, clock_);
  EXPECT_TRUE(watch.Streams(200)) << watch.status().problem;
  EXPECT_EQ(camera.connections(), 1);
}

TEST_F(FieldTransport, TakesNoPacketsFromStrangers) {
  std::atomic<bool> go{false};
  RtspBehavior behavior{.pace = [&](int64_t) {
    while (!go) std::this_thread::yield();
    return true;
  }};
  RtspCamera camera(film_, behavior);
  CameraOptions options = LiveOptions(camera.url());
  options.transport = "udp";
  CameraWatch watch(options, clock_);
  ASSERT_TRUE(Eventually([&] { return Count(camera, "PLAY") == 1; }));
  int port = 0;
  for (const RtspRequest& request : camera.requests()) {
    const std::string transport = Header(request, "transport");
    const size_t at = transport.find("client_port=");
    if (at != std::string::npos) port = std::stoi(transport.substr(at + 12));
  }
  ASSERT_GT(port, 0);
  const Fd stranger(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in from{.sin_family = AF_INET}, to{.sin_family = AF_INET};
  inet_pton(AF_INET, "127.0.0.2", &from.sin_addr);
  ASSERT_EQ(bind(stranger.get(), reinterpret_cast<sockaddr*>(&from), sizeof from), 0);
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  to.sin_port = htons(static_cast<uint16_t>(port));
  // A goodbye in the camera's name would end the stream.
  const std::string bye("\x80\xcb\0\1\0\0\0\1", 8);
  for (int i = 0; i < 100; ++i) {
    sendto(stranger.get(), bye.data(), bye.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }
  go = true;
  EXPECT_TRUE(watch.Streams(60)) << watch.status().problem;
  EXPECT_EQ(camera.connections(), 1);
}

TEST_F(FieldTransport, KeepsTheSessionAliveAsTheCameraKnowsHow) {
  struct Case {
    std::string known;
    bool refused;  // although it is known
    std::string method;
  };
  for (const Case& c : {Case{"OPTIONS, DESCRIBE, SETUP, PLAY", false, "OPTIONS"},
                        Case{"DESCRIBE, GET_PARAMETER", false, "GET_PARAMETER"},
                        Case{"DESCRIBE, GET_PARAMETER", true, "OPTIONS"}}) {
    RtspBehavior behavior;
    behavior.door = [&c](const RtspRequest& request) {
      std::optional<RtspBehavior::Answer> answer;
      if (request.method == "OPTIONS") answer = {"200 OK", "Public: " + c.known + "\r\n"};
      if (request.method == "GET_PARAMETER" && c.refused) answer = {"451 No", ""};
      return answer;
    };
    RtspCamera camera(film_, behavior);
    CameraOptions options = LiveOptions(camera.url());
    options.stall_timeout_ns = 600 * kS;
    FakeClock clock;
    CameraWatch watch(options, clock);
    ASSERT_TRUE(watch.Streams(74)) << "all, but what FFmpeg's parser holds";
    const auto next = [&] {  // the next keep-alive
      const size_t requests = camera.requests().size();
      clock.Advance(31 * kS);
      EXPECT_TRUE(Eventually([&] { return camera.requests().size() > requests; }));
      return camera.requests().back();
    };
    // The camera's answer to the first may be on its way when others are due.
    RtspRequest request = next();
    for (int i = 0; i < 50 && request.method != c.method; ++i) request = next();
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(request.method, c.method);
      EXPECT_EQ(Header(request, "session"), "7");
      request = next();
    }
    EXPECT_EQ(camera.connections(), 1);
  }
}

TEST_F(FieldTransport, EndsTheSessionWhenItLeaves) {
  RtspCamera camera(film_, RtspBehavior{});
  {
    CameraWatch watch(LiveOptions(camera.url()), clock_);
    ASSERT_TRUE(watch.Streams(20));
  }
  EXPECT_TRUE(Eventually([&] { return Count(camera, "TEARDOWN") == 1; }));
}

TEST_F(FieldTransport, FollowsACameraThatSendsItOnButNotForEver) {
  RtspCamera camera(film_, RtspBehavior{});
  RtspCamera front(
      film_, RtspBehavior{.door = Answering("DESCRIBE", "301 Moved",
                                            fmt::format("Location: rtsp://127.0.0.1:{}/live\r\n",
                                                        camera.port()))});
  CameraWatch watch(LiveOptions(front.url()), clock_);
  EXPECT_TRUE(watch.Streams(30)) << watch.status().problem;

  std::string self;
  RtspCamera circle(film_, RtspBehavior{.door = [&self](const RtspRequest& request) {
                      return Answering("DESCRIBE", "302 Found",
                                       "Location: " + self + "\r\n")(request);
                    }});
  self = circle.url();
  CameraWatch dizzy(LiveOptions(circle.url()), clock_);
  ASSERT_TRUE(dizzy.Waits());
  EXPECT_THAT(dizzy.status().problem, HasSubstr("sends on and on"));
  EXPECT_LE(circle.connections(), 8);
}

TEST_F(FieldTransport, SaysWhatACamerasAnswersMean) {
  EXPECT_THAT(Problem({.door = Answering("DESCRIBE", "404 Not Found: /live?pwd=Hunter2", "")}),
              ::testing::AllOf(HasSubstr("answers DESCRIBE with 404: it has no stream at the path"),
                               Not(HasSubstr("Hunter2"))));
  EXPECT_THAT(Problem({.door = Answering("DESCRIBE", "453 Not Enough Bandwidth", "")}),
              HasSubstr("too many viewers"));
  EXPECT_THAT(Problem({.door = Answering("PLAY", "454 Session Not Found", "")}),
              HasSubstr("forgotten the session"));
  EXPECT_THAT(Problem({.door = Answering("DESCRIBE", "200 OK", "")}), HasSubstr("offers no video"));
  EXPECT_THAT(
      Problem({.door = Answering("SETUP", "200 OK",
                                 "Transport: RTP/AVP;multicast;destination=224.0.0.1\r\n")}),
      HasSubstr("multicast"));
}

TEST_F(FieldTransport, PlaysWithoutARangeWhereACameraTakesNone) {
  RtspCamera camera(film_, RtspBehavior{.door = [](const RtspRequest& request) {
                      std::optional<RtspBehavior::Answer> answer;
                      if (!Header(request, "range").empty()) answer = {"457 Invalid Range", ""};
                      return answer;
                    }});
  CameraWatch watch(LiveOptions(camera.url()), clock_);
  EXPECT_TRUE(watch.Streams(60)) << watch.status().problem;
}

TEST_F(FieldTransport, AsksForNoSoundAndReadsVideoBesideIt) {
  RtspBehavior behavior;
  behavior.more_sdp =
      "m=audio 0 RTP/AVP 0\r\na=control:track2\r\nm=video 0 RTP/AVP 97\r\n"
      "a=rtpmap:97 H264/90000\r\na=control:track3\r\n";
  RtspCamera camera(film_, behavior);
  CameraWatch watch(LiveOptions(camera.url()), clock_);
  EXPECT_TRUE(watch.Streams(60)) << watch.status().problem;
  EXPECT_EQ(Count(camera, "SETUP"), 1);
}

TEST_F(FieldTransport, ReadsTlsWithWhateverCertificateTheCameraHas) {
  const CameraDoor door({.schemes = {"SHA-256"}});
  RtspCamera camera(film_, RtspBehavior{.door = door});
  // As the daemon does: OpenSSL writes to a connection that may be gone.
  signal(SIGPIPE, SIG_IGN);
  const TlsFront front(folder_, camera.port());
  CameraWatch watch(
      LiveOptions(fmt::format("rtsps://admin:secret@127.0.0.1:{}/live", front.port())), clock_);
  EXPECT_TRUE(watch.Streams(60)) << watch.status().problem;
  CameraWatch plain(LiveOptions(fmt::format("rtsps://127.0.0.1:{}/live", camera.port())), clock_);
  ASSERT_TRUE(Eventually([&] { return camera.connections() == 2; }));
  clock_.Advance(11 * kS);  // the camera waits for a request that never ends
  ASSERT_TRUE(plain.Waits());
}

TEST_F(FieldTransport, SaysThatAServerIsNoCamera) {
  const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size);
  listen(listener.get(), 8);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  std::jthread web([&] {
    for (int i = 0; i < 2; ++i) {
      const Fd client(accept(listener.get(), nullptr, nullptr));
      char request[4096];
      recv(client.get(), request, sizeof request, 0);
      const std::string answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
      send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      recv(client.get(), request, sizeof request, 0);
    }
  });
  const std::string port = fmt::format("{}", ntohs(address.sin_port));
  {
    CameraWatch watch(LiveOptions("rtsp://127.0.0.1:" + port + "/live"), clock_);
    ASSERT_TRUE(watch.Waits());
    EXPECT_THAT(watch.status().problem, HasSubstr("answers, but not in RTSP"));
  }
  CameraWatch tls(LiveOptions("rtsps://127.0.0.1:" + port + "/live"), clock_);
  ASSERT_TRUE(tls.Waits());
  EXPECT_THAT(tls.status().problem, HasSubstr("has no TLS at this port"));
}

TEST_F(FieldTransport, SaysThatAHostIsUnknown) {
  CameraWatch watch(LiveOptions("rtsp://no-such-host.invalid/live"), clock_);
  clock_.Advance(1);
  ASSERT_TRUE(Eventually([&] { return watch.status().state == CameraState::kReconnecting; }));
  EXPECT_THAT(watch.status().problem, HasSubstr("rtsp://no-such-host.invalid"));
}

}  // namespace
}  // namespace gleaner::edge
