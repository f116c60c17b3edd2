#include "common/log.h"

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/log_throttle.h"
#include "common/printable.h"
#include "common/rpc_log.h"
#include "tests/data/log_lines.h"

namespace gleaner {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Optional;

TEST(Printable, LeavesLettersOfAnyScriptAsTheyAre) {
  for (const char* text :
       {"", "clip 7: 320×180 …", "größe", "カメラ", "C:\\temp", "\xf0\x9f\x8e\xa5"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(Printable, WritesOutWhatWouldEndALineOrDriveATerminal) {
  EXPECT_EQ(Printable("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(Printable("\x1b[2Jcart\x7f"), "\\x1b[2Jcart\\x7f");
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), "a\\x00b");
  // CSI as one character of C1.
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\u009b31m");
}

TEST(Printable, WritesOutWhatWouldHideOrTurnItsNeighbours) {
  EXPECT_EQ(Printable("a\u202eb"), "a\\u202eb");
  EXPECT_EQ(Printable("a\u2028b\u2029"), "a\\u2028b\\u2029");
  EXPECT_EQ(Printable("\ufeffa\u200bb\u2066"), "\\ufeffa\\u200bb\\u2066");
  EXPECT_EQ(Printable("\U000e0041"), "\\ue0041");
}

TEST(Printable, KnowsWhereWhatIsHiddenBeginsAndEnds) {
  for (const char* shown : {" ", "~", "\u00a0", "\u00ac", "\u00ae", "\u061b", "\u061d", "\u200a",
                            "\u2010", "\u2027", "\u202f", "\u205f", "\u2070", "\ufefe", "\uff00",
                            "\ufff8", "\ufffc", "\U000dffff", "\U000e1000"}) {
    EXPECT_EQ(Printable(shown), shown);
  }
  for (const char* hidden : {"\x01", "\x1f", "\x7f", "\u0080", "\u009f", "\u00ad", "\u061c",
                             "\u200b", "\u200f", "\u2028", "\u202e", "\u2060", "\u206f", "\ufeff",
                             "\ufff9", "\ufffb", "\U000e0000", "\U000e0fff"}) {
    EXPECT_EQ(Printable(hidden)[0], '\\') << hidden;
  }
}

TEST(Printable, WritesOutBytesThatAreNoUtf8) {
  EXPECT_EQ(Printable("a\xff\xfe"), "a\\xff\\xfe");
  EXPECT_EQ(Printable("\xc0\x8a"), "\\xc0\\x8a");           // overlong line feed
  EXPECT_EQ(Printable("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");  // and again
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(Printable("ü\xc3"), "ü\\xc3");  // cut in the middle
  EXPECT_EQ(Printable("\xe2\x82"
                      "a"),
            "\\xe2\\x82a");
}

TEST(Log, AMessageIsOneLineWhateverItQuotes) {
  const std::string foreign = "x\n<3>device cart-1 is fine\x1b[1A";
  LogLines journal(/*for_journal=*/true);
  LOG_WARN("refused: {}", foreign);
  EXPECT_EQ(journal.text(), "<4>refused: x\\n<3>device cart-1 is fine\\x1b[1A\n");
  LogLines people;
  LOG_INFO("refused: {}", foreign);
  EXPECT_THAT(people.text(), EndsWith(" refused: x\\n<3>device cart-1 is fine\\x1b[1A\n"));
}

TEST(Log, IsOfTheLevelThatWasAskedFor) {
  const auto before = spdlog::default_logger();
  for (const auto& [name, level] : {std::pair{"trace", spdlog::level::trace},
                                    {"debug", spdlog::level::debug},
                                    {"info", spdlog::level::info},
                                    {"warn", spdlog::level::warn},
                                    {"warning", spdlog::level::warn},
                                    {"error", spdlog::level::err},
                                    {"off", spdlog::level::off}}) {
    const std::string program = std::string("test-of-") + name;
    EXPECT_TRUE(InitLogging(program, name).ok()) << name;
    EXPECT_EQ(spdlog::get_level(), level) << name;
    EXPECT_EQ(spdlog::default_logger()->name(), program);
  }
  const absl::Status unknown = InitLogging("test", "loud");
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("\"loud\" is not one of trace, debug"));
  spdlog::set_default_logger(before);
  spdlog::set_level(spdlog::level::info);
}

TEST(Log, GrpcAndProtobufSpeakThroughIt) {
  gpr_log_verbosity_init();
  RouteRpcLogs();
  LogLines lines(/*for_journal=*/true);
  gpr_log(GPR_ERROR, "%s", ":status 200\n<3>forged");
  EXPECT_EQ(lines.text(), "<4>grpc: :status 200\\n<3>forged\n");
  GOOGLE_LOG(ERROR) << "bad\nfield";
  EXPECT_THAT(lines.text(), EndsWith("<4>protobuf: bad\\nfield\n"));
  const std::string before = lines.text();
  gpr_log(GPR_INFO, "chatter");
  GOOGLE_LOG(INFO) << "chatter";
  EXPECT_EQ(lines.text(), before) << "what they say besides is for debugging";
}

TEST(Log, AFloodFromOnePlaceInGrpcIsCounted) {
  gpr_log_verbosity_init();
  RouteRpcLogs();
  LogLines lines;
  for (int i = 0; i < 1000; ++i) gpr_log(GPR_ERROR, "header %d", i);
  const std::string text = lines.text();
  EXPECT_THAT(text, HasSubstr("header 0\n"));
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 20);
}

TEST(Log, GrpcsLinesAreToldInOurWordsWhereThereAreSome) {
  gpr_log_verbosity_init();
  RouteRpcLogs([](std::string_view said) -> std::optional<std::string> {
    if (said == "SSL_ERROR_SSL") return "it showed no certificate";
    if (said == "told elsewhere") return "";
    return std::nullopt;
  });
  LogLines lines(/*for_journal=*/true);
  gpr_log(GPR_ERROR, "%s", "SSL_ERROR_SSL");
  gpr_log(GPR_ERROR, "%s", "told elsewhere");
  EXPECT_EQ(lines.text(), "<4>it showed no certificate\n");
  gpr_log(GPR_ERROR, "%s", "something else");
  EXPECT_THAT(lines.text(), EndsWith("<4>grpc: something else\n"));
  RouteRpcLogs();
}

TEST(LogThrottle, LetsAFewLinesOfAKindThroughAndThenCounts) {
  FakeClock clock;
  LogThrottle throttle(clock, {.lines = 2, .span_ns = kNanosPerSecond});
  EXPECT_THAT(throttle.Admit("a"), Optional(std::string()));
  EXPECT_THAT(throttle.Admit("a"), Optional(std::string()));
  for (int i = 0; i < 4999; ++i) EXPECT_EQ(throttle.Admit("a"), std::nullopt);
  EXPECT_THAT(throttle.Admit("b"), Optional(std::string()));
  clock.Advance(kNanosPerSecond);
  EXPECT_THAT(throttle.Admit("a"), Optional(std::string(" (and 4,999 more like it)")));
  EXPECT_THAT(throttle.Admit("a"), Optional(std::string()));
  EXPECT_EQ(throttle.Admit("a"), std::nullopt);
}

TEST(LogThrottle, TellsOfAFloodThatHasEnded) {
  FakeClock clock;
  LogLines lines(/*for_journal=*/true);
  LogThrottle throttle(clock, {.lines = 1, .span_ns = kNanosPerSecond});
  for (const char* kind : {"a", "a", "a", "b"}) throttle.Admit(kind);
  clock.Advance(kNanosPerSecond);
  EXPECT_THAT(throttle.Admit("c"), Optional(std::string()));
  EXPECT_EQ(lines.text(), "<4>a: 2 more were not written one by one\n");
}

TEST(LogThrottle, TellsInTheEndWhatItHasNotTold) {
  FakeClock clock;
  LogLines lines(/*for_journal=*/true);
  {
    LogThrottle throttle(clock, {.lines = 1, .span_ns = kNanosPerSecond});
    for (int i = 0; i < 5; ++i) throttle.Admit("a\nb");
  }
  EXPECT_EQ(lines.text(), "<4>a\\nb: 4 more were not written one by one\n");
}

TEST(LogThrottle, CountsManyKindsTogetherInBoundedRoom) {
  FakeClock clock;
  LogLines lines;
  LogThrottle throttle(clock, {.lines = 1, .span_ns = kNanosPerSecond});
  uint64_t admitted = 0;
  for (int i = 0; i < 10'000; ++i) admitted += throttle.Admit(std::to_string(i)).has_value();
  EXPECT_EQ(admitted, LogThrottle::kMaxKinds + 1);  // and one that the others share
  // Once their time is over, their places are free for others.
  clock.Advance(kNanosPerSecond);
  EXPECT_THAT(throttle.Admit("another"), Optional(std::string()));
  EXPECT_THAT(throttle.Admit("and another"), Optional(std::string()));
  EXPECT_THAT(lines.text(), HasSubstr("lines of many kinds: 5,903 more"));
}

}  // namespace
}  // namespace gleaner
