// A server's data with a device at work: backed up while clips come in, its catalog lost and
// brought back, an older one put in its place. No byte of a clip is destroyed.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "common/digest.h"
#include "common/file.h"
#include "tests/data/footage.h"
#include "tests/data/paths.h"
#include "tests/e2e/rig.h"

namespace gleaner::e2e {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Backup : public testing::Test {
 protected:
  // Clips of a device that runs until it has sent this many more.
  void MakeClips(size_t more) {
    const size_t before = rig_.Clips().size();
    Process edge = rig_.StartDevice({.videos = {Footage("cup.mp4")},
                                     .loop = true,
                                     .when = "motion > 0.01",
                                     .pre = "500ms",
                                     .post = "500ms",
                                     .cooldown = "100ms",
                                     .max_clip = "2s"});
    ASSERT_TRUE(Eventually([&] { return rig_.Clips().size() >= before + more; }, seconds(120)))
        << edge.Log();
    edge.Stop();
  }
  std::string Data() const { return rig_.directory() + "/cloud"; }
  std::string Command(const std::string& command, int expected = 0) {
    std::vector<std::string> argv = {BinDir() + "/gleaner-cloud", "--config",
                                     rig_.directory() + "/cloud.toml"};
    std::istringstream words(command);
    for (std::string word; words >> word;) argv.push_back(word);
    return e2e::Run(argv, expected);
  }
  // That the server says why it doesn't start.
  void ExpectNoStart(const std::string& why) {
    Process& server = rig_.StartServer({}, /*wait=*/false);
    EXPECT_EQ(server.Wait(seconds(30)), 1);
    EXPECT_THAT(server.Log(), HasSubstr(why));
  }
  std::set<std::string> Ids() {
    std::set<std::string> ids;
    for (const auto& clip : rig_.Clips()) ids.insert(clip.at("id").get<std::string>());
    return ids;
  }
  // The bytes that lie in the segments, apart from zeros, block for block: none of them may go.
  std::multiset<std::string> Blocks() const {
    std::multiset<std::string> blocks;
    for (const auto& entry : fs::directory_iterator(Data() + "/blobs")) {
      if (entry.path().filename().string().size() != 12) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      std::string block(4096, '\0');
      while (file.read(block.data(), 4096) || file.gcount() > 0) {
        const std::string read = block.substr(0, static_cast<size_t>(file.gcount()));
        if (read.find_first_not_of('\0') != std::string::npos) {
          blocks.insert(std::string(AsBytes(Sha256::Of(read))));
        }
      }
    }
    return blocks;
  }
  void ExpectNoneGone(const std::multiset<std::string>& before) const {
    const auto now = Blocks();
    EXPECT_TRUE(std::includes(now.begin(), now.end(), before.begin(), before.end()));
    EXPECT_FALSE(before.empty());
  }

  Rig rig_;
};

TEST_F(Backup, AnOnlineBackupBringsBackALostCatalogAndNoBlobIsDestroyed) {
  rig_.StartServer();
  MakeClips(3);
  const std::string backup = rig_.directory() + "/backup";
  const auto in_backup = Ids();
  EXPECT_THAT(Command("backup " + backup), HasSubstr("clips of"));
  MakeClips(3);
  rig_.server().Kill();
  const auto before = Blocks();
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(Data() + "/catalog.db" + suffix);
  ExpectNoStart("is missing, and");
  ExpectNoneGone(before);
  std::ofstream(Data() + "/catalog.db");
  ExpectNoStart("has nothing in it, and");
  ExpectNoneGone(before);
  EXPECT_THAT(Command("restore " + backup), HasSubstr("kept aside"));
  rig_.StartServer();
  EXPECT_EQ(Ids(), in_backup);
  for (const std::string& id : in_backup) EXPECT_THAT(rig_.DigestProblems(id), IsEmpty());
  EXPECT_GT(rig_.Metric("gleaner_blob_store_kept_bytes"), 0);
  // It goes on from there, and its sweep has had its turn.
  MakeClips(1);
  rig_.server().Stop();
  rig_.StartServer();
  ExpectNoneGone(before);
  EXPECT_EQ(rig_.Metric("gleaner_catalog_up"), 1);
}

// As a nightly copy that knows nothing of `gleaner-cloud backup` would make it.
TEST_F(Backup, AnOlderCopyOfTheCatalogIsRefusedAlsoAfterAKill) {
  rig_.StartServer();
  MakeClips(2);
  const auto then = Ids();
  rig_.server().Stop();
  fs::copy(Data() + "/catalog.db", rig_.directory() + "/copy.db");
  rig_.StartServer();
  MakeClips(2);
  rig_.server().Kill();
  const auto before = Blocks();
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(Data() + "/catalog.db" + suffix);
  fs::copy(rig_.directory() + "/copy.db", Data() + "/catalog.db");
  ExpectNoStart("is an older copy");
  ExpectNoneGone(before);
  Command("restore --in-place");
  rig_.StartServer();
  EXPECT_EQ(Ids(), then);
  for (const std::string& id : then) EXPECT_THAT(rig_.DigestProblems(id), IsEmpty());
  ExpectNoneGone(before);
}

TEST_F(Backup, TwoServersThatHaveTheirFoldersSwappedStartOnNeither) {
  rig_.StartServer();
  MakeClips(1);
  rig_.server().Stop();
  const auto before = Blocks();
  fs::rename(Data(), rig_.directory() + "/first");
  rig_.StartServer();
  // The device's clips are where they were; to this one it sends others.
  MakeClips(1);
  rig_.server().Stop();
  fs::rename(Data() + "/blobs", rig_.directory() + "/blobs");
  fs::rename(rig_.directory() + "/first/blobs", Data() + "/blobs");
  ExpectNoStart("mixed up");
  ExpectNoneGone(before);
}

}  // namespace
}  // namespace gleaner::e2e
