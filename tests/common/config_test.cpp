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
              AllOf(HasSubstr("level: can't be loud??and clear\n"),
                    HasSubstr("a?b?[31m: is not a known setting")));
  // Where the syntax is wrong, it quotes what it found.
  const auto broken = ConfigReader::Parse("truth = t\neur = 1\n", "edge.toml");
  EXPECT_THAT(std::string(Message(broken.status())), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace gleaner
