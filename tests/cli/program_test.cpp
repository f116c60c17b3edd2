// The program `gleaner` itself: exit statuses, which words go where, JSON.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "common/file.h"
#include "common/version.h"
#include "tests/cli/commands_testing.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ProgramTest : public CommandsTest {
 protected:
  struct Ended {
    int status;
    std::string out, err;
  };
  Ended Run(const std::string& arguments) {
    const std::string err = folder_ / "stderr";
    const auto [status, out] =
        Shell(fmt::format("GLEANER_SERVER={} {}/gleaner {} 2>{}", Url(), BinDir(), arguments, err));
    return {status, out, ReadFile(err, 1 << 20).value()};
  }
};

TEST_F(ProgramTest, EndsWithTwoWhereItWasUsedWrongly) {
  Start();
  for (const char* wrong :
       {"", "no-such-command", "clips", "clips show", "clips get", "clips list --limit many",
        "clips get 0f3a --filter device:cart-1", "clips get 0f3a --limit 3", "summary extra",
        "summary --no-such-option", "clips show xyz", "clips list --filter colour:red",
        "clips get --filter device:Cart", "--server localhost:8080 summary",
        "--ca /nowhere/ca.pem summary"}) {
    const Ended ended = Run(wrong);
    EXPECT_EQ(ended.status, 2) << wrong;
    EXPECT_THAT(ended.err, testing::StartsWith("gleaner: ")) << wrong;
    EXPECT_EQ(ended.out, "") << wrong;
  }
}

TEST_F(ProgramTest, EndsWithOneWhereItFailed) {
  Start();
  for (const char* failing : {"clips show 0123456789abcdef0123", "clips show 0123", "devices none",
                              "clips get 0123456789abcdef0123", "clips get --filter device:none"}) {
    const Ended ended = Run(failing);
    EXPECT_EQ(ended.status, 1) << failing << ended.err;
    EXPECT_THAT(ended.err, testing::StartsWith("gleaner: ")) << failing;
  }
}

TEST_F(ProgramTest, EndsWithNoughtAndExplainsItself) {
  Start();
  EXPECT_EQ(Run("summary").status, 0);
  const Ended help = Run("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out,
              AllOf(HasSubstr("Exit status: 0 done; 1 it failed"), HasSubstr("2 used wrongly")));
  EXPECT_EQ(Run("clips get --help").status, 0);
  EXPECT_EQ(Run("--version").out.find(Version()), 0u);
}

TEST_F(ProgramTest, SaysErrorsAsJsonWhereJsonIsAskedFor) {
  Start();
  const auto error = [&](const std::string& arguments, int status) {
    const Ended ended = Run(arguments);
    EXPECT_EQ(ended.status, status) << arguments;
    EXPECT_EQ(ended.out, "") << arguments;
    const auto json = nlohmann::json::parse(ended.err, nullptr, false);
    EXPECT_TRUE(json.is_object() && json.contains("message")) << ended.err;
    return json.value("code", "");
  };
  EXPECT_EQ(error("clips show 0123 --json", 1), "not_found");
  EXPECT_EQ(error("devices none --json", 1), "not_found");
  EXPECT_EQ(error("clips list --filter colour:red --json", 2), "invalid_argument");
  EXPECT_EQ(error("clips list --json --limit many", 2), "invalid_argument");
  EXPECT_EQ(error("--server http://127.0.0.1:1 summary --json", 1), "unavailable");
}

TEST_F(ProgramTest, PrintsJsonInOneStyle) {
  Start();
  const std::string id = AddClip(1);
  ASSERT_TRUE(catalog_->devices.RecordHello("cart-1", {}, clock_.WallNs()).ok());
  for (const std::string& arguments :
       {std::string("summary"), std::string("devices"), std::string("devices cart-1"),
        std::string("clips list"), "clips show " + id,
        "clips get --filter device:cart-1 --out " + folder_ / "out"}) {
    const std::string text = Run(arguments + " --json").out;
    const auto json = nlohmann::json::parse(text, nullptr, false);
    ASSERT_TRUE(json.is_object()) << arguments << text;
    // Names in lowerCamelCase at every level, and no list of anything but objects and texts.
    std::function<void(const nlohmann::json&)> check = [&](const nlohmann::json& value) {
      if (value.is_object()) {
        for (const auto& [name, inner] : value.items()) {
          EXPECT_EQ(name.find_first_of("_- "), std::string::npos) << name;
          EXPECT_TRUE(std::islower(static_cast<unsigned char>(name[0]))) << name;
          check(inner);
        }
      } else if (value.is_array()) {
        for (const auto& inner : value) check(inner);
      }
    };
    check(json);
    EXPECT_EQ(text.find("\n "), 1u) << "over several lines: " << text;
  }
}

}  // namespace
}  // namespace gleaner::cli
