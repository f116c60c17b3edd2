#include "cloud/server_config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/clock.h"
#include "common/file.h"
#include "common/status.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/data/paths.h"
#include "tests/data/pki.h"

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ServerConfigTest : public testing::Test {
 protected:
  ServerConfigTest() {
    pki_.Write(folder_.path());
    std::filesystem::create_directories(folder_ / "gleaner/bin");
    WriteProgram(folder_ / "gleaner/bin/gleaner-media");
  }

  static void WriteProgram(const std::string& path) {
    std::ofstream(path) << "#!/bin/sh\n";
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  }

  absl::StatusOr<ServerConfig> Load(const std::string& text) {
    std::ofstream(folder_ / "cloud.toml") << text;
    return LoadServerConfig(folder_ / "cloud.toml", folder_ / "gleaner/bin");
  }
  // The least that is needed, and `more`.
  absl::StatusOr<ServerConfig> LoadWith(const std::string& more) {
    return Load(
        "[server]\ndata_dir = \"data\"\n[tls]\nca = \"ca.pem\"\n"
        "certificate = \"server.pem\"\nkey = \"server.key\"\n" +
        more);
  }
  void ExpectMistake(const std::string& more, const testing::Matcher<std::string>& message) {
    const auto config = LoadWith(more);
    EXPECT_TRUE(absl::IsInvalidArgument(config.status())) << more;
    EXPECT_THAT(std::string(Message(config.status())), message) << more;
  }

  TemporaryFolder folder_;
  TestPki pki_;
};

TEST_F(ServerConfigTest, TheLeastGivesSafeDefaults) {
  const auto config = LoadWith("");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data_dir, folder_ / "data");
  EXPECT_EQ(config->devices.listen.ToString(), "0.0.0.0:7443");
  EXPECT_FALSE(config->devices.plaintext);
  EXPECT_FALSE(config->ingest.trust_metadata);
  EXPECT_EQ(config->http_listen.ToString(), "127.0.0.1:8080");
  EXPECT_EQ(config->token, "");
  EXPECT_EQ(config->web_dir, folder_ / "gleaner/share/gleaner/web");
  EXPECT_EQ(config->media_worker, folder_ / "gleaner/bin/gleaner-media");
  EXPECT_EQ(config->media_cpu_ns, 120 * kNanosPerSecond);
}

TEST_F(ServerConfigTest, TheExampleIsCompleteAndRight) {
  std::ifstream example(SourceDir() + "/docker/gleaner-cloud.toml");
  std::string text((std::istreambuf_iterator<char>(example)), {});
  ASSERT_NE(text, "");
  // Its certificates are not on this machine; with ours, and every commented key switched on, it
  // must load.
  for (const char* name : {"ca.pem", "server.pem", "server.key"}) {
    const std::string there = std::string("/etc/gleaner/tls/") + name;
    text.replace(text.find(there), there.size(), folder_ / name);
  }
  EXPECT_TRUE(Load(text).ok()) << Load(text).status();
  const std::string worker = "/usr/bin/gleaner-media";
  text.replace(text.find(worker), worker.size(), folder_ / "gleaner/bin/gleaner-media");
  for (const char* key :
       {"# memory =", "# web_dir =", "# worker =", "# upload_cap =", "# capture_paused ="}) {
    ASSERT_NE(text.find(key), std::string::npos) << key;
    text.replace(text.find(key), 2, "");
  }
  const auto config = Load(text);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->fleet.policy.upload_cap_bytes_per_s(), 2 << 20);
  EXPECT_TRUE(config->fleet.policy.capture_paused());
}

// With objects in a bucket, and one more line in [store].
std::string InABucket(const std::string& more) {
  return "[store]\nkind = \"s3\"\nendpoint = \"https://s3.example\"\nbucket = \"clips\"\n"
         "access_key = \"AK\"\nsecret_key = \"hush\"\n" +
         more;
}

TEST_F(ServerConfigTest, ObjectsAreFilesUnlessABucketIsNamed) {
  EXPECT_FALSE(LoadWith("")->store.in_bucket);
  EXPECT_FALSE(LoadWith("[store]\nkind = \"files\"\n")->store.in_bucket);
  const auto config = LoadWith(InABucket("prefix = \"a/b\"\nregion = \"eu-west-1\"\n"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->store.in_bucket);
  EXPECT_EQ(config->store.bucket.endpoint, "https://s3.example");
  EXPECT_EQ(config->store.bucket.bucket, "clips");
  EXPECT_EQ(config->store.bucket.prefix, "a/b");
  EXPECT_EQ(config->store.bucket.region, "eu-west-1");
  EXPECT_TRUE(config->store.bucket.path_style);
  EXPECT_EQ(config->store.bucket.credentials.access_key, "AK");
  EXPECT_EQ(config->store.bucket.credentials.secret_key, "hush");
  EXPECT_FALSE(config->store.presign);
}

TEST_F(ServerConfigTest, WhatNoBucketCanBeIsAMistakeAtItsLine) {
  ExpectMistake("[store]\nkind = \"tape\"\n", AllOf(HasSubstr("store.kind"), HasSubstr("s3")));
  ExpectMistake("[store]\nbucket = \"clips\"\n", HasSubstr("is for kind = \"s3\""));
  ExpectMistake("[store]\nkind = \"s3\"\n",
                AllOf(HasSubstr("endpoint"), HasSubstr("bucket"), HasSubstr("AWS_ACCESS_KEY_ID")));
  ExpectMistake(InABucket("prefix = \"/a\"\n"), HasSubstr("store.prefix"));
  ExpectMistake(InABucket("prefix = \"a/../b\"\n"), HasSubstr("store.prefix"));
  ExpectMistake(InABucket("region = \"Europe\"\n"), HasSubstr("store.region"));
  ExpectMistake(InABucket("ca_file = \"none.pem\"\n"), HasSubstr("none.pem"));
  ExpectMistake(
      "[store]\nkind = \"s3\"\nendpoint = \"s3.example/x\"\nbucket = \"Big\"\n"
      "access_key = \"AK\"\nsecret_key = \"hush\"\n",
      AllOf(HasSubstr("store.endpoint"), HasSubstr("store.bucket"), Not(HasSubstr("hush"))));
}

TEST_F(ServerConfigTest, ASecretOfABucketIsReadFromAFileThatIsOne) {
  std::ofstream(folder_ / "secret") << "from-a-file\n";
  ::chmod((folder_ / "secret").c_str(), 0600);
  const std::string table =
      "[store]\nkind = \"s3\"\nendpoint = \"https://s3.example\"\nbucket = \"clips\"\n"
      "access_key = \"AK\"\nsecret_key_file = \"secret\"\n";
  EXPECT_EQ(LoadWith(table)->store.bucket.credentials.secret_key, "from-a-file");
  ExpectMistake(table + "secret_key = \"hush\"\n", HasSubstr("only one of the two"));
  ::chmod((folder_ / "secret").c_str(), 0644);
  ExpectMistake(table, HasSubstr("every user of this machine"));
}

TEST_F(ServerConfigTest, NoPlaintextBeyondLoopback) {
  ExpectMistake("[grpc]\nplaintext = true\n", HasSubstr("loopback only"));
  ExpectMistake("[grpc]\nplaintext = true\nlisten = \"10.0.0.1:1\"\n", HasSubstr("loopback only"));
  const auto config = LoadWith("[grpc]\nplaintext = true\nlisten = \"127.0.0.1:7443\"\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->ingest.trust_metadata);
}

TEST_F(ServerConfigTest, ATokenIsLongAndVisible) {
  EXPECT_TRUE(LoadWith("[http]\nlisten = \"0.0.0.0:8080\"\n").ok());
  EXPECT_TRUE(LoadWith("[http]\nlisten = \"0.0.0.0:8080\"\ntoken = \"0123456789abcdef\"\n").ok());
  ExpectMistake("[http]\ntoken = \"short\"\n", HasSubstr("16"));
  ExpectMistake("[http]\ntoken = \"with a blank inside it\"\n", HasSubstr("visible"));
  ExpectMistake("[http]\ntoken = \"0123456789abcdef%41\"\n", HasSubstr("%"));
}

TEST_F(ServerConfigTest, ATokenFileIsSecret) {
  std::ofstream(folder_ / "token") << "from-a-file-0123456789\n";
  ::chmod((folder_ / "token").c_str(), 0600);
  EXPECT_EQ(LoadWith("[http]\ntoken_file = \"token\"\n")->token, "from-a-file-0123456789");
  ExpectMistake("[http]\ntoken_file = \"token\"\ntoken = \"0123456789abcdef\"\n",
                HasSubstr("only one"));
  ::chmod((folder_ / "token").c_str(), 0644);
  ExpectMistake("[http]\ntoken_file = \"token\"\n", HasSubstr("every user of this machine"));
  ExpectMistake("[http]\ntoken_file = \"gone\"\n", HasSubstr("gone"));
}

TEST_F(ServerConfigTest, AMediaWorkerThatCanNotRunIsAMistake) {
  WriteProgram(folder_ / "worker");
  EXPECT_EQ(LoadWith("[media]\nworker = \"worker\"\n")->media_worker, folder_ / "worker");
  ::chmod((folder_ / "worker").c_str(), 0644);
  ExpectMistake("[media]\nworker = \"worker\"\n",
                AllOf(HasSubstr("cloud.toml:8"), HasSubstr("worker is not a program")));
  const auto frames = LoadWith(
      "[frames]\nfirings = 1\npeaks = 2\nkeyframes = 0\nevenly = 16\ngap = \"1s\"\n"
      "pictures_at_once = 3\npicture_cache = \"1 MiB\"\n");
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_EQ(frames->frames.firings, 1u);
  EXPECT_EQ(frames->frames.evenly, 16u);
  EXPECT_EQ(frames->frames.gap_ns, kNanosPerSecond);
  EXPECT_EQ(frames->pictures_at_once, 3u);
  EXPECT_EQ(frames->picture_cache_bytes, 1u << 20);
  ExpectMistake("[frames]\nevenly = 17\n", HasSubstr("frames.evenly"));
  ExpectMistake("[media]\nworker = \"gone\"\n", HasSubstr("gone is not a program"));
  ExpectMistake("[media]\nworker = \"gleaner\"\n", HasSubstr("gleaner is not a program"));
  std::filesystem::remove(folder_ / "gleaner/bin/gleaner-media");
  ExpectMistake("", HasSubstr("gleaner-media is not a program"));
}

TEST_F(ServerConfigTest, SaysEveryMistakeWithItsPlace) {
  const auto config = Load(
      "[server]\n[grpc]\nlisten = \"here\"\n[tls]\nca = \"no.pem\"\n[media]\nworkers = 0\n"
      "[policy]\nheartbeat_interval_s = 9999\n[nonsense]\nx = 1\n[log]\nlevel = \"loud\"\n");
  ASSERT_TRUE(absl::IsInvalidArgument(config.status()));
  const std::string all(Message(config.status()));
  EXPECT_THAT(
      all, AllOf(HasSubstr("data_dir"), HasSubstr("cloud.toml:3"), HasSubstr("no.pem"),
                 HasSubstr("certificate"), HasSubstr("workers"), HasSubstr("heartbeat_interval_s"),
                 HasSubstr("nonsense"), HasSubstr("one of trace")));
}

TEST_F(ServerConfigTest, EndsWithHowManyMistakesThereAre) {
  std::filesystem::create_directory(folder_ / "web");
  std::ofstream(folder_ / "web/index.html") << "<!doctype html>";
  const std::string web = "[http]\nweb_dir = \"web\"\n";
  ExpectMistake(web + "[media]\nworkers = 0\n[log]\nlevel = \"loud\"\n",
                testing::EndsWith("\n" + folder_ / "cloud.toml" + ": 2 mistakes and 1 warning"));
  std::filesystem::create_directory(folder_ / "data");
  // The address, and that plaintext is for loopback only.
  const auto two = Load("[server]\ndata_dir = \"" + folder_ / "data" +
                        "\"\n[grpc]\nplaintext = true\nlisten = \"here\"\n" + web);
  EXPECT_THAT(std::string(Message(two.status())),
              AllOf(HasSubstr("127.0.0.1:7443"), testing::EndsWith("cloud.toml: 2 mistakes")));
}

TEST_F(ServerConfigTest, OneOfSeveralServersSaysAllThatIsMissingAtOnce) {
  const std::string api = "api", nobody = "nobody", none;
  const auto everything = AllOf(HasSubstr("database.url"), HasSubstr("store.kind"),
                                HasSubstr("bucket"), HasSubstr("secret_key_file"));
  ASSERT_TRUE(LoadWith("").ok());
  const auto load = [&](const std::string* role) {
    const auto config = LoadServerConfig(folder_ / "cloud.toml", folder_ / "gleaner/bin", role);
    return std::string(Message(config.status()));
  };
  EXPECT_THAT(load(&api), everything);
  EXPECT_THAT(load(&nobody), HasSubstr("--role: \"nobody\" is none of all"));
  EXPECT_THAT(load(&none), HasSubstr("--role: \"\" is none of all"));
  EXPECT_EQ(load(nullptr), "");
  std::ofstream(folder_ / "cloud.toml", std::ios::app) << "[media]\nworkers = 0\n";
  EXPECT_THAT(load(&api), AllOf(everything, HasSubstr("workers")));
}

TEST_F(ServerConfigTest, AServerThatNoDeviceReachesNeedsNoCertificate) {
  const std::string shared =
      "[database]\nurl = \"postgresql://somewhere/gleaner\"\n[store]\nkind = \"s3\"\nendpoint = "
      "\"http://127.0.0.1:7480\"\nbucket = \"clips\"\naccess_key = \"a\"\nsecret_key_file = "
      "\"secret\"\n";
  std::ofstream(folder_ / "secret") << "s3cret\n";
  ASSERT_EQ(::chmod((folder_ / "secret").c_str(), 0600), 0);
  for (const std::string role : {"api", "worker"}) {
    const auto config =
        Load(fmt::format("[server]\ndata_dir = \"data\"\nrole = \"{}\"\n{}", role, shared));
    EXPECT_TRUE(config.ok()) << config.status();
  }
  const auto config =
      Load(fmt::format("[server]\ndata_dir = \"data\"\nrole = \"ingest\"\n{}", shared));
  EXPECT_THAT(std::string(Message(config.status())), HasSubstr("certificate"));
}

TEST_F(ServerConfigTest, FindsAKeyThatIsNotTheCertificates) {
  TestPki other;
  std::ofstream(folder_ / "server.key") << other.Server().key;
  ExpectMistake("", HasSubstr("cloud.toml:6:7: tls.key: " + folder_ / "server.key"));
  std::ofstream(folder_ / "server.key") << "not a key";
  ExpectMistake("", HasSubstr("cloud.toml:6:7: tls.key: "));
}

TEST_F(ServerConfigTest, WarnsOfACertificateThatNoDeviceTakes) {
  pki_.Write(folder_.path(), "server", pki_.ExpiredDevice("cart-1"));
  const auto config = LoadWith("");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings,
              testing::IsSupersetOf({AllOf(HasSubstr("cloud.toml:5:15: warning: tls.certificate: "),
                                           HasSubstr("expired at")),
                                     AllOf(HasSubstr("cloud.toml:5:15: warning: tls.certificate: "),
                                           HasSubstr("not made for a server"))}));
}

TEST_F(ServerConfigTest, NamesEveryMissingFileAtItsOwnLine) {
  for (const char* name : {"ca.pem", "server.pem", "server.key"}) {
    std::filesystem::remove(folder_ / name);
  }
  ExpectMistake("[http]\ntoken_file = \"token\"\n[media]\nworker = \"worker\"\n",
                AllOf(HasSubstr("cloud.toml:4:6: tls.ca: open " + folder_ / "ca.pem"),
                      HasSubstr("cloud.toml:5:15: tls.certificate: open "),
                      HasSubstr("cloud.toml:6:7: tls.key: open "),
                      HasSubstr("cloud.toml:8:14: http.token_file: open "),
                      HasSubstr("cloud.toml:10:10: media.worker: ")));
}

TEST_F(ServerConfigTest, WarnsOfARelativeFolderAndOfAPageThatIsNotThere) {
  std::filesystem::create_directory(folder_ / "web");
  std::ofstream(folder_ / "web/index.html") << "<!doctype html>";
  const auto relative = LoadWith("[http]\nweb_dir = \"web\"\n");
  ASSERT_TRUE(relative.ok()) << relative.status();
  EXPECT_THAT(
      relative->warnings,
      testing::ElementsAre(AllOf(HasSubstr("cloud.toml:2:12: warning: server.data_dir: \"data\""),
                                 HasSubstr(folder_ / "data"))));
  EXPECT_THAT(
      LoadWith("[http]\nweb_dir = \"none\"\n")->warnings,
      testing::Contains(HasSubstr("cloud.toml:8:11: warning: http.web_dir: there is no page in")));
}

TEST_F(ServerConfigTest, RefusesAFloorBeyondTheDiskAndWarnsOfOneBeyondWhatIsLeft) {
  ExpectMistake("[ingest]\nfree_floor = \"1000 TiB\"\n",
                AllOf(HasSubstr("cloud.toml:8:14: ingest.free_floor: is 1000.0 TiB"),
                      HasSubstr("no clip would ever be taken in")));
  const DiskSpace disk = *SpaceAt(folder_.path());
  const auto tight = LoadWith(
      fmt::format("[ingest]\nfree_floor = {}\n", (disk.free_bytes + disk.total_bytes) / 2));
  ASSERT_TRUE(tight.ok()) << tight.status();
  EXPECT_THAT(tight->warnings, testing::Contains(HasSubstr("clips wait until there is more")));
}

TEST_F(ServerConfigTest, AnUploadCapOfZeroIsNone) {
  const auto none = LoadWith("[policy]\nupload_cap = 0\n");
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->fleet.policy.upload_cap_bytes_per_s(), 0u);
  EXPECT_EQ(none->fleet.policy.version(), FleetOptions().policy.version());
  ExpectMistake("[policy]\nupload_cap = 5\n", HasSubstr("upload_cap"));
}

TEST_F(ServerConfigTest, SilenceOfThreeHeartbeatsIsOffline) {
  EXPECT_EQ(LoadWith("[policy]\nheartbeat_interval_s = 30\n")->fleet.offline_after_ns(),
            90 * kNanosPerSecond);
}

TEST_F(ServerConfigTest, ThePolicysVersionFollowsItsContents) {
  const auto one = LoadWith("[policy]\nheartbeat_interval_s = 5\n");
  const auto same = LoadWith("[policy]\nheartbeat_interval_s = 5\n[log]\nlevel = \"debug\"\n");
  const auto other = LoadWith("[policy]\nheartbeat_interval_s = 6\n");
  ASSERT_TRUE(one.ok() && same.ok() && other.ok());
  EXPECT_EQ(one->fleet.policy.version(), same->fleet.policy.version());
  EXPECT_NE(one->fleet.policy.version(), other->fleet.policy.version());
  EXPECT_EQ(one->fleet.policy.heartbeat_interval_s(), 5);
}

}  // namespace
}  // namespace gleaner::cloud
