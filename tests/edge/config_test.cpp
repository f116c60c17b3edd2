#include "edge/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

// The least that is needed, 9 lines of it, and `more`.
absl::StatusOr<Config> LoadWith(const std::string& more) {
  const auto path = std::filesystem::path(::testing::TempDir()) /
                    fmt::format("gleaner_edge_config_{}.toml", getpid());
  std::ofstream(path) << "device = \"cart-1\"\n"
                         "[server]\n"
                         "address = \"localhost:7443\"\n"
                         "plaintext = true\n"
                         "[[camera]]\n"
                         "name = \"front\"\n"
                         "url = \"/srv/front.mp4\"\n"
                         "[[camera]]\n"
                         "name = \"back\"\nurl = \"/srv/back.mp4\"\n"
                      << more;
  auto config = Config::Load(path);
  std::filesystem::remove(path);
  return config;
}

std::string Rule(const std::string& when) {
  return fmt::format("[[rule]]\nname = \"hand\"\nwhen = \"{}\"\n", when);
}

TEST(EdgeConfig, TakesRulesOfEveryCamerasSignals) {
  const auto config =
      LoadWith(Rule("motion > 0.1 or camera.back.motion > 0.2") + "[log]\nlevel = \"warn\"\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->rules.size(), 1u);
  EXPECT_EQ(config->log_level, "warn");
}

TEST(EdgeConfig, RefusesWhatTheDaemonWouldRefuseAndSaysWhere) {
  const auto mistake = [](const std::string& more) {
    const auto config = LoadWith(more);
    EXPECT_TRUE(absl::IsInvalidArgument(config.status())) << more;
    return std::string(Message(config.status()));
  };
  EXPECT_THAT(mistake(Rule("weight > 1")), HasSubstr(".toml:13:"));
  EXPECT_THAT(mistake(Rule("weight > 1")),
              HasSubstr("no signal is called weight; there are: camera.front.motion, "
                        "camera.back.motion"));
  EXPECT_THAT(mistake(Rule("camera.side.motion > 1")),
              HasSubstr("no signal is called camera.side.motion"));
  EXPECT_THAT(mistake("[spool]\ndirectory = \"\"\n"), HasSubstr("spool.directory"));
  EXPECT_THAT(mistake("[log]\nlevel = \"verbose\"\n"), HasSubstr(".toml:12:"));
  EXPECT_THAT(mistake("[log]\nlevel = \"verbose\"\n"),
              HasSubstr("must be one of trace, debug, info, warn, error"));
}

TEST(EdgeConfig, NeedsNoCertificateToLookIntoTheSpool) {
  const auto path = std::filesystem::path(::testing::TempDir()) /
                    fmt::format("gleaner_edge_config_spool_{}.toml", getpid());
  std::ofstream(path) << "[server]\naddress = \"gleaner.example:7443\"\nca = \"/nowhere/ca.pem\"\n"
                         "certificate = \"/nowhere/device.pem\"\nkey = \"/nowhere/device.key\"\n"
                         "[spool]\ndirectory = \"/srv/spool\"\n";
  EXPECT_THAT(std::string(Message(Config::Load(path).status())), HasSubstr("/nowhere/"));
  const auto config = Config::Load(path, /*only_spool=*/true);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->spool.directory, "/srv/spool");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace gleaner::edge
