#include "cloud/http/event_stream.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "cloud/http/http_server.h"
#include "tests/cloud/http/raw_client.h"

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Answers GET /events with all events of a hub.
class EventStreamTest : public testing::Test {
 protected:
  // Counts the streams that are open.
  class Counted : public HttpStream {
   public:
    Counted(const EventReader& reader, Clock& clock, std::atomic<int>& open)
        : stream_(reader, clock), open_(open) {
      ++open_;
    }
    ~Counted() override { --open_; }
    bool Poll(size_t max_bytes, std::string* out) override { return stream_.Poll(max_bytes, out); }

   private:
    EventStream stream_;
    std::atomic<int>& open_;
  };

  ~EventStreamTest() override { hub_.OnEvent({}); }

  void Start(const HttpServer::Limits& limits = {}) {
    HttpServer::Handlers handlers;
    handlers.get = [this](const HttpRequest& request, HttpResponse& response) {
      if (request.path != "/events") return;
      response.headers.Set("Content-Type", "text/event-stream");
      response.stream = std::make_unique<Counted>(
          *hub_.Read("", request.headers.Get("Last-Event-ID")), clock_, open_);
    };
    auto server = HttpServer::Start({"127.0.0.1", 0}, limits, std::move(handlers));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    hub_.OnEvent([server = server_.get()] { server->WakeStreams(); });
  }

  std::unique_ptr<RawClient> Open(const std::string& fields = "") {
    auto client = std::make_unique<RawClient>(server_->port());
    client->Send("GET /events HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
    return client;
  }

  FakeClock clock_;
  EventHub hub_;
  const EventTopic clips_ = hub_.Topic("clips");
  std::atomic<int> open_{0};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(EventStreamTest, TellsWhatHappensAsItHappens) {
  Start();
  auto client = Open();
  EXPECT_THAT(client->ReadUntil("\r\n\r\nretry: "),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/event-stream"),
                    HasSubstr("Connection: close\r\n"), Not(HasSubstr("Content-Length"))));
  client->ReadUntil("\nid: ");
  hub_.Publish(clips_, R"({"id":"a"})");
  EXPECT_THAT(client->ReadUntil("\"a\"}\n\n"), HasSubstr("event: clips\ndata: {\"id\":\"a\"}\n\n"));
  EXPECT_FALSE(client->ended());
}

TEST_F(EventStreamTest, SaysSomethingWhenNothingHappensForLong) {
  Start();
  auto client = Open();
  client->ReadUntil("\nid: ");
  clock_.Advance(14 * kNanosPerSecond);
  hub_.Publish(clips_, "{}");
  client->ReadUntil("data: {}\n\n");
  clock_.Advance(14 * kNanosPerSecond);
  server_->WakeStreams();
  hub_.Publish(clips_, R"({"id":"b"})");
  EXPECT_THAT(client->ReadUntil("\"b\"}\n\n"), Not(HasSubstr("\n:\n\n")));
  clock_.Advance(15 * kNanosPerSecond);
  server_->WakeStreams();
  EXPECT_THAT(client->ReadUntil("\n:\n\n"), HasSubstr("\n:\n\n"));
}

TEST_F(EventStreamTest, GoesOnWhereAConnectionWasCut) {
  Start();
  auto client = Open();
  client->ReadUntil("\nid: ");
  hub_.Publish(clips_, R"({"id":"a"})");
  const std::string& text = client->ReadUntil("\"a\"}\n\n");
  const size_t begin = text.rfind("id: ") + 4;
  const std::string id = text.substr(begin, text.find('\n', begin) - begin);
  client.reset();
  hub_.Publish(clips_, R"({"id":"b"})");
  auto again = Open("Last-Event-ID: " + id + "\r\n");
  EXPECT_THAT(again->ReadUntil("\"b\"}\n\n"),
              AllOf(HasSubstr("\"b\""), Not(HasSubstr("\"a\"")), Not(HasSubstr("reset"))));
  auto stranger = Open("Last-Event-ID: of-another-day\r\n");
  EXPECT_THAT(stranger->ReadUntil("data: {}\n\n"), HasSubstr("event: reset\n"));
}

TEST_F(EventStreamTest, HasABoundOfItsOwnApartFromTheConnections) {
  Start({.connections = 2, .streams = 3});
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(Open());
    ASSERT_THAT(clients.back()->ReadUntil("\nid: "), HasSubstr("\nid: "));
  }
  EXPECT_THAT(Open()->ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 503 "));
  RawClient other(server_->port());
  other.Send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(other.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  clients.pop_back();
  while (open_ > 2) std::this_thread::yield();
  EXPECT_THAT(Open()->ReadUntil("\nid: "), HasSubstr("\nid: "));
}

TEST_F(EventStreamTest, EndsWhenItsClientGoesOrSaysMore) {
  Start();
  auto gone = Open(), talking = Open();
  gone->ReadUntil("\nid: ");
  talking->ReadUntil("\nid: ");
  EXPECT_EQ(open_, 2);
  gone.reset();
  talking->Send("GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n");
  while (open_ > 0) std::this_thread::yield();
  EXPECT_THAT(talking->ReadToEnd(), Not(HasSubstr("HTTP/1.1 200 OK\r\n\r\nHTTP")));
  EXPECT_TRUE(talking->ended());
}

TEST_F(EventStreamTest, AReaderWhoDoesNotKeepUpIsDropped) {
  Start({.write = std::chrono::milliseconds(1)});
  auto slow = Open();
  slow->ReadUntil("\nid: ");
  const std::string json = fmt::format("{{\"id\":\"{}\"}}", std::string(1000, 'x'));
  // More and more, which it does not read; with time for the server to look at it in between.
  while (open_ > 0) {
    for (int i = 0; i < 3000; ++i) hub_.Publish(clips_, json);
    for (int i = 0; i < 10'000 && open_ > 0; ++i) std::this_thread::yield();
  }
  slow->ReadToEnd();
  EXPECT_TRUE(slow->ended());
}

TEST_F(EventStreamTest, StoppingEndsAll) {
  Start();
  auto client = Open();
  client->ReadUntil("\nid: ");
  server_->Stop();
  client->ReadToEnd();
  EXPECT_TRUE(client->ended());
  EXPECT_EQ(open_, 0);
}

size_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  size_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

int Threads() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Threads:")) return std::stoi(line.substr(8));
  }
  return 0;
}

TEST_F(EventStreamTest, TwoThousandFitInAHundredMegabytesAndTakeNoThread) {
  constexpr int kStreams = 2000;
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_GE(limit.rlim_max, 2 * kStreams + 100) << "both ends of each stream are in this process";
  Start();
  // Served once, so that what any first request brings with it doesn't count.
  ASSERT_THAT(Open()->ReadUntil("\nid: "), HasSubstr("\nid: "));
  while (open_ > 0) std::this_thread::yield();
  const size_t idle = ResidentBytes();
  const int threads = Threads();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kStreams; ++i) {
    clients.push_back(
        Open("User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
             "Accept: text/event-stream\r\nAccept-Language: en\r\n"
             "Cookie: gleaner_session=" +
             std::string(64, 'a') + "\r\n"));
    ASSERT_THAT(clients.back()->ReadUntil("\nid: "), HasSubstr("\nid: ")) << i;
  }
  size_t most = ResidentBytes();
  for (int i = 0; i < 3; ++i) {
    const std::string json = fmt::format("{{\"id\":\"{:020}\"}}", i);
    hub_.Publish(clips_, json);
    for (auto& client : clients) ASSERT_THAT(client->ReadUntil(json), HasSubstr(json));
    most = std::max(most, ResidentBytes());
  }
  EXPECT_EQ(open_, kStreams);
  EXPECT_EQ(Threads(), threads);
  const double beyond_mb = static_cast<double>(most - idle) / 1e6;
  std::printf("%d event streams: %.1f MB beyond idle, both ends together\n", kStreams, beyond_mb);
  EXPECT_LE(beyond_mb, 100);
}

}  // namespace
}  // namespace gleaner::cloud
