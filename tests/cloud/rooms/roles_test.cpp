// Who may do what on a whole server, by what the calls and routes themselves declare: a new call is
// in these tests by being there.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cloud/dataset/dataset_rows.h"
#include "cloud/rooms.h"
#include "cloud/server.h"
#include "httplib.h"
#include "tests/cloud/http/raw_client.h"
#include "tests/data/paths.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud {
namespace {

namespace pb = google::protobuf;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr char kConfigured[] = "correct-horse-battery-staple";
constexpr v1::Role kRoles[] = {v1::ROLE_VIEWER, v1::ROLE_ANNOTATOR, v1::ROLE_OPERATOR,
                               v1::ROLE_ADMIN};

// A route without a least role is none.
static_assert(std::is_constructible_v<Route, const char*, const char*, v1::Role, Route::Handler>);
static_assert(!std::is_constructible_v<Route, const char*, const char*, Route::Handler>);

// Every rpc of proto/ and of the room that is made up, in the files' order.
std::vector<const pb::MethodDescriptor*> EveryRpc() {
  std::vector<std::string> files = {"notes/notes.proto"};
  for (const auto& file : std::filesystem::directory_iterator(SourceDir() + "/proto/gleaner/v1")) {
    files.push_back("gleaner/v1/" + file.path().filename().string());
  }
  std::sort(files.begin(), files.end());
  std::vector<const pb::MethodDescriptor*> all;
  for (const std::string& name : files) {
    const auto* file = pb::DescriptorPool::generated_pool()->FindFileByName(name);
    // Files without a service may not be linked in.
    for (int i = 0; file != nullptr && i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        all.push_back(file->service(i)->method(j));
      }
    }
  }
  return all;
}

std::string PathOf(const pb::MethodDescriptor& method) {
  return fmt::format("/{}/{}", method.service()->full_name(), method.name());
}
std::string ShortName(const pb::MethodDescriptor& method) {
  return method.service()->name() + "/" + method.name();
}
bool IsChange(const pb::MethodDescriptor& method) {
  return !method.service()->options().GetExtension(v1::for_devices) &&
         method.options().idempotency_level() != pb::MethodOptions::NO_SIDE_EFFECTS;
}

class RolesTest : public testing::Test {
 protected:
  RolesTest() {
    std::filesystem::create_directory(folder_ / "data");
    auto database = Database::Open(folder_ / "data/catalog.db", AllRooms().tables).value();
    Jobs jobs(*database, RealClock());
    EXPECT_TRUE(database
                    ->Write([](Sql& sql) {
                      InsertVersion(sql, {.name = "sold", .schema = "carts"});
                      return absl::OkStatus();
                    })
                    .ok());
    // Of a kind that nobody runs.
    EXPECT_TRUE(jobs.Add({.kind = "press", .subject = "a shirt"}).ok());
    // A frame that something was said of once, a task that an annotator had and one that he has.
    EXPECT_TRUE(database
                    ->Write([](Sql& sql) {
                      sql.Run(
                          "INSERT INTO label_frame (clip, camera, pts, width, height, device, "
                          "site, rule, taken_ns) VALUES ('0123456789abcdef0123', 'front', 0, "
                          "64, 48, 'cart-1', '', 'motion', 0)",
                          In());
                      sql.Run(
                          "INSERT INTO label_task_set (body, open, done, skipped) VALUES ('', "
                          "2, 0, 0)",
                          In());
                      sql.Run(
                          "INSERT INTO label_task (task_set, frame, schema_name, version, "
                          "state, kind, priority, turn, free_ns, holder, not_for, pair, "
                          "prediction, shown, reason) VALUES (1, 1, 'carts', 1, 1, 4, 0, 0, 0, "
                          "'the-annotator', '', 0, 0, '', ''), (1, 1, 'carts', 1, 1, 4, 0, 1, "
                          "9000000000000000000, 'the-annotator', '', 0, 0, '', '')",
                          In());
                      return absl::OkStatus();
                    })
                    .ok());
    database.reset();
    for (const char* name : {"boxes.onnx", "boxes.labels"}) std::ofstream(folder_ / name) << "box";
    std::ofstream(folder_ / "cloud.toml")
        << "[server]\ndata_dir = \"data\"\n[grpc]\nlisten = \"127.0.0.1:0\"\nplaintext = true\n"
           "[http]\nlisten = \"127.0.0.1:0\"\ntoken = \""
        << kConfigured
        << "\"\n[[model]]\nname = \"boxes\"\nversion = \"1\"\nkind = \"ssd\"\nfile = "
           "\"boxes.onnx\"\ninput = \"300x300\"\nlabels = \"boxes.labels\"\nschema = \"carts\"\n"
           "classes = [\"box=box\"]\n";
    const auto config = LoadServerConfig(folder_ / "cloud.toml", BinDir());
    EXPECT_TRUE(config.ok()) << config.status();
    server_ = Server::Start(*config, RealClock()).value();
    secrets_[v1::ROLE_UNSPECIFIED] = "";
    for (const v1::Role role : kRoles) {
      secrets_[role] = Create(fmt::format("the-{}", RoleWord(role)), role);
    }
  }

  std::string Create(const std::string& name, v1::Role role) {
    const json made = json::parse(Ask("POST", "/gleaner.v1.AccessService/CreateToken", kConfigured,
                                      json{{"name", name}, {"role", v1::Role_Name(role)}}.dump())
                                      .second,
                                  nullptr, false);
    EXPECT_TRUE(made.contains("secret")) << made;
    return made.value("secret", "");
  }
  // The status and, where that ends, the body. `headers`: whole lines.
  std::pair<int, std::string> Ask(const std::string& method, const std::string& path,
                                  const std::string& secret, const std::string& body = "",
                                  const std::string& headers = "") {
    RawClient client(server_->http_port());
    client.Send(fmt::format(
        "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}{}{}Content-Length: "
        "{}\r\n\r\n{}",
        method, path, method == "POST" ? "Content-Type: application/json\r\n" : "",
        secret.empty() ? "" : fmt::format("Authorization: Bearer {}\r\n", secret), headers,
        body.size(), body));
    std::string answer = client.ReadUntil("\r\n\r\n");
    const int status = answer.size() > 12 ? std::atoi(answer.substr(9, 3).c_str()) : 0;
    if (answer.find("text/event-stream") == std::string::npos) answer = client.ReadToEnd();
    return {status, answer.substr(answer.find("\r\n\r\n") + 4)};
  }
  int Status(const std::string& method, const std::string& path, const std::string& secret,
             const std::string& body = "") {
    return Ask(method, path, secret, body).first;
  }
  json Audit() {
    return json::parse(Ask("POST", "/gleaner.v1.AccessService/ListAudit", kConfigured, "{}").second)
        .at("entries");
  }

  TemporaryFolder folder_;
  std::unique_ptr<Server> server_;
  std::map<v1::Role, std::string> secrets_;  // of nobody it is empty
};

TEST_F(RolesTest, EachRpcIsForTheRolesThatItDeclares) {
  int for_people = 0, for_devices = 0;
  for (const pb::MethodDescriptor* method : EveryRpc()) {
    const std::string path = PathOf(*method);
    const v1::Role least = method->options().GetExtension(v1::least_role);
    const bool devices = method->service()->options().GetExtension(v1::for_devices);
    EXPECT_NE(devices, least != v1::ROLE_UNSPECIFIED) << path;
    ++(devices ? for_devices : for_people);
    for (const auto& [role, secret] : secrets_) {
      const auto [status, body] = Ask("POST", path, secret, "{}");
      const std::string whose = fmt::format("{} {} {}", path, RoleWord(role), body);
      if (role == v1::ROLE_UNSPECIFIED) {
        EXPECT_EQ(status, 401) << whose;
      } else if (devices) {
        EXPECT_THAT(body, HasSubstr("there is no method")) << whose;
      } else if (role < least) {
        EXPECT_EQ(status, 403) << whose;
      } else {
        // What it says of an empty request is its own business.
        EXPECT_THAT(status, testing::AnyOf(200, 400, 404)) << whose;
        EXPECT_THAT(body, Not(HasSubstr("there is no method"))) << whose;
      }
    }
  }
  EXPECT_GT(for_people, 10);
  EXPECT_GT(for_devices, 3);
}

TEST_F(RolesTest, EachRouteIsForTheRolesThatItDeclares) {
  std::string paths;
  for (const Route& route : server_->routes()) {
    paths += route.path() + " ";
    const auto status = [&](const std::string& secret) {
      return Status(route.method(), route.path(), secret, route.method() == "POST" ? "{}" : "");
    };
    const int of_admin = status(secrets_[v1::ROLE_ADMIN]);
    EXPECT_NE(of_admin, 403) << route.path();
    for (const auto& [role, secret] : secrets_) {
      const int expected = role >= route.least()          ? of_admin
                           : role == v1::ROLE_UNSPECIFIED ? 401
                                                          : 403;
      EXPECT_EQ(status(secret), expected) << route.path() << " " << RoleWord(role);
    }
  }
  EXPECT_EQ(paths,
            "/healthz /readyz /metrics /media/ /events /login /logout /frames/ /datasets/ "
            "/signed/datasets/ /notes.txt ");
  EXPECT_EQ(Status("GET", "/clips", ""), 200) << "the page itself is anybody's";
}

TEST_F(RolesTest, EveryChangeIsInTheAuditWithTheNameOfWhoMadeIt) {
  // A request that works for each rpc that changes something, in the order of EveryRpc().
  const std::map<std::string, std::string> examples = {
      {"AccessService/CreateToken", R"({"name":"ann","role":"ROLE_VIEWER"})"},
      {"AccessService/RevokeToken", R"({"name":"ann"})"},
      {"CurateService/CreateSelection", R"({"name":"first","schema":"goods"})"},
      {"DatasetService/FreezeDataset", R"({"name":"first","schema":"carts"})"},
      {"DatasetService/ExportDataset", R"({"name":"sold","format":"coco"})"},
      {"JobsService/CancelJob", R"({"number":1})"},
      {"JobsService/RetryJob", R"({"number":1})"},
      {"LabelService/CreateSchema",
       R"({"schema":{"name":"carts","kind":"KIND_CLASSES","classes":[{"id":1,"name":"cup"}]}})"},
      {"LabelService/ImportPredictions",
       R"({"schema":"carts","model":"ssd","modelVersion":"1","jsonLines":"{\"frame\":{\"clip\":)"
       R"(\"0123456789abcdef0123\",\"camera\":\"front\"},\"annotation\":{}}"})"},
      {"LabelService/CreateTasks", R"({"schema":"carts"})"},
      {"LabelService/TakeTasks", R"({"schema":"carts"})"},
      {"LabelService/SaveLabel",
       R"({"schema":"carts","frame":{"clip":"0123456789abcdef0123","camera":"front"},)"
       R"("verdict":"VERDICT_CREATED","annotation":{"classes":[{"classId":1}]}})"},
      {"LabelService/SkipTask", R"({"number":1,"reason":"too dark"})"},
      {"LabelService/ReturnTasks", R"({"schema":"carts"})"},
      {"LabelService/RequeueTask", R"({"number":1})"},
      {"ModelService/RunModel", R"({"model":"boxes"})"},
      {"NotesService/AddNote", R"({"clip":"0123","text":"tea"})"},
  };
  ASSERT_EQ(Status("POST", "/gleaner.v1.LabelService/CreateSchema", secrets_[v1::ROLE_ADMIN],
                   R"({"schema":{"name":"goods","kind":"KIND_CLASSES","classes":[{"id":1,)"
                   R"("name":"cup"}]}})"),
            200);
  for (const pb::MethodDescriptor* method : EveryRpc()) {
    if (!IsChange(*method)) continue;
    const std::string name = ShortName(*method);
    ASSERT_TRUE(examples.contains(name)) << name << " changes something: give it an example here";
    const v1::Role least = method->options().GetExtension(v1::least_role);
    const size_t before = Audit().size();
    const auto [status, body] = Ask("POST", PathOf(*method), secrets_[least], examples.at(name));
    ASSERT_EQ(status, 200) << name << body;
    const json audit = Audit();
    ASSERT_EQ(audit.size(), before + 1) << name;
    EXPECT_EQ(audit[0]["who"], fmt::format("the-{}", RoleWord(least)));
    EXPECT_EQ(audit[0]["role"], v1::Role_Name(least));
    EXPECT_EQ(audit[0]["what"], name);
    EXPECT_NE(audit[0]["subject"], "");
    EXPECT_GT(std::stoll(audit[0]["unixNs"].get<std::string>()), 0);
  }
}

TEST_F(RolesTest, WhatIsReadIsNotInTheAudit) {
  const size_t before = Audit().size();
  for (const pb::MethodDescriptor* method : EveryRpc()) {
    if (!IsChange(*method)) Status("POST", PathOf(*method), secrets_[v1::ROLE_ADMIN], "{}");
  }
  EXPECT_EQ(Audit().size(), before);
}

TEST_F(RolesTest, WhatAClientSaysOfItselfCountsForNothing) {
  const auto [status, body] =
      Ask("POST", "/gleaner.v1.AccessService/WhoAmI", secrets_[v1::ROLE_VIEWER], "{}",
          "x-gleaner-principal-bin: BHJvb3Q=\r\nGrpc-Metadata-x-gleaner-principal-bin: BHJvb3Q=\r\n"
          "x-gleaner-role: admin\r\n");
  EXPECT_EQ(status, 200);
  EXPECT_EQ(json::parse(body), (json{{"name", "the-viewer"}, {"role", "ROLE_VIEWER"}}));
  const auto [refused, why] =
      Ask("POST", "/gleaner.v1.JobsService/CancelJob", secrets_[v1::ROLE_VIEWER], R"({"number":1})",
          "x-gleaner-principal-bin: BHJvb3Q=\r\n");
  EXPECT_EQ(refused, 403);
  EXPECT_THAT(why, HasSubstr("this wants the role operator at least, and the-viewer is viewer"));
}

TEST_F(RolesTest, ARevokedTokenOpensNothingFromThenOn) {
  const std::string secret = Create("ann", v1::ROLE_OPERATOR);
  httplib::Client client("localhost", server_->http_port());
  const std::string set = client.Post("/login", json{{"token", secret}}.dump(), "application/json")
                              ->get_header_value("Set-Cookie");
  const httplib::Headers cookie = {{"Cookie", set.substr(0, set.find(';'))}};
  EXPECT_EQ(client.Get("/metrics", cookie)->status, 200);
  RawClient events(server_->http_port());
  events.Send("GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + secret +
              "\r\n\r\n");
  events.ReadUntil("\nid: ");
  ASSERT_EQ(
      Status("POST", "/gleaner.v1.AccessService/RevokeToken", kConfigured, R"({"name":"ann"})"),
      200);
  EXPECT_EQ(Status("GET", "/metrics", secret), 401);
  EXPECT_EQ(client.Get("/metrics", cookie)->status, 401);
  events.ReadToEnd();
  EXPECT_TRUE(events.ended());
}

}  // namespace
}  // namespace gleaner::cloud
