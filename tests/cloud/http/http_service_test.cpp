#include "cloud/http/http_service.h"

#include <gmock/gmock.h>

#include "tests/cloud/http/raw_client.h"
#include "tests/cloud/http/service_testing.h"

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

TEST_F(HttpServiceTest, WantsTheTokenEverywhereButForHealth) {
  Start(kToken);
  const std::string id = AddClip(1);
  EXPECT_EQ(client_->Get("/healthz")->status, 200);
  EXPECT_EQ(client_->Get("/readyz")->status, 200);
  EXPECT_EQ(client_->Get("/login")->status, 200);
  for (const std::string& path :
       {std::string("/metrics"), "/media/" + id + "/preview", std::string("/assets/app-1a2b.js"),
        std::string("/"), std::string("/clips")}) {
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
  const httplib::Headers right = {{"Authorization", std::string("Bearer ") + kToken}};
  EXPECT_EQ(Call("GetSummary", "{}", right)->status, 200);
  EXPECT_EQ(client_->Get("/media/" + id + "/preview", right)->status, 200);
}

TEST_F(HttpServiceTest, SendsABrowserToTheLoginAndBack) {
  Start(kToken);
  // By hand: the library's client decodes headers.
  RawClient browser(http_->port());
  browser.Send("GET /clips?filter=device:cart-1 HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n");
  EXPECT_THAT(browser.ReadUntil("\r\n\r\n"),
              AllOf(HasSubstr("HTTP/1.1 303"),
                    HasSubstr("Location: /login?next=/clips%3Ffilter%3Ddevice%3Acart-1\r\n")));
  const auto form = client_->Get("/login?next=/clips%3Ffilter%3Ddevice%3Acart-1");
  EXPECT_THAT(form->body, HasSubstr("value=\"/clips?filter=device:cart-1\""));

  const auto wrong = client_->Post("/login", httplib::Params{{"token", "guess"}, {"next", "/x"}});
  EXPECT_EQ(wrong->status, 401);
  EXPECT_EQ(wrong->get_header_value("Set-Cookie"), "");

  const auto right = client_->Post(
      "/login", httplib::Params{{"token", kToken}, {"next", "/clips?filter=device:cart-1"}});
  EXPECT_EQ(right->status, 303);
  EXPECT_EQ(right->get_header_value("Location"), "/clips?filter=device:cart-1");
  const std::string cookie = right->get_header_value("Set-Cookie");
  EXPECT_THAT(cookie, AllOf(HasSubstr("HttpOnly"), HasSubstr("SameSite=Strict"),
                            Not(HasSubstr(kToken)), Not(HasSubstr("Secure"))));
  const std::string pair = cookie.substr(0, cookie.find(';'));
  EXPECT_EQ(Call("GetSummary", "{}", {{"Cookie", "a=b; " + pair}})->status, 200);
  EXPECT_EQ(Call("GetSummary", "{}", {{"Cookie", pair + "0"}})->status, 401);
  EXPECT_EQ(Call("GetSummary", "{}", {{"Cookie", "gleaner_session="}})->status, 401);
  const auto proxied =
      client_->Post("/login", {{"X-Forwarded-Proto", "https"}},
                    "{\"token\":\"" + std::string(kToken) + "\"}", "application/json");
  EXPECT_EQ(proxied->status, 204);
  EXPECT_THAT(proxied->get_header_value("Set-Cookie"), HasSubstr("Secure"));
}

TEST_F(HttpServiceTest, NeverSendsABrowserElsewhereAfterTheLogin) {
  Start(kToken);
  for (const char* next : {"https://evil.example", "//evil.example", "/\\evil.example",
                           "javascript:alert(1)", "/x\r\nSet-Cookie: a=b", ""}) {
    const auto result = client_->Post("/login", httplib::Params{{"token", kToken}, {"next", next}});
    EXPECT_EQ(result->get_header_value("Location"), "/") << next;
    EXPECT_EQ(result->get_header_value_count("Set-Cookie"), 1) << next;
  }
  const auto page = client_->Get("/login?next=/%22%3E%3Cscript%3E");
  EXPECT_THAT(page->body, Not(HasSubstr("<script>")));
}

TEST_F(HttpServiceTest, NeedsATokenWhereOthersCanReachIt) {
  HttpService::Options options;
  options.listen = {"0.0.0.0", 0};
  options.web_dir = folder_ / "web";
  const auto open = HttpService::Start(options, *catalog_, *blobs_, *metrics_,
                                       grpc_->InProcessChannel(grpc::ChannelArguments()));
  EXPECT_TRUE(absl::IsInvalidArgument(open.status()));
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
  AddClip(1);
  Call("ListClips", "{}");
  Call("ListClips", R"({"filter":"?"})");
  client_->Get("/media/nothing/here");
  client_->Put("/odd", "", "text/plain");
  metrics_->CountMedia(true, 0.3);
  const std::string text = client_->Get("/metrics")->body;
  EXPECT_THAT(text, HasSubstr("gleaner_clips 1\n"));
  EXPECT_THAT(text, HasSubstr("gleaner_http_requests_total{method=\"POST\",route=\"/gleaner.v1."
                              "CatalogService/ListClips\",status=\"400\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("gleaner_media_checks_total{result=\"ok\"} 1\n"));
  std::ofstream(folder_ / "metrics.txt") << text;
  const std::string command = "promtool check metrics < '" + (folder_ / "metrics.txt") + "' 2>&1";
  FILE* tool = ::popen(command.c_str(), "r");
  std::string said;
  char buffer[4096];
  while (const size_t got = std::fread(buffer, 1, sizeof(buffer), tool)) said.append(buffer, got);
  EXPECT_EQ(::pclose(tool), 0) << said;
  EXPECT_EQ(said, "");
}

TEST_F(HttpServiceTest, AStrangersPathsDoNotBecomeLabels) {
  Start();
  for (int i = 0; i < 50; ++i) client_->Get("/made-up-" + std::to_string(i));
  const std::string text = client_->Get("/metrics")->body;
  EXPECT_THAT(text, Not(HasSubstr("made-up")));
}

}  // namespace
}  // namespace gleaner::cloud
