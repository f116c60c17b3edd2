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
              HasSubstr("edge.toml:3:8: camera[1].urll: is not a known setting"));
}

TEST(Config, SizesAreToldInTheUnitsTheyAreWrittenIn) {
  const auto mistake = [](const std::string& value, IntRange range) {
    ConfigReader reader = Parse("quota = " + value + "\n");
    reader.Bytes("quota", 0, range);
    return std::string(Message(reader.Finish()));
  };
  const IntRange range = {.min = 16 << 20, .max = int64_t{1} << 40};
  for (const char* value : {"64", "\"64\"", "\"64 B\""}) {
    EXPECT_EQ(mistake(value, range), "edge.toml:1:9: quota: is 64 B, must be 16.0 MiB to 1.0 TiB");
  }
  EXPECT_THAT(mistake("\"900 TiB\"", range), HasSubstr("is 900.0 TiB, must be"));
  EXPECT_THAT(mistake("-1", range), HasSubstr("is -1 B, must be"));
  EXPECT_THAT(mistake("\"1e30\"", range), HasSubstr("must be a size such as"));
  EXPECT_THAT(mistake("12", {.min = 1024}), HasSubstr("is 12 B, must be 1.0 KiB or more"));
}

TEST(Config, AListThatIsWrittenAsOneTableIsOneMistake) {
  ConfigReader reader = Parse("[rule]\nname = \"x\"\nwhen = \"motion > 0.1\"\n");
  EXPECT_TRUE(reader.Tables("rule").empty());
  EXPECT_EQ(Message(reader.Finish()),
            "edge.toml:1:1: rule: must be a list of tables, written [[rule]]");
}

TEST(Config, ATextWithoutQuotesIsToldWhatIsMissing) {
  const auto reader = ConfigReader::Parse("site = store-7\n", "edge.toml");
  EXPECT_THAT(std::string(Message(reader.status())),
              AllOf(HasSubstr("edge.toml:1:8: "), HasSubstr("a text stands in quotes")));
}

TEST(Config, AFileInThePlaceOfAFolderIsAMistake) {
  ConfigReader reader = Parse("directory = \"/proc/self/exe\"\n");
  reader.Folder("directory", "");
  EXPECT_EQ(Message(reader.Finish()),
            "edge.toml:1:13: directory: /proc/self/exe is a file, not a folder");
}

TEST(Config, OfKeysThatNameOneFileTheOneThatIsMeantIsNamed) {
  const std::vector<ConfigReader::File> files = {
      {"ca", "/x.pem"}, {"certificate", "/x.pem"}, {"key", "/x.pem"}};
  EXPECT_EQ(ConfigReader::KeyOf(files, "/x.pem: holds no PEM private key"), "key");
  EXPECT_EQ(ConfigReader::KeyOf(files, "/x.pem: holds no PEM certificate"), "certificate");
  EXPECT_EQ(ConfigReader::KeyOf(files, "/x.pem: something else"), "ca");
  EXPECT_EQ(ConfigReader::KeyOf(files, "nothing of a file"), "ca");
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

TEST(Config, KnowsEveryUnitOfSizesAndTimes) {
  const std::pair<const char*, int64_t> sizes[] = {{"5", 5},
                                                   {"5 B", 5},
                                                   {"5KB", 5'000},
                                                   {"5 kB", 5'000},
                                                   {"5 MB", 5'000'000},
                                                   {"5 GB", 5'000'000'000},
                                                   {"5 TB", 5'000'000'000'000},
                                                   {"5 KiB", int64_t{5} << 10},
                                                   {"5 MiB", int64_t{5} << 20},
                                                   {"5 GiB", int64_t{5} << 30},
                                                   {"5 TiB", int64_t{5} << 40}};
  for (const auto& [text, bytes] : sizes) {
    EXPECT_EQ(Parse(fmt::format("a = \"{}\"", text)).Bytes("a", 0), bytes) << text;
  }
  const std::pair<const char*, int64_t> times[] = {{"5us", 5'000},
                                                   {"5ms", 5'000'000},
                                                   {"5 s", 5'000'000'000},
                                                   {"5min", 300'000'000'000},
                                                   {"5h", 18'000'000'000'000},
                                                   {"5 d", 432'000'000'000'000}};
  for (const auto& [text, ns] : times) {
    EXPECT_EQ(Parse(fmt::format("a = \"{}\"", text)).DurationNs("a", 0), ns) << text;
  }
  for (const char* none : {"", "MiB", " 5", "5 mib", "5 MiB x", "1.2.3 s", "s", "-5 s"}) {
    ConfigReader reader = Parse(fmt::format("a = \"{}\"", none));
    EXPECT_EQ(reader.Bytes("a", 7), 7) << none;
    EXPECT_EQ(reader.DurationNs("a", 8), 8) << none;
    EXPECT_THAT(std::string(Message(reader.Finish())),
                AllOf(HasSubstr("a: must be a size such as"),
                      HasSubstr("a: must be a length of time such as")));
  }
}

TEST(Config, AValueOfAnotherKindIsAMistakeAndCountsAsAbsent) {
  ConfigReader reader = Parse(R"(
a = "seven"
b = 1
c = "yes"
d = "x"
e = [1]
f = 10
g = true
h = "list"
i = ["one", 2, "three"]
j = 5
k = 6
l = [7]
)");
  EXPECT_EQ(reader.Int("a", 7), 7);
  EXPECT_EQ(reader.String("b", "one"), "one");
  EXPECT_TRUE(reader.Bool("c", true));
  EXPECT_EQ(reader.Number("d", 2.5), 2.5);
  EXPECT_EQ(reader.Bytes("e", 4096), 4096);
  EXPECT_EQ(reader.DurationNs("f", 10), 10);
  EXPECT_EQ(reader.RequiredString("g"), "");
  EXPECT_THAT(reader.Strings("h"), ElementsAre());
  EXPECT_THAT(reader.Strings("i"), ElementsAre("one", "three"));
  EXPECT_EQ(reader.Table("j").Int("x", 3), 3);
  EXPECT_TRUE(reader.Tables("k").empty());
  EXPECT_TRUE(reader.Tables("l").empty());
  EXPECT_EQ(Message(reader.Finish()),
            "edge.toml:2:5: a: must be a whole number\n"
            "edge.toml:3:5: b: must be a string\n"
            "edge.toml:4:5: c: must be true or false\n"
            "edge.toml:5:5: d: must be a number\n"
            "edge.toml:6:5: e: must be a size such as 536870912, \"512 MiB\" or \"2 GB\"\n"
            "edge.toml:7:5: f: must be a length of time such as \"250ms\", \"10s\", \"5min\" or "
            "\"2h\"\n"
            "edge.toml:8:5: g: must be a string\n"
            "edge.toml:9:5: h: must be a list of strings\n"
            "edge.toml:10:13: i: must be a list of strings\n"
            "edge.toml:11:5: j: must be a table\n"
            "edge.toml:12:5: k: must be a list of tables, written [[k]]\n"
            "edge.toml:13:6: l: must be a list of tables, written [[l]]");
}

TEST(Config, ARangeHoldsItsEnds) {
  for (const int value : {0, 1, 9, 10}) {
    ConfigReader reader =
        Parse(fmt::format("i = {0}\nn = {0}.0\nb = \"{0} B\"\nd = \"{0}s\"", value));
    const bool in = value >= 1 && value <= 9;
    EXPECT_EQ(reader.Int("i", -1, {1, 9}), in ? value : -1);
    EXPECT_EQ(reader.Number("n", -1, {1, 9}), in ? value : -1);
    EXPECT_EQ(reader.Bytes("b", -1, {1, 9}), in ? value : -1);
    EXPECT_EQ(reader.DurationNs("d", -1, {1'000'000'000, 9'000'000'000}),
              in ? value * int64_t{1'000'000'000} : -1);
    const absl::Status status = reader.Finish();
    EXPECT_EQ(status.ok(), in);
    if (in) continue;
    EXPECT_EQ(Message(status), fmt::format("edge.toml:1:5: i: is {0}, must be 1 to 9\n"
                                           "edge.toml:2:5: n: is {0}, must be 1 to 9\n"
                                           "edge.toml:3:5: b: is {0} B, must be 1 B to 9 B\n"
                                           "edge.toml:4:5: d: is {0} s, must be 1 s to 9 s",
                                           value));
  }
}

TEST(Config, AMistakeInATableIsNamedByItsPlace) {
  ConfigReader reader = Parse("[[camera]]\nurl = 1\n[[camera]]\nurl = 2\n[a.b]\nc = 3\nd = 4\n");
  for (ConfigReader& camera : reader.Tables("camera")) camera.String("url", "");
  EXPECT_TRUE(reader.Has("a"));
  EXPECT_FALSE(reader.Has("b"));
  reader.Table("a").Table("b").String("c", "");
  EXPECT_EQ(Message(reader.Finish()),
            "edge.toml:2:7: camera[1].url: must be a string\n"
            "edge.toml:4:7: camera[2].url: must be a string\n"
            "edge.toml:6:5: a.b.c: must be a string\n"
            "edge.toml:7:5: a.b.d: is not a known setting");
}

TEST(Config, AFileThatIsNotThereIsCalledTheConfiguration) {
  const absl::Status missing = ConfigReader::Load("nope.toml").status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_EQ(Message(missing), "the configuration nope.toml: No such file or directory");
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
