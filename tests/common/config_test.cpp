#include "common/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"

namespace gleaner {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ConfigReader Parse(std::string_view text) { return *ConfigReader::Parse(text, "edge.toml"); }

TEST(Config, ReadsValuesWithTheirUnits) {
  ConfigReader reader = Parse(R"(
    quota = "1.5 GiB"
    plain = 4096
    wait = "250ms"
    rate = 2.5
    names = ["a", "b"]
    [inner]
    on = true
  )");
  EXPECT_EQ(reader.Bytes("quota", 0), 1610612736);
  EXPECT_EQ(reader.Bytes("plain", 0), 4096);
  EXPECT_EQ(reader.DurationNs("wait", 0), 250'000'000);
  EXPECT_EQ(reader.Number("rate", 0), 2.5);
  EXPECT_THAT(reader.Strings("names"), ElementsAre("a", "b"));
  EXPECT_TRUE(reader.Table("inner").Bool("on", false));
  EXPECT_TRUE(reader.Finish().ok());
}

TEST(Config, FallsBackWhereAKeyIsAbsent) {
  ConfigReader reader = Parse("");
  EXPECT_EQ(reader.Int("port", 7), 7);
  EXPECT_EQ(reader.Table("none").Table("deeper").String("x", "y"), "y");
  EXPECT_TRUE(reader.Tables("camera").empty());
  EXPECT_TRUE(reader.Finish().ok());
}

TEST(Config, ReportsEveryMistakeWithItsLineAtOnce) {
  ConfigReader reader = Parse("port = 70000\nlevel = 3\nwait = \"10 parsecs\"\n");
  EXPECT_EQ(reader.Int("port", 7, {.min = 1, .max = 65535}), 7);
  EXPECT_EQ(reader.String("level", "info"), "info");
  EXPECT_EQ(reader.DurationNs("wait", 5), 5);
  reader.RequiredString("url");
  const absl::Status status = reader.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(status)),
              AllOf(HasSubstr("edge.toml:1:8: port: is 70000, must be 1 to 65535"),
                    HasSubstr("edge.toml:2:9: level: must be a string"),
                    HasSubstr("edge.toml:3:8: wait: must be a length of time"),
                    HasSubstr("url: is required")));
}

TEST(Config, MistakesComeInTheOrderOfTheFile) {
  ConfigReader reader = Parse("unknown = 1\nb = 2\na = 3\n");
  reader.RequiredString("c");
  reader.String("a", "");
  reader.String("b", "");
  EXPECT_EQ(Message(reader.Finish()),
            "edge.toml:1:1: c: is required\n"
            "edge.toml:1:11: unknown: is not a known setting\n"
            "edge.toml:2:5: b: must be a string\n"
            "edge.toml:3:5: a: must be a string");
}

TEST(Config, NamesAKeyThatNobodyKnows) {
  ConfigReader reader = Parse("[[camera]]\nname = \"front\"\nurll = \"x\"\n");
  for (ConfigReader& camera : reader.Tables("camera")) camera.String("name", "");
  EXPECT_THAT(std::string(Message(reader.Finish())),
              HasSubstr("edge.toml:3:8: camera.urll: is not a known setting"));
}

TEST(Config, SaysWhereTheSyntaxIsWrong) {
  const auto reader = ConfigReader::Parse("a = 1\nb = [1,\n", "edge.toml");
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(reader.status())), HasSubstr("edge.toml:2:"));
}

TEST(Config, RelativePathsCountFromTheFilesFolder) {
  ConfigReader reader = *ConfigReader::Parse(
      "a = \"tls/ca.pem\"\nb = \"/srv/x\"\nc = \"../up\"\nd = \"\"\n", "/etc/gleaner/edge.toml");
  EXPECT_EQ(reader.RequiredPath("a"), "/etc/gleaner/tls/ca.pem");
  EXPECT_EQ(reader.Path("b", ""), "/srv/x");
  EXPECT_EQ(reader.Path("c", ""), "/etc/up");
  EXPECT_EQ(reader.Path("d", "not this"), "");
  EXPECT_EQ(reader.Path("e", "default"), "/etc/gleaner/default");
  EXPECT_TRUE(reader.Finish().ok());
}

TEST(Config, WarnsOfARelativeFolderAndSaysWhichItIs) {
  ConfigReader reader = *ConfigReader::Parse("directory = \"spool\"\nother = \"/srv/spool\"\n",
                                             "/etc/gleaner/edge.toml");
  EXPECT_EQ(reader.Folder("directory", ""), "/etc/gleaner/spool");
  EXPECT_EQ(reader.Folder("other", ""), "/srv/spool");
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_THAT(reader.warnings(),
              ElementsAre(AllOf(HasSubstr("edge.toml:1:13: warning: directory: \"spool\""),
                                HasSubstr("/etc/gleaner/spool"))));
}

TEST(Config, AFileThatCantBeReadIsAMistakeOfItsOwnLine) {
  ConfigReader reader =
      Parse("ca = \"/nowhere/ca.pem\"\ncrl = \"/tmp\"\nkey = \"\"\nme = \"/proc/self/exe\"\n");
  std::vector<ConfigReader::File> files;
  for (const char* key : {"ca", "crl", "key", "me"})
    files.push_back({key, reader.RequiredPath(key)});
  EXPECT_FALSE(reader.CheckFiles(files));
  EXPECT_TRUE(reader.CheckFile("me", "/proc/self/exe"));
  EXPECT_EQ(Message(reader.Finish()),
            "edge.toml:1:6: ca: open /nowhere/ca.pem: No such file or directory\n"
            "edge.toml:2:7: crl: /tmp is a folder, not a file\n"
            "edge.toml:3:7: key: is required");
}

TEST(Config, WhatIsWrongInAFileBelongsToTheKeyThatNamesIt) {
  const std::vector<ConfigReader::File> files = {{"ca", "/tls/a"}, {"key", "/tls/a.key"}};
  EXPECT_EQ(ConfigReader::KeyOf(files, "/tls/a.key: is no key"), "key");
  EXPECT_EQ(ConfigReader::KeyOf(files, "/tls/a holds no certificate"), "ca");
  EXPECT_EQ(ConfigReader::KeyOf(files, "something else"), "ca");
}

TEST(Config, WarningsAreNoMistakes) {
  ConfigReader reader = Parse("quota = 1\n");
  reader.Int("quota", 0);
  reader.Warn("quota", "is small\x1b");
  reader.Warn("rule", "there is none");
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_THAT(reader.warnings(), ElementsAre("edge.toml:1:9: warning: quota: is small\\x1b",
                                             "edge.toml:1:1: warning: rule: there is none"));
}

TEST(Config, MistakesAndWarningsAreToldAtOnce) {
  ConfigReader reader = Parse("b = 1\na = 2\n");
  reader.Int("a", 0);
  reader.Warn("a", "is small");
  reader.String("b", "");
  EXPECT_EQ(Message(reader.Finish()),
            "edge.toml:1:5: b: must be a string\n"
            "edge.toml:2:5: warning: a: is small");
}

TEST(Config, RefusesAFileOfUnreasonableSize) {
  EXPECT_EQ(ConfigReader::Load("/dev/zero").status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Config, RefusesValuesThatDoNotFitTheirRange) {
  ConfigReader reader = Parse("a = \"1 TiB\"\nb = nan\nc = -1\n");
  EXPECT_EQ(reader.Bytes("a", 1, {.min = 0, .max = 1 << 30}), 1);
  EXPECT_EQ(reader.Number("b", 2), 2);
  EXPECT_EQ(reader.Int("c", 3), 3);
  EXPECT_THAT(std::string(Message(reader.Finish())),
              AllOf(HasSubstr(": a: "), HasSubstr(": b: "), HasSubstr(": c: ")));
}

// The first number is 2^63, which a double holds and an int64_t does not.
TEST(Config, RefusesSizesAndTimesBeyond64Bits) {
  for (const std::string& number : {std::string("9223372036854775808"), std::string(400, '9')}) {
    ConfigReader reader =
        Parse(fmt::format("size = \"{0}\"\nmore = \"{0} TiB\"\nwait = \"{0} d\"\n", number));
    EXPECT_EQ(reader.Bytes("size", 1), 1);
    EXPECT_EQ(reader.Bytes("more", 2), 2);
    EXPECT_EQ(reader.DurationNs("wait", 3), 3);
    EXPECT_THAT(std::string(Message(reader.Finish())),
                AllOf(HasSubstr(": size: "), HasSubstr(": more: "), HasSubstr(": wait: ")));
  }
  ConfigReader reader = Parse("size = 9223372036854775807\n");
  EXPECT_EQ(reader.Bytes("size", 1), std::numeric_limits<int64_t>::max());
}

TEST(Config, KeepsEachMistakeOnOneLineWhateverTheFileHolds) {
  ConfigReader reader = Parse("\"a\\nb\\u001b[31m\" = 1\nlevel = \"loud\\r\\nand clear\"\n");
  reader.Error("level", fmt::format("can't be {}", reader.String("level", "")));
  EXPECT_THAT(std::string(Message(reader.Finish())),
              AllOf(HasSubstr("level: can't be loud\\r\\nand clear"),
                    HasSubstr("a\\nb\\x1b[31m: is not a known setting\n")));
  // Where the syntax is wrong, it quotes what it found.
  const auto broken = ConfigReader::Parse("truth = t\neur = 1\n", "edge.toml");
  EXPECT_THAT(std::string(Message(broken.status())), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace gleaner
