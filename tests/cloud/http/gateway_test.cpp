#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/cloud/http/service_testing.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class GatewayTest : public ServiceTest {
 protected:
  GatewayTest() { Start(); }
};

TEST_F(GatewayTest, ServesEveryMethodOfTheCatalogAsJson) {
  const std::string id = AddClip(1);
  AddClip(2, "cart-2");
  for (const char* method : {"ListClips", "ListDevices", "GetSummary"}) {
    const auto result = Call(method, "{}");
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 200) << method << result->body;
    EXPECT_EQ(result->get_header_value("Content-Type"), "application/json");
    EXPECT_TRUE(json::parse(result->body).is_object());
  }
  const json clips = json::parse(Call("ListClips", R"({"filter":"device:cart-1"})")->body);
  ASSERT_EQ(clips["clips"].size(), 1);
  EXPECT_EQ(clips["clips"][0]["id"], id);
  const json clip = json::parse(Call("GetClip", R"({"id":")" + id + "\"}")->body);
  EXPECT_EQ(clip["manifest"]["device"], "cart-1");
  EXPECT_EQ(json::parse(Call("GetSummary", "{}")->body)["clips"], "2");
}

TEST_F(GatewayTest, ADeviceIsFoundByItsName) {
  v1::HelloRequest hello;
  hello.set_boot_id(std::string(16, 'b'));
  for (const char* name : {"cart-1", "cart-2"}) {
    ASSERT_TRUE(catalog_->devices.RecordHello(name, hello, clock_.WallNs()).ok());
  }
  const auto one = json::parse(Call("ListDevices", R"({"name":"cart-2"})")->body);
  ASSERT_EQ(one["devices"].size(), 1);
  EXPECT_EQ(one["devices"][0]["name"], "cart-2");
  const auto none = json::parse(Call("ListDevices", R"({"name":"cart-3"})")->body);
  EXPECT_FALSE(none.contains("devices") && !none["devices"].empty());
  const auto all = json::parse(Call("ListDevices", "{}")->body);
  EXPECT_EQ(all["devices"].size(), 2);
}

TEST_F(GatewayTest, AMistakeInTheFilterComesBackWithItsColumn) {
  const auto result = Call("ListClips", R"({"filter":"device:cart-1 colour:red"})");
  EXPECT_EQ(result->status, 400);
  const json error = json::parse(result->body);
  EXPECT_EQ(error["code"], "invalid_argument");
  EXPECT_THAT(error["message"], HasSubstr("column 15"));
}

TEST_F(GatewayTest, ErrorsAreConnectErrors) {
  const auto missing = Call("GetClip", R"({"id":"00000000000000000000"})");
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(json::parse(missing->body)["code"], "not_found");
  const auto malformed = Call("GetClip", R"({"id": )");
  EXPECT_EQ(malformed->status, 400);
  EXPECT_EQ(json::parse(malformed->body)["code"], "invalid_argument");
  const auto wrong_type = Call("ListClips", R"({"pageSize": "many"})");
  EXPECT_EQ(wrong_type->status, 400);
  EXPECT_EQ(Call("ListClips", R"({"pageSize": 501})")->status, 400);
}

TEST_F(GatewayTest, WhatIsNoMessageIsTheCallersMistake) {
  for (const std::string& body : {std::string("\x0a"),
                                  std::string("\x0a\x05"
                                              "ab"),
                                  std::string("\xff\xff\xff"),
                                  std::string("\x0a\x02\xc3\x28"),  // a filter that is not UTF-8
                                  std::string(100, '\x0b')}) {
    const auto result =
        client_->Post("/gleaner.v1.CatalogService/ListClips", body, "application/proto");
    ASSERT_EQ(result->status, 400) << testing::PrintToString(body) << result->body;
    EXPECT_EQ(json::parse(result->body)["code"], "invalid_argument");
  }
  for (const std::string& body :
       {std::string("{\"filter\": \"\xc3\x28\"}"), std::string("{\"filter\": \"\\ud800\"}"),
        std::string("{\"filter\": 7"), std::string("{\"filter\": {}}"), std::string("[]"),
        std::string("null"), std::string(1, '\0'), std::string(), std::string("\xff\xfe")}) {
    const auto result = Call("ListClips", body);
    ASSERT_EQ(result->status, 400) << testing::PrintToString(body) << result->body;
    EXPECT_EQ(json::parse(result->body)["code"], "invalid_argument");
  }
}

TEST_F(GatewayTest, WhatIsNoCursorOrFilterIsTheCallersMistake) {
  for (const char* body :
       {R"({"pageToken": "what"})", R"({"pageToken": "\u0000"})", R"({"arrivedAfter": "what"})",
        R"({"filter": "\u0000"})", R"({"filter": "after:99999999999999999999"})",
        R"({"pageSize": -1})", R"({"pageSize": 4294967296})", R"({"pageSize": 1e400})"}) {
    const auto result = Call("ListClips", body);
    EXPECT_EQ(result->status, 400) << body << result->body;
    EXPECT_EQ(json::parse(result->body)["code"], "invalid_argument") << body;
  }
}

TEST_F(GatewayTest, WhatTheTransportRefusesIsSaidInTheSameShape) {
  const auto zipped = client_->Post("/gleaner.v1.CatalogService/GetSummary",
                                    {{"Content-Encoding", "gzip"}}, "no gzip", "application/json");
  ASSERT_TRUE(zipped);
  EXPECT_EQ(zipped->status, 400);
  EXPECT_EQ(json::parse(zipped->body)["code"], "invalid_argument");
  const auto odd = client_->Post("/gleaner.v1.CatalogService/GetSummary",
                                 {{"Content-Encoding", "zstd"}}, "{}", "application/json");
  EXPECT_EQ(odd->status, 415);
  EXPECT_EQ(json::parse(odd->body)["code"], "unimplemented");
  const auto large = Call("GetSummary", std::string((1 << 20) + 1, ' '));
  EXPECT_EQ(large->status, 413);
  EXPECT_EQ(json::parse(large->body)["code"], "resource_exhausted");
}

TEST_F(GatewayTest, DeepNestingIsAnErrorAndNotACrash) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  EXPECT_EQ(Call("ListClips", deep)->status, 400);
  EXPECT_EQ(Call("ListClips", std::string(500'000, '['))->status, 400);
}

TEST_F(GatewayTest, UnknownFieldsAreIgnoredAsTheProtocolSays) {
  EXPECT_EQ(Call("ListClips", R"({"fieldOfTheFuture": [1, {"x": null}]})")->status, 200);
}

TEST_F(GatewayTest, UnknownFieldsOfProtobufDontGetInEither) {
  v1::ListClipsRequest request;
  request.set_filter("device:cart-1");
  const auto known = client_->Post("/gleaner.v1.CatalogService/ListClips",
                                   request.SerializeAsString(), "application/proto");
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(99, "x");
  const auto more = client_->Post("/gleaner.v1.CatalogService/ListClips",
                                  request.SerializeAsString(), "application/proto");
  EXPECT_EQ(more->status, 200);
  EXPECT_EQ(more->body, known->body);
}

TEST_F(GatewayTest, TheDevicesServicesAreNotThere) {
  for (const char* path :
       {"/gleaner.v1.FleetService/Hello", "/gleaner.v1.IngestService/Upload",
        "/gleaner.v1.IngestService/ReportLedger", "/gleaner.v1.CatalogService/NoSuchMethod",
        "/gleaner.v1.CatalogService/"}) {
    const auto result = client_->Post(path, "{}", "application/json");
    EXPECT_EQ(result->status, 404) << path;
    EXPECT_EQ(json::parse(result->body)["code"], "unimplemented") << path;
  }
}

TEST_F(GatewayTest, SpeaksTheProtocolsVersionAndTimeout) {
  EXPECT_EQ(Call("GetSummary", "{}", {{"Connect-Protocol-Version", "1"}})->status, 200);
  EXPECT_EQ(Call("GetSummary", "{}", {{"Connect-Protocol-Version", "2"}})->status, 400);
  EXPECT_EQ(Call("GetSummary", "{}", {{"Connect-Timeout-Ms", "5000"}})->status, 200);
  EXPECT_EQ(Call("GetSummary", "{}", {{"Connect-Timeout-Ms", "soon"}})->status, 400);
  const auto too_late = Call("GetSummary", "{}", {{"Connect-Timeout-Ms", "0"}});
  EXPECT_EQ(too_late->status, 504);
  EXPECT_EQ(json::parse(too_late->body)["code"], "deadline_exceeded");
}

TEST_F(GatewayTest, TakesJsonAndProtobufAndNothingElse) {
  AddClip(1);
  const auto proto =
      client_->Post("/gleaner.v1.CatalogService/GetSummary", "", "application/proto");
  ASSERT_EQ(proto->status, 200);
  v1::GetSummaryResponse summary;
  ASSERT_TRUE(summary.ParseFromString(proto->body));
  EXPECT_EQ(summary.clips(), 1);
  // A form is what a foreign web site can post without being asked first.
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"}) {
    EXPECT_EQ(client_->Post("/gleaner.v1.CatalogService/GetSummary", "{}", type)->status, 415);
  }
  const auto charset = client_->Post("/gleaner.v1.CatalogService/GetSummary", "{}",
                                     "application/json; charset=utf-8");
  EXPECT_EQ(charset->status, 200);
  EXPECT_EQ(client_->Get("/gleaner.v1.CatalogService/GetSummary")->status, 405);
}

TEST_F(GatewayTest, AWeightOfNaughtIsANoHoweverItIsWritten) {
  for (uint64_t i = 1; i <= 20; ++i) AddClip(i);
  client_->set_decompress(false);
  const auto coding = [&](const char* accepted) {
    return Call("ListClips", "{}", {{"Accept-Encoding", accepted}})
        ->get_header_value("Content-Encoding");
  };
  for (const char* yes :
       {"gzip", "deflate, gzip", "gzip;q=0.5", "gzip; q=0.001", "br, gzip;q=1.0"}) {
    EXPECT_EQ(coding(yes), "gzip") << yes;
  }
  for (const char* no :
       {"gzip;q=0", "gzip;q=0.", "gzip;q=0.0", "gzip; q=0.000", "deflate", "identity", "x-gzip"}) {
    EXPECT_EQ(coding(no), "") << no;
  }
}

TEST_F(GatewayTest, LongAnswersAreCompressedForThoseWhoTakeIt) {
  for (uint64_t i = 1; i <= 20; ++i) AddClip(i);
  client_->set_decompress(false);
  const auto packed = Call("ListClips", "{}", {{"Accept-Encoding", "gzip"}});
  const auto plain = Call("ListClips", "{}", {{"Accept-Encoding", "gzip;q=0"}});
  EXPECT_EQ(packed->get_header_value("Content-Encoding"), "gzip");
  EXPECT_EQ(plain->get_header_value("Content-Encoding"), "");
  EXPECT_LT(packed->body.size() * 2, plain->body.size());
  client_->set_decompress(true);
  EXPECT_EQ(Call("ListClips", "{}", {{"Accept-Encoding", "gzip"}})->body, plain->body);
}

}  // namespace
}  // namespace gleaner::cloud
