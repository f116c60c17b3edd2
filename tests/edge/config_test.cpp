#include "edge/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/file.h"
#include "common/status.h"
#include "fmt/format.h"
#include "tests/data/pki.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::edge {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
              HasSubstr("no signal is called weight; there are: camera.front.motion, "));
  EXPECT_THAT(mistake(Rule("camera.side.motion > 1")),
              HasSubstr("no signal is called camera.side.motion"));
  EXPECT_THAT(mistake("[spool]\ndirectory = \"\"\n"), HasSubstr("spool.directory"));
  EXPECT_THAT(mistake("[log]\nlevel = \"verbose\"\n"), HasSubstr(".toml:12:"));
  EXPECT_THAT(mistake("[log]\nlevel = \"verbose\"\n"),
              HasSubstr("must be one of trace, debug, info, warn, error"));
}

// A configuration in a folder of its own, with whatever files a test puts there.
class EdgeConfigFolder : public ::testing::Test {
 protected:
  absl::StatusOr<Config> Load(const std::string& text) {
    std::ofstream(folder_ / "edge.toml") << text;
    return Config::Load(folder_ / "edge.toml");
  }
  std::string Mistakes(const std::string& text) {
    return std::string(Message(Load(text).status()));
  }
  std::vector<std::string> Warnings(const std::string& text) {
    const auto config = Load(text);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.ok() ? config->warnings : std::vector<std::string>();
  }
  // The least, with nothing to remark.
  std::string Sound() {
    std::ofstream(folder_ / "film.mp4") << "film";
    return fmt::format(
        "device = \"cart-1\"\n[server]\naddress = \"localhost:7443\"\nplaintext = true\n[spool]\n"
        "directory = \"{0}/spool\"\nquota = \"16 MiB\"\n[[camera]]\nname = \"front\"\nurl = "
        "\"{0}/film.mp4\"\n[[rule]]\nname = \"hand\"\nwhen = \"motion > 0.02\"\n",
        folder_.path());
  }
  static std::string With(std::string text, const std::string& what, const std::string& instead) {
    const size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), instead);
  }

  TemporaryFolder folder_;
};

TEST_F(EdgeConfigFolder, HasNothingToSayOfWhatIsSound) {
  EXPECT_THAT(Warnings(Sound()), IsEmpty());
}

TEST_F(EdgeConfigFolder, WarnsThatThereIsNoCameraOrNoRule) {
  const std::string sound = Sound();
  const std::string neither = sound.substr(0, sound.find("[[camera]]"));
  EXPECT_THAT(Warnings(neither),
              ElementsAre(HasSubstr("camera: there is none: nothing is watched"),
                          HasSubstr("rule: there is none: no clip is ever kept")));
  EXPECT_THAT(Warnings(sound.substr(0, sound.find("[[rule]]"))),
              ElementsAre(HasSubstr("rule: there is none")));
}

TEST_F(EdgeConfigFolder, RefusesAThresholdThatCantBeReachedAndWarnsOfAPartThatDecidesNothing) {
  EXPECT_THAT(Mistakes(With(Sound(), "0.02", "1.5")),
              AllOf(HasSubstr("edge.toml:13:8: rule[1].when: motion > 1.5 can never hold"),
                    HasSubstr("motion is 0 to 1")));
  EXPECT_THAT(Mistakes(With(Sound(), "0.02", "0.5 and motion < 0.1")),
              HasSubstr("motion > 0.5 and motion < 0.1 can never hold at once"));
  EXPECT_THAT(
      Warnings(With(Sound(), "0.02", "0.02 or motion > 20")),
      ElementsAre(HasSubstr("edge.toml:13:8: warning: rule[1].when: motion > 20 can never hold")));
}

TEST_F(EdgeConfigFolder, RelativePathsCountFromTheFileAndAFolderIsWarnedOf) {
  const std::string relative =
      With(With(Sound(), folder_ / "spool", "spool"), folder_ / "film.mp4", "film.mp4");
  const auto config = Load(relative);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->spool.directory, folder_ / "spool");
  EXPECT_EQ(config->cameras[0].address.path(), folder_ / "film.mp4");
  EXPECT_THAT(config->warnings,
              ElementsAre(AllOf(HasSubstr("edge.toml:6:13: warning: spool.directory"),
                                HasSubstr(folder_ / "spool"))));
}

TEST_F(EdgeConfigFolder, RefusesAQuotaBeyondTheDiskAndWarnsOfOneBeyondWhatIsLeft) {
  EXPECT_THAT(Mistakes(With(Sound(), "16 MiB", "1 TiB")),
              AllOf(HasSubstr("edge.toml:7:9: spool.quota: is 1.0 TiB"), HasSubstr("in all")));
  const DiskSpace disk = *SpaceAt(folder_.path());
  ASSERT_LT(disk.free_bytes, disk.total_bytes);
  const std::string tight =
      With(Sound(), "\"16 MiB\"", std::to_string((disk.free_bytes + disk.total_bytes) / 2));
  EXPECT_THAT(Warnings(tight), ElementsAre(AllOf(HasSubstr("spool.quota"), HasSubstr("left"))));
}

TEST_F(EdgeConfigFolder, NamesEveryMissingFileAtItsOwnLine) {
  const std::string text =
      "[server]\naddress = \"localhost:7443\"\nca = \"ca.pem\"\ncertificate = \"device.pem\"\n"
      "key = \"/nowhere/device.key\"\n";
  EXPECT_THAT(Mistakes(text),
              AllOf(HasSubstr("edge.toml:3:6: server.ca: open " + folder_ / "ca.pem"),
                    HasSubstr("edge.toml:4:15: server.certificate: open "),
                    HasSubstr("edge.toml:5:7: server.key: open /nowhere/")));
  // Among them a film that isn't there, which is no more than a warning.
  EXPECT_THAT(Mistakes(text + "[[camera]]\nname = \"front\"\nurl = \"/nowhere/film.mp4\"\n"),
              AllOf(HasSubstr("edge.toml:5:7: server.key: "),
                    HasSubstr("edge.toml:8:7: warning: camera[1].url: there is no /nowhere/film")));
  EXPECT_THAT(
      Warnings(With(Sound(), folder_ / "film.mp4", "/nowhere/film.mp4") +
               "[[camera]]\nname = \"back\"\nurl = \"/dev/video99\"\n"),
      ElementsAre(
          HasSubstr("edge.toml:10:7: warning: camera[1].url: there is no /nowhere/film.mp4"),
          HasSubstr("edge.toml:16:7: warning: camera[2].url: there is no /dev/video99")));
}

TEST_F(EdgeConfigFolder, WhatIsWrongInAFileIsSaidAtItsLine) {
  TestPki pki;
  pki.Write(folder_.path());
  pki.Write(folder_.path(), "device", pki.Device("cart-1"));
  pki.Write(folder_.path(), "other", pki.Device("cart-2"));
  const std::string text =
      "[server]\naddress = \"localhost:7443\"\nca = \"ca.pem\"\ncertificate = \"device.pem\"\n"
      "key = \"other.key\"\n";
  EXPECT_THAT(Mistakes(text), HasSubstr("edge.toml:5:7: server.key: " + folder_ / "other.key"));
  EXPECT_THAT(Mistakes(With(With(text, "ca.pem", "server.key"), "other.key", "device.key")),
              HasSubstr("edge.toml:3:6: server.ca: " + folder_ / "server.key"));
}

TEST_F(EdgeConfigFolder, ANameThatIsThereTwiceIsToldAtTheSecond) {
  EXPECT_THAT(Mistakes(Sound() + "[[rule]]\nname = \"hand\"\nwhen = \"motion > 0.3\"\n"),
              HasSubstr("edge.toml:15:8: rule[2].name: \"hand\" is there twice"));
}

TEST_F(EdgeConfigFolder, AFolderIsNoFilmAndAFileNoDevice) {
  EXPECT_THAT(
      Mistakes(With(Sound(), folder_ / "film.mp4", folder_.path())),
      HasSubstr("edge.toml:10:7: camera[1].url: " + folder_.path() + " is a folder, not a film"));
  EXPECT_THAT(Mistakes(With(Sound(), "film.mp4\"\n", "film.mp4\"\nsource = \"v4l2\"\n")),
              HasSubstr("film.mp4 is a file, not a V4L2 device"));
  EXPECT_THAT(Mistakes(With(Sound(), folder_ / "spool", folder_ / "film.mp4")),
              HasSubstr("edge.toml:6:13: spool.directory: " + folder_ / "film.mp4" +
                        " is a file, not a folder"));
}

TEST_F(EdgeConfigFolder, WarnsOfACertificateThatNoServerTakes) {
  TestPki pki;
  pki.Write(folder_.path());
  std::string text = With(Sound(), "plaintext = true",
                          "ca = \"ca.pem\"\ncertificate = \"server.pem\"\nkey = \"server.key\"");
  text = With(text, "device = \"cart-1\"\n", "");
  EXPECT_THAT(Warnings(text),
              ElementsAre(AllOf(HasSubstr("edge.toml:4:15: warning: server.certificate: "),
                                HasSubstr("not made for a device"))));
  pki.Write(folder_.path(), "server", pki.ExpiredDevice("cart-1"));
  EXPECT_THAT(Warnings(text), ElementsAre(HasSubstr("the certificate expired at")));
}

TEST_F(EdgeConfigFolder, ANameThatIsNoneIsToldWithTheRuleAndTheFix) {
  const auto rule = [](const std::string& nearest) {
    return HasSubstr(fmt::format(
        "is not a name (1 to 63 of a-z, 0-9 and -, not starting with -): write \"{}\"", nearest));
  };
  const std::string sound = Sound();
  EXPECT_THAT(Mistakes(With(sound, "cart-1", "Cart_1")), rule("cart-1"));
  EXPECT_THAT(Mistakes("site = \"Store 7\"\n" + sound), rule("store-7"));
  EXPECT_THAT(Mistakes(With(sound, "\"front\"", "\"Front_Door\"")), rule("front-door"));
  EXPECT_THAT(Mistakes(With(sound, "\"hand\"", "\"Hand.Moves\"")), rule("hand-moves"));

  TestPki pki;
  pki.Write(folder_.path());
  pki.Write(folder_.path(), "device", pki.Device("Cart_1.local"));
  EXPECT_THAT(Mistakes("[server]\naddress = \"localhost:7443\"\nca = \"ca.pem\"\ncertificate = "
                       "\"device.pem\"\nkey = \"device.key\"\n"),
              AllOf(HasSubstr("edge.toml:4:15: server.certificate: " + folder_ / "device.pem"),
                    HasSubstr("common name \"Cart_1.local\" is not a name"),
                    HasSubstr("have one issued for \"cart-1-local\"")));
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

TEST(EdgeConfig, TakesSensorsWhoseSignalsRulesMayRead) {
  const auto config = LoadWith(
      "[[sensor]]\nname = \"weight\"\nunit = \"g\"\n"
      "[[sensor]]\nname = \"location\"\ncomponents = [\"latitude\", \"longitude\"]\n"
      "[[sensor]]\nname = \"stop\"\nevent = true\n" +
      Rule("weight > 50 and sensor.location.latitude > 1 and within(2s, event.stop > 0)"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->sensors.size(), 3u);
  EXPECT_EQ(config->sensor_socket.path, "/run/gleaner-edge/sensors.sock");
}

TEST(EdgeConfig, RefusesSensorsThatCouldNotBeToldApartOrFillAClip) {
  const auto mistake = [](const std::string& more) {
    const auto config = LoadWith(more);
    EXPECT_TRUE(absl::IsInvalidArgument(config.status())) << more;
    return std::string(Message(config.status()));
  };
  const std::string sensor = "[[sensor]]\nname = \"weight\"\n";
  EXPECT_THAT(mistake(sensor + sensor), HasSubstr("\"weight\" is there twice"));
  EXPECT_THAT(mistake("[[sensor]]\nname = \"motion\"\n"), HasSubstr("take another name"));
  EXPECT_THAT(mistake("[[sensor]]\nname = \"Weight\"\n"), HasSubstr("write \"weight\""));
  EXPECT_THAT(mistake(sensor + "event = true\nunit = \"g\"\n"), HasSubstr("an event has none"));
  EXPECT_THAT(mistake(sensor + "unit = \"\"\n"), HasSubstr("1 to 16 bytes"));
  EXPECT_THAT(mistake(sensor + "unit = \"k g\"\n"), HasSubstr("without blanks"));
  EXPECT_THAT(mistake(sensor + "components = [\"a\", \"a\"]\n"), HasSubstr("there twice"));
  EXPECT_THAT(mistake(sensor + "max_per_s = 0\n"), HasSubstr("max_per_s"));
  std::string many;
  for (int i = 0; i < 5; ++i) {
    many += fmt::format(
        "[[sensor]]\nname = \"s{}\"\ncomponents = [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\"]\n",
        i);
  }
  EXPECT_THAT(mistake(many), HasSubstr("35 numbers together, at most 32"));
  EXPECT_THAT(mistake(Rule("weight > 50")), HasSubstr("weight"));
}

}  // namespace
}  // namespace gleaner::edge
