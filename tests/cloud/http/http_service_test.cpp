#include "cloud/http/http_service.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>

#include "cloud/database/sqlite.h"
#include "cloud/media/media_metrics.h"
#include "common/log.h"
#include "common/version.h"
#include "tests/cloud/http/raw_client.h"
#include "tests/cloud/http/service_testing.h"
#include "tests/data/log_lines.h"
#include "tests/data/shell.h"

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kToken[] = "correct-horse-battery-staple";

class HttpServiceTest : public ServiceTest {};

TEST_F(HttpServiceTest, AnswersOnlyToLoopbackNamesWhenThereIsNoToken) {
  Start();
  for (const char* host : {"127.0.0.1", "localhost:8080", "[::1]:99", "[::1]"}) {
    EXPECT_EQ(client_->Get("/metrics", {{"Host", host}})->status, 200) << host;
  }
  // A name of the attacker's that points here.
  for (const char* host :
       {"evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "10.0.0.1", "::1"}) {
    EXPECT_EQ(client_->Get("/metrics", {{"Host", host}})->status, 403) << host;
    EXPECT_EQ(Call("GetSummary", "{}", {{"Host", host}})->status, 403) << host;
    EXPECT_EQ(client_->Get("/healthz", {{"Host", host}})->status, 200) << host;
  }
}

TEST_F(HttpServiceTest, AnswersToTheLoopbackAddressThatItListensOn) {
  Start("", "127.0.0.2");
  EXPECT_EQ(client_->Get("/metrics")->status, 200);
  EXPECT_EQ(client_->Get("/metrics", {{"Host", "localhost"}})->status, 200);
  EXPECT_EQ(client_->Get("/metrics", {{"Host", "127.0.0.3"}})->status, 403);
}

TEST_F(HttpServiceTest, WantsTheTokenForAllThatIsData) {
  Start(kToken);
  const std::string id = AddClip(1);
  EXPECT_EQ(client_->Get("/healthz")->status, 200);
  EXPECT_EQ(client_->Get("/readyz")->status, 200);
  EXPECT_EQ(client_->Get("/clips")->status, 200);
  for (const std::string& path :
       {std::string("/metrics"), "/media/" + id + "/preview", "/media/" + id + "/manifest"}) {
    EXPECT_EQ(client_->Get(path)->status, 401) << path;
  }
  const auto refused = Call("GetSummary", "{}");
  EXPECT_EQ(refused->status, 401);
  EXPECT_THAT(refused->body, HasSubstr("\"unauthenticated\""));
  for (const std::string& wrong :
       {std::string("Bearer "), std::string("Bearer wrong"), std::string("Basic ") + kToken,
        std::string(kToken), std::string("Bearer ") + kToken + "x"}) {
    EXPECT_EQ(Call("GetSummary", "{}", {{"Authorization", wrong}})->status, 401) << wrong;
  }
  for (const char* scheme : {"bearer ", "BEARER "}) {
    EXPECT_EQ(Call("GetSummary", "{}", {{"Authorization", scheme + std::string(kToken)}})->status,
              200);
  }
  const httplib::Headers right = {{"Authorization", std::string("Bearer ") + kToken}};
  EXPECT_EQ(Call("GetSummary", "{}", right)->status, 200);
  EXPECT_EQ(client_->Get("/media/" + id + "/preview", right)->status, 200);
}

TEST_F(HttpServiceTest, GivesACookieForTheToken) {
  Start(kToken);
  const auto login = [&](const std::string& body, const httplib::Headers& headers = {}) {
    return client_->Post("/login", headers, body, "application/json");
  };
  for (const char* wrong :
       {"{\"token\":\"guess\"}", "{\"token\":1}", "{}", "[]", "", "token=correct", "null"}) {
    const auto refused = login(wrong);
    EXPECT_EQ(refused->status, 401) << wrong;
    EXPECT_EQ(refused->get_header_value("Set-Cookie"), "") << wrong;
  }
  const std::string right = fmt::format("{{\"token\":\"{}\"}}", kToken);
  const auto given = login(right);
  EXPECT_EQ(given->status, 204);
  const std::string cookie = given->get_header_value("Set-Cookie");
  EXPECT_THAT(cookie, AllOf(HasSubstr("HttpOnly"), HasSubstr("SameSite=Strict"),
                            Not(HasSubstr(kToken)), Not(HasSubstr("Secure"))));
  const std::string pair = cookie.substr(0, cookie.find(';'));
  EXPECT_EQ(Call("GetSummary", "{}", {{"Cookie", "a=b; " + pair}})->status, 200);
  EXPECT_EQ(Call("GetSummary", "{}", {{"Cookie", pair + "0"}})->status, 401);
  EXPECT_EQ(Call("GetSummary", "{}", {{"Cookie", "gleaner_session="}})->status, 401);
  EXPECT_THAT(login(right, {{"X-Forwarded-Proto", "https"}})->get_header_value("Set-Cookie"),
              HasSubstr("Secure"));
  const auto out = client_->Post("/logout", {{"Cookie", pair}}, "", "application/json");
  EXPECT_EQ(out->status, 204);
  EXPECT_THAT(out->get_header_value("Set-Cookie"), HasSubstr("gleaner_session=; "));
}

TEST_F(HttpServiceTest, NobodyWaitsForTheBodyOfAStranger) {
  Start(kToken);
  const auto answer_to = [&](const std::string& path, const std::string& fields) {
    RawClient client(http_->port());
    client.Send("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
                fields + "\r\n{");
    return client.ReadUntil("\r\n\r\n");
  };
  EXPECT_THAT(answer_to("/gleaner.v1.CatalogService/ListClips", "Content-Length: 1000000\r\n"),
              HasSubstr("HTTP/1.1 401 "));
  EXPECT_THAT(answer_to("/logout", "Content-Length: 10\r\n"), HasSubstr("HTTP/1.1 401 "));
  EXPECT_THAT(answer_to("/login", "Content-Length: 1000000\r\n"), HasSubstr("HTTP/1.1 413 "));
  EXPECT_THAT(answer_to("/login", "Transfer-Encoding: chunked\r\n"), HasSubstr("HTTP/1.1 413 "));
}

TEST_F(HttpServiceTest, EventsWantTheTokenAndKnownTopics) {
  EventHub hub;
  const EventTopic clips = hub.Topic("clips");
  HttpService::Options options;
  options.events = &hub;
  StartWith(options, kToken);
  const auto open = [&](const std::string& path, const std::string& fields) {
    auto client = std::make_unique<RawClient>(http_->port());
    client->Send("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
    return client;
  };
  const std::string right = fmt::format("Authorization: Bearer {}\r\n", kToken);
  EXPECT_THAT(open("/events", "")->ReadUntil("\r\n\r\n"), HasSubstr("HTTP/1.1 401 "));
  EXPECT_THAT(open("/events?topics=clips,weather", right)->ReadUntil("between"),
              AllOf(HasSubstr("HTTP/1.1 400 "), HasSubstr("some of clips,")));
  auto client = open("/events?topics=clips", right);
  EXPECT_THAT(client->ReadUntil("\nid: "),
              AllOf(HasSubstr("HTTP/1.1 200 "), HasSubstr("X-Accel-Buffering: no\r\n"),
                    HasSubstr("Cache-Control: no-store\r\n"),
                    HasSubstr("X-Content-Type-Options: nosniff\r\n")));
  hub.Publish(clips, R"({"id":"a"})");
  EXPECT_THAT(client->ReadUntil("\"a\"}\n\n"), HasSubstr("event: clips\n"));
  EXPECT_THAT(open("/metrics", right)->ReadUntil("route=\"/events\",status=\"200\"} 1"),
              HasSubstr("route=\"/events\",status=\"200\"} 1"));
  http_.reset();  // before the hub
}

TEST_F(HttpServiceTest, TakesNothingThatAnotherSitesFormCanSend) {
  Start(kToken);
  const std::string right = fmt::format("{{\"token\":\"{}\"}}", kToken);
  const std::string cookie =
      client_->Post("/login", right, "application/json")->get_header_value("Set-Cookie");
  const httplib::Headers in = {{"Cookie", cookie.substr(0, cookie.find(';'))}};
  for (const char* type : {"text/plain", "text/plain; charset=utf-8", "multipart/form-data",
                           "application/x-www-form-urlencoded", "application/jsonp", ""}) {
    for (const char* path : {"/login", "/logout", "/gleaner.v1.CatalogService/GetSummary"}) {
      const auto refused = client_->Post(path, in, right, type);
      ASSERT_TRUE(refused);
      EXPECT_EQ(refused->status, 415) << path << " " << type;
      EXPECT_EQ(refused->get_header_value("Set-Cookie"), "") << path << " " << type;
    }
  }
  EXPECT_EQ(client_->Post("/login", right, "Application/JSON; charset=utf-8")->status, 204);
}

TEST_F(HttpServiceTest, WhereOthersCanReachItNobodyIsLetInWithoutAToken) {
  Start("", "0.0.0.0");
  EXPECT_EQ(Call("GetSummary", "{}")->status, 401);
  EXPECT_EQ(client_->Get("/metrics", {{"Host", "localhost"}})->status, 401);
  EXPECT_EQ(client_->Get("/healthz")->status, 200);
}

TEST_F(HttpServiceTest, ServesThePageAndItsViews) {
  Start();
  for (const char* path : {"/", "/index.html", "/fleet", "/clips", "/clips/0123456789abcdef0123"}) {
    const auto page = client_->Get(path);
    EXPECT_EQ(page->status, 200) << path;
    EXPECT_THAT(page->body, HasSubstr("<title>Gleaner</title>")) << path;
    EXPECT_EQ(page->get_header_value("Content-Type"), "text/html; charset=utf-8");
    EXPECT_EQ(page->get_header_value("Cache-Control"), "no-cache");
  }
  const auto script = client_->Get("/assets/app-1a2b.js");
  EXPECT_EQ(script->get_header_value("Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_THAT(script->get_header_value("Cache-Control"), HasSubstr("immutable"));
  EXPECT_EQ(client_->Get("/favicon.svg")->get_header_value("Content-Type"), "image/svg+xml");
  for (const char* path : {"/assets/gone.js", "/gone.png", "/../secret.txt", "/%2e%2e/secret.txt",
                           "/..%2fsecret.txt"}) {
    const auto result = client_->Get(path);
    EXPECT_EQ(result->status, 404) << path;
    EXPECT_THAT(result->body, Not(HasSubstr("not for the web"))) << path;
  }
  const std::string etag = client_->Get("/")->get_header_value("ETag");
  EXPECT_EQ(client_->Get("/", {{"If-None-Match", etag}})->status, 304);
  client_->set_decompress(false);
  const auto packed = client_->Get("/clips", {{"Accept-Encoding", "br, gzip"}});
  EXPECT_EQ(packed->get_header_value("Content-Encoding"), "gzip");
  EXPECT_LT(packed->body.size(), 500u);
}

TEST_F(HttpServiceTest, ScriptsRunFromHereOnlyAndNobodyFramesThePage) {
  Start();
  for (const char* path : {"/", "/no/such.file", "/metrics"}) {
    const auto result = client_->Get(path);
    const std::string policy = result->get_header_value("Content-Security-Policy");
    EXPECT_THAT(policy, AllOf(HasSubstr("default-src 'none'"), HasSubstr("script-src 'self';"),
                              HasSubstr("frame-ancestors 'none'")))
        << path;
    EXPECT_EQ(result->get_header_value("X-Content-Type-Options"), "nosniff") << path;
  }
}

TEST_F(HttpServiceTest, WithoutABuiltPageItSaysSo) {
  std::filesystem::remove_all(folder_ / "web");
  Start();
  EXPECT_THAT(client_->Get("/clips")->body, HasSubstr("page is not installed"));
  EXPECT_EQ(Call("GetSummary", "{}")->status, 200);
}

TEST_F(HttpServiceTest, IsReadyWhileItCanStore) {
  Start();
  EXPECT_EQ(client_->Get("/readyz")->status, 200);
}

TEST_F(HttpServiceTest, IsNotReadyWhenDevicesCannotConnect) {
  HttpService::Options options;
  options.ready = [] { return absl::UnavailableError("nobody at the port"); };
  StartWith(options);
  EXPECT_EQ(client_->Get("/readyz")->status, 503);
  EXPECT_THAT(client_->Get("/readyz")->body, HasSubstr("nobody at the port"));
  EXPECT_EQ(client_->Get("/healthz")->status, 200);
  options.ready = [] { return absl::OkStatus(); };
  StartWith(options);
  EXPECT_EQ(client_->Get("/readyz")->status, 200);
}

TEST_F(HttpServiceTest, IsNotReadyWhenItsStoreIsGone) {
  Start(kToken);
  std::filesystem::remove_all(folder_ / "blobs");
  const auto result = client_->Get("/readyz");
  EXPECT_EQ(result->status, 503);
  EXPECT_EQ(result->body, "not ready\n");
  const auto detailed =
      client_->Get("/readyz", {{"Authorization", std::string("Bearer ") + kToken}});
  EXPECT_THAT(detailed->body, HasSubstr("not ready: "));
  EXPECT_EQ(client_->Get("/healthz")->status, 200);
}

TEST_F(HttpServiceTest, MetricsPleasePromtool) {
  Start();
  // One connection: a request is counted before the next one on it is read.
  client_->set_keep_alive(true);
  AddClip(1);
  Call("ListClips", "{}");
  Call("ListClips", R"({"filter":"?"})");
  client_->Get("/media/nothing/here");
  client_->Put("/odd", "", "text/plain");
  MediaMetrics media;
  v1::MediaCheck good, bad;
  good.set_state(v1::MediaCheck::STATE_OK);
  bad.set_state(v1::MediaCheck::STATE_FAILED);
  bad.set_reason(v1::MediaCheck::REASON_TOO_LARGE);
  media.Count(good, 0.3);
  media.Count(bad, 0.3);
  metrics_->AddSource([&] { return media.Collect(); });
  const std::string text = client_->Get("/metrics")->body;
  EXPECT_THAT(text, HasSubstr("gleaner_clips 1\n"));
  EXPECT_THAT(text, HasSubstr("gleaner_http_requests_total{method=\"POST\",route=\"/gleaner.v1."
                              "CatalogService/ListClips\",status=\"400\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("gleaner_media_checks_total{reason=\"none\",result=\"ok\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("gleaner_media_checks_total{reason=\"too-large\",result=\"failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\ngleaner_media_check_duration_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("\ngleaner_media_check_duration_seconds_bucket{le=\"0.25\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\ngleaner_media_check_duration_seconds_bucket{le=\"0.5\"} 2\n"));
  std::ofstream(folder_ / "metrics.txt") << text;
  const std::string command = "promtool check metrics < '" + (folder_ / "metrics.txt") + "' 2>&1";
  const auto [status, said] = Shell(command);
  EXPECT_EQ(status, 0) << said;
  EXPECT_EQ(said, "");
}

TEST_F(HttpServiceTest, MetricsAreTheCatalogsFigures) {
  Start();
  const std::string good = AddClip(1), bad = AddClip(2);
  AddClip(3);
  v1::MediaCheck check;
  check.set_state(v1::MediaCheck::STATE_OK);
  ASSERT_TRUE(RecordTestCheck(catalog_->database(), good, check, {}).ok());
  check.set_state(v1::MediaCheck::STATE_FAILED);
  check.set_reason(v1::MediaCheck::REASON_UNDECODABLE);
  ASSERT_TRUE(RecordTestCheck(catalog_->database(), bad, check, {}).ok());
  v1::HelloRequest hello;
  hello.set_boot_id(std::string(16, 'b'));
  const int64_t now = clock_.WallNs(), long_ago = now - 86'400 * kNanosPerSecond;
  ASSERT_TRUE(catalog_->devices.RecordHello("cart-1", hello, now).ok());
  ASSERT_TRUE(catalog_->devices.RecordHello("cart-2", hello, long_ago).ok());
  ASSERT_TRUE(catalog_->devices.RecordHello("cart-3", hello, long_ago).ok());
  v1::ReportLedgerRequest report;
  report.add_boots()->set_boot_id(std::string(16, 'g'));
  report.mutable_boots(0)->set_last_sequence(5);
  v1::ReportLedgerResponse response;
  ASSERT_TRUE(catalog_->uploads.ReportLedger("cart-4", report, &response).ok());
  ASSERT_EQ(response.gaps_size(), 5);
  const std::string text = client_->Get("/metrics")->body;
  for (const std::string& line :
       {std::string("gleaner_clips 3"),
        fmt::format("gleaner_clip_bytes {}", 3 * (preview_.size() + video_.size())),
        std::string("gleaner_ledger_gaps 5"), std::string("gleaner_clips_checked{result=\"ok\"} 1"),
        std::string("gleaner_clips_checked{result=\"failed\"} 1"),
        std::string("gleaner_devices{state=\"online\"} 1"),
        std::string("gleaner_devices{state=\"degraded\"} 0"),
        fmt::format("gleaner_build_info{{version=\"{}\"}} 1", Version())}) {
    EXPECT_THAT(text, HasSubstr("\n" + line + "\n"));
  }
}

TEST_F(HttpServiceTest, ACatalogThatTakesNoChangesIsDown) {
  Start();
  EXPECT_THAT(client_->Get("/metrics")->body, HasSubstr("gleaner_catalog_up 1\n"));
  ConnectSqlite(folder_ / "catalog.db", SqliteMode::kWrite)->Script("DROP TABLE counter");
  EXPECT_EQ(Call("GetSummary", "{}")->status, 200);
  EXPECT_THAT(client_->Get("/metrics")->body, HasSubstr("gleaner_catalog_up 0\n"));
}

TEST_F(HttpServiceTest, TheRoomThatIsLeftIsKnownWithoutTheCatalog) {
  Start();
  ConnectSqlite(folder_ / "catalog.db", SqliteMode::kWrite)->Script("DROP TABLE tally");
  const std::string text = client_->Get("/metrics")->body;
  EXPECT_THAT(
      text, AllOf(HasSubstr("gleaner_catalog_up 0\n"), HasSubstr("gleaner_blob_store_room_bytes "),
                  Not(HasSubstr("gleaner_blob_store_room_bytes 0\n"))));
}

// More than any disk has.
class FloorReachedTest : public ServiceTest {
 protected:
  FloorReachedTest() : ServiceTest(uint64_t{1} << 60) {}
};

TEST_F(FloorReachedTest, IsNotReadyWithoutRoomForClips) {
  Start();
  const auto ready = client_->Get("/readyz");
  EXPECT_EQ(ready->status, 503);
  EXPECT_THAT(ready->body, HasSubstr("takes nothing below"));
  EXPECT_THAT(client_->Get("/metrics")->body, HasSubstr("gleaner_blob_store_room_bytes 0\n"));
}

TEST_F(HttpServiceTest, TheCatalogsOwnTroubleIsLoggedAndNotToldToTheCaller) {
  Start();
  ConnectSqlite(folder_ / "catalog.db", SqliteMode::kWrite)->Script("DROP TABLE tally");
  const auto result = Call("GetSummary", "{}");
  EXPECT_EQ(result->status, 500);
  EXPECT_THAT(result->body, AllOf(HasSubstr("the server's log says"), Not(HasSubstr("tally"))));
  EXPECT_EQ(Call("GetClip", R"({"id":"0123456789abcdef0123"})")->status, 404);
}

int Count(const LogLines& log, std::string_view what) {
  const std::string text = log.text();
  int count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST_F(HttpServiceTest, StrangersDoNotFillTheLog) {
  const LogLines log;
  Start(kToken);
  for (int i = 0; i < 50; ++i) {
    client_->Post("/login", R"({"token":"guess"})", "application/json");
  }
  const int logged = Count(log, "wrong token");
  EXPECT_GE(logged, 1);
  EXPECT_LE(logged, 20);
}

TEST_F(HttpServiceTest, NotReadyIsLoggedWhenItBeginsAndWhenItEnds) {
  const LogLines log;
  Start();
  Sql catalog = OpenSqlite(folder_ / "catalog.db", SqliteMode::kWrite);
  catalog.connection().Script("DROP TABLE counter");
  // It looks again each second.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(2200);
  while (std::chrono::steady_clock::now() < deadline) {
    EXPECT_EQ(client_->Get("/readyz")->status, 503);
  }
  EXPECT_EQ(Count(log, "not ready: "), 1);
  catalog.connection().Script(
      "CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL)");
  const auto at_last = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (client_->Get("/readyz")->status != 200 && std::chrono::steady_clock::now() < at_last) {
  }
  EXPECT_EQ(Count(log, "ready again"), 1);
}

TEST_F(HttpServiceTest, AStrangersPathsDoNotBecomeLabels) {
  Start();
  for (int i = 0; i < 50; ++i) client_->Get("/made-up-" + std::to_string(i));
  const std::string text = client_->Get("/metrics")->body;
  EXPECT_THAT(text, Not(HasSubstr("made-up")));
}

}  // namespace
}  // namespace gleaner::cloud
