#include "common/tuf/metadata.h"

#include <gmock/gmock.h>

#include "tests/common/tuf/lab.h"

namespace gleaner::tuf {
namespace {

using testing::HasSubstr;

constexpr int64_t kNow = 1'800'000'000;

TEST(TufMetadata, ReadsATimeInItsOneForm) {
  EXPECT_EQ(ReadTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ReadTime("2028-02-29T23:59:59Z"), 1'835'481'599);
  for (const char* wrong :
       {"", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00",
        "2026-1-01T00:00:00Z", "2026-01-01T00:00:60Z", "+026-01-01T00:00:00Z"}) {
    EXPECT_EQ(ReadTime(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(WriteTime(*ReadTime("2026-11-30T05:20:00Z")), "2026-11-30T05:20:00Z");
}

TEST(TufMetadata, NamesTargetsByPathsThatStayInTheirFolder) {
  for (const char* right : {"a", "models/goods/2.onnx", "A-b_c.d+e", "a/b/c"}) {
    EXPECT_TRUE(IsTargetPath(right)) << right;
  }
  for (const std::string& wrong :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string(".."),
        std::string("a/../b"), std::string(".a"), std::string("a/.b"), std::string("a b"),
        std::string("a\\b"), std::string("a%2fb"), std::string("é"), std::string("a\0b", 3),
        std::string(kMaxTargetPathBytes + 1, 'a')}) {
    EXPECT_FALSE(IsTargetPath(wrong)) << wrong;
  }
  EXPECT_THAT((Target{.path = "a/b/2.onnx"}.RemotePath()),
              testing::MatchesRegex("a/b/0{64}\\.2\\.onnx"));
  EXPECT_THAT((Target{.path = "2.onnx"}.RemotePath()), testing::MatchesRegex("0{64}\\.2\\.onnx"));
}

TEST(TufMetadata, IsReadAsItWasWritten) {
  Lab lab(kNow);
  const std::string at = lab.FirstStage();
  const auto targets = lab.Get<Targets>(at + "/1.targets.json");
  ASSERT_TRUE(targets.content.targets.contains(kGoods1));
  const Target& goods = targets.content.targets.at(kGoods1);
  EXPECT_EQ(goods.length, 10'000u);
  EXPECT_EQ(goods.sha256, Sha256::Of(std::string(10'000, '1')));
  EXPECT_EQ(goods.custom, R"({"gleaner":{"floors":[1,2],"note":"Modèle \"q\" \\ é"}})");
  EXPECT_EQ(targets.payload, Payload(targets.content));
  EXPECT_EQ(Write(targets.content, targets.signatures),
            ReadFile(at + "/1.targets.json", 1 << 20).value());
  const auto root = lab.Get<Root>(at + "/1.root.json");
  EXPECT_EQ(root.content.keys.size(), 6u);
  EXPECT_EQ(root.content.Of(Role::kRoot).threshold, 2u);
  EXPECT_EQ(root.payload, Payload(root.content));
}

// Each changes one thing of good metadata.
struct Change {
  const char* from;
  const char* to;
  const char* reason;
};

template <typename T>
void ExpectRefused(const std::string& good, const std::vector<Change>& changes) {
  ASSERT_TRUE(Parse<T>(good, "it").ok());
  for (const Change& change : changes) {
    std::string bad = good;
    const size_t at = bad.find(change.from);
    ASSERT_NE(at, std::string::npos) << change.from;
    bad.replace(at, std::string_view(change.from).size(), change.to);
    const auto read = Parse<T>(bad, "it");
    EXPECT_EQ(NameOf(read.status()), "malformed") << change.to;
    EXPECT_THAT(std::string(Message(read.status())), HasSubstr(change.reason)) << change.to;
  }
}

TEST(TufMetadata, OfAWrongShapeIsRefusedAndSaysWhere) {
  Lab lab(kNow);
  const std::string at = lab.FirstStage();
  const auto text = [&](const std::string& name) {
    return ReadFile(at + "/" + name, 1 << 20).value();
  };
  ExpectRefused<Timestamp>(
      text("timestamp.json"),
      {{"\"timestamp\"", "\"snapshot\"", "signed._type is not \"timestamp\""},
       {"\"spec_version\": \"1.0.31\"", "\"spec_version\": \"2.0.0\"", "signed.spec_version"},
       {"\"spec_version\": \"1.0.31\"", "\"spec_version\": \"1..1\"", "signed.spec_version"},
       {"\"version\": 1", "\"version\": 0", "version is not a number from 1 to"},
       {"\"version\": 1", "\"version\": \"1\"", "version is not a number"},
       {"\"version\": 1", "\"version\": 1.5", "1.5 is not a whole number"},
       {"\"expires\": \"", "\"expires\": \"x", "signed.expires is not a time"},
       {"snapshot.json", "other.json", "signed.meta.snapshot.json is not there"},
       {"\"length\"", "\"lengths\": 1, \"length\": 0, \"l\"", "length is not a number"},
       {"\"sha256\": \"", "\"sha256\": \"0", "64 digits of lower-case hexadecimal"},
       {"\"sig\": \"", "\"sig\": \"00", "128 digits of lower-case hexadecimal"},
       {"\"keyid\": \"", "\"keyid\": \"G", "keyid is not 64 digits"},
       {"\"signatures\": [", "\"signatures\": 1, \"s\": [", "signatures is not a list"},
       {"\"signed\": {", "\"signed\": 1, \"s\": {", "signed is not an object"}});
  ExpectRefused<Root>(
      text("1.root.json"),
      {{"\"consistent_snapshot\": true", "\"consistent_snapshot\": false", "consistent_snapshot"},
       {"\"keytype\": \"ed25519\"", "\"keytype\": \"rsa\"", "keytype is not ed25519"},
       {"\"public\": \"", "\"public\": \"0", "public is not 64 digits"},
       {"\"scheme\": \"ed25519\"", "\"scheme\": \"ed25519\", \"x\": 1",
        "is not the digest of the key that stands under it"},
       {"\"threshold\": 2", "\"threshold\": 3", "threshold is not within the number of its keys"},
       {"\"threshold\": 2", "\"threshold\": 0", "threshold is not a number from 1"},
       {"\"timestamp\": {", "\"times\": {", "signed.roles.timestamp is not there"},
       {"\"keyids\": [", "\"keyids\": [\"x\",", "is not a list of keys that the root has"}});
  ExpectRefused<Snapshot>(text("1.snapshot.json"),
                          {{"targets.json", "other.json", "targets.json is not there"}});
  ExpectRefused<Targets>(
      text("1.targets.json"),
      {{"models/goods/1.onnx", "../1.onnx", "is not a path"},
       {"\"length\": 10000", "\"length\": -1", "length is not a number from 0"},
       {"\"length\": 10000", "\"length\": 4294967297", "length is not a number from 0"},
       {"\"custom\": {", "\"custom\": 1, \"c\": {", "custom is not an object"}});
}

TEST(TufMetadata, BeyondItsBytesIsNotEvenParsed) {
  for (const auto& [bytes, status] :
       {std::pair{kMaxRootBytes, Parse<Root>(std::string(kMaxRootBytes + 1, '['), "it").status()},
        std::pair{kMaxTimestampBytes,
                  Parse<Timestamp>(std::string(kMaxTimestampBytes + 1, '['), "it").status()},
        std::pair{kMaxSnapshotBytes,
                  Parse<Snapshot>(std::string(kMaxSnapshotBytes + 1, '['), "it").status()},
        std::pair{kMaxTargetsBytes,
                  Parse<Targets>(std::string(kMaxTargetsBytes + 1, '['), "it").status()}}) {
    EXPECT_EQ(NameOf(status), "endless_data");
    EXPECT_THAT(std::string(Message(status)), HasSubstr(std::to_string(bytes)));
  }
}

TEST(TufMetadata, AsManyTargetsAsARepositoryMayHaveFit) {
  Targets all{.expires_unix_s = kNow};
  for (size_t i = 0; i < kMaxTargets; ++i) {
    const std::string path = fmt::format("models/goods/{:05}.onnx", i);
    all.targets[path] = Target{.path = path, .length = i};
  }
  const auto read = Parse<Targets>(Write(all, {}), "it");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->content.targets.size(), kMaxTargets);
  all.targets["one"] = Target{.path = "one"};
  EXPECT_EQ(NameOf(Parse<Targets>(Write(all, {}), "it").status()), "malformed");
}

}  // namespace
}  // namespace gleaner::tuf
