// gleaner-cloud backup, restore and kept, as programs: what they say, and what a kill at each of
// their steps leaves.
#include "cloud/data_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cloud/store/backup.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/folder_state.h"
#include "tests/cloud/store/store_testing.h"
#include "tests/data/paths.h"
#include "tests/data/pki.h"
#include "tests/data/shell.h"

namespace gleaner::cloud {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class DataCommandsTest : public testing::Test {
 protected:
  DataCommandsTest() {
    TestPki().Write(folder_.path());
    std::ofstream(folder_ / "cloud.toml")
        << "[server]\ndata_dir = \"data\"\n[grpc]\nlisten = \"127.0.0.1:0\"\n[tls]\nca = "
           "\"ca.pem\"\n"
        << "certificate = \"server.pem\"\nkey = \"server.key\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
  }
  // Exit status, 128 and more for a signal, and what it said.
  std::pair<int, std::string> Run(const std::string& arguments,
                                  const std::string& environment = "") {
    return Shell(fmt::format("{} timeout 60 {}/gleaner-cloud --config {} {} 2>&1", environment,
                             BinDir(), folder_ / "cloud.toml", arguments));
  }
  std::vector<StoredClip> Fill(uint64_t first, uint64_t clips) {
    const auto folder = DataFolder::Open(data_, AllRooms(), clock_);
    EXPECT_TRUE(folder.ok()) << folder.status();
    std::vector<StoredClip> stored;
    for (uint64_t i = first; folder.ok() && i < first + clips; ++i) {
      stored.push_back(AddClip((*folder)->database(), (*folder)->blobs(), i));
    }
    return stored;
  }
  // What is wrong with a store that should have these clips, and whose sweep should leave `others`
  // alone; empty if nothing is.
  std::string WhatIsWrong(const std::string& data, const std::vector<StoredClip>& clips,
                          const std::vector<StoredClip>& others = {}) {
    const auto folder = DataFolder::Open(data, AllRooms(), clock_);
    if (!folder.ok()) return folder.status().ToString();
    std::string wrong = WhatIsMissing((*folder)->database(), (*folder)->blobs(), clips);
    const auto swept = (*folder)->blobs().Sweep(
        [&](std::string_view prefix) { return (*folder)->names().Find(prefix); });
    if (!swept.ok()) wrong += swept.status().ToString();
    if (!(*folder)->names().Check().ok()) wrong += (*folder)->names().Check().ToString();
    return wrong + WhatIsGone(BlobsPath(data), clips) + WhatIsGone(BlobsPath(data), others);
  }
  void CopyFolder(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  const std::string data_ = folder_ / "data", backup_ = folder_ / "backup";
};

TEST_F(DataCommandsTest, SayWhatTheyDid) {
  Fill(1, 3);
  auto [status, said] = Run("backup " + backup_);
  EXPECT_EQ(status, 0) << said;
  EXPECT_THAT(said, HasSubstr("3 clips of " + data_ + " in " + backup_ + "; 109 KiB new"));
  Fill(4, 1);
  std::tie(status, said) = Run("restore " + backup_);
  EXPECT_EQ(status, 1);
  EXPECT_THAT(said, HasSubstr("is in good order"));
  fs::remove(CatalogPath(data_));
  std::tie(status, said) = Run("--check-config");
  EXPECT_EQ(status, 1);
  EXPECT_THAT(said, AllOf(HasSubstr("server.data_dir: "), HasSubstr("is missing"),
                          HasSubstr("restore --help")));
  std::tie(status, said) = Run("");
  EXPECT_EQ(status, 1);
  EXPECT_THAT(said, HasSubstr("is missing"));
  std::tie(status, said) = Run("restore " + backup_);
  EXPECT_EQ(status, 0) << said;
  EXPECT_THAT(said, AllOf(HasSubstr("3 clips of " + backup_), HasSubstr("are kept aside")));
  std::tie(status, said) = Run("kept --export " + (folder_ / "seen") + " --free");
  EXPECT_EQ(status, 0) << said;
  EXPECT_THAT(said, AllOf(HasSubstr(" kept aside in " + data_),
                          HasSubstr(" of them in " + (folder_ / "seen")), HasSubstr("were freed")));
  EXPECT_FALSE(fs::is_empty(folder_ / "seen"));
}

TEST_F(DataCommandsTest, FreeNothingWhereNothingIsKeptAndMakeNoFolderForIt) {
  const auto [status, said] = Run("kept --free --export " + (folder_ / "seen"));
  EXPECT_EQ(status, 0) << said;
  EXPECT_THAT(said, HasSubstr("nothing is kept aside in " + data_));
  EXPECT_FALSE(fs::exists(data_));
  EXPECT_FALSE(fs::exists(folder_ / "seen"));
}

TEST_F(DataCommandsTest, WantToKnowWhatToRestore) {
  EXPECT_EQ(Run("restore").first, 2);
  EXPECT_NE(Run("backup").first, 0);
  EXPECT_NE(Run("restore --in-place " + backup_).first, 0);
  EXPECT_THAT(Run("restore --help").second,
              AllOf(HasSubstr("--in-place"), HasSubstr("kept aside")));
}

TEST_F(DataCommandsTest, LeaveNoFilesThatTheServerCouldNotWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  Fill(1, 1);
  ASSERT_EQ(Run("backup " + backup_).first, 0);
  fs::remove(CatalogPath(data_));
  ASSERT_EQ(::chown(data_.c_str(), 12345, 12345), 0);
  const auto [status, said] = Run("restore " + backup_);
  EXPECT_EQ(status, 1);
  EXPECT_THAT(said, HasSubstr("sudo --user='#12345'"));
  EXPECT_FALSE(fs::exists(CatalogPath(data_)));
}

TEST_F(DataCommandsTest, TellOfDamageWithTheExitStatus) {
  const auto clips = Fill(1, 2);
  ASSERT_TRUE((*FileBlobStore::Open(BlobsPath(data_)))->Remove(clips[0].blobs[1]).ok());
  const auto [status, said] = Run("backup " + backup_);
  EXPECT_EQ(status, 1);
  EXPECT_THAT(said, AllOf(HasSubstr("2 clips of"), HasSubstr("1 object is damaged in the store"),
                          HasSubstr(clips[0].id)));
}

class BackupCrash : public DataCommandsTest, public testing::WithParamInterface<const char*> {};

// A second backup into a folder is killed: the folder is then the first backup or the second.
TEST_P(BackupCrash, LeavesTheStoreAndAWholeBackupOrNone) {
  const std::string crash = fmt::format("GLEANER_CRASH_AT={}", GetParam());
  auto clips = Fill(1, 2);
  EXPECT_EQ(Run("backup " + backup_, crash).first, 128 + SIGKILL);
  EXPECT_EQ(WhatIsWrong(data_, clips), "");
  const std::string restored = folder_ / "restored";
  {
    const auto first = Restore(backup_, restored, AllRooms(), clock_);
    // The first may not have come to its end; then it says so.
    if (first.ok()) {
      EXPECT_EQ(WhatIsWrong(restored, clips), "");
    } else {
      EXPECT_TRUE(absl::IsFailedPrecondition(first.status())) << first.status();
    }
  }
  EXPECT_EQ(Run("backup " + backup_).first, 0);
  const auto before = clips;
  for (const StoredClip& clip : Fill(3, 2)) clips.push_back(clip);
  EXPECT_EQ(Run("backup " + backup_, crash).first, 128 + SIGKILL);
  fs::remove_all(restored);
  ASSERT_TRUE(Restore(backup_, restored, AllRooms(), clock_).ok());
  EXPECT_EQ(WhatIsWrong(restored, before), "");
  EXPECT_EQ(Run("backup " + backup_).first, 0);
  fs::remove_all(restored);
  ASSERT_TRUE(Restore(backup_, restored, AllRooms(), clock_).ok());
  EXPECT_EQ(WhatIsWrong(restored, clips), "");
  EXPECT_EQ(WhatIsWrong(data_, clips), "");
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, BackupCrash,
                         testing::Values("backup.marked", "catalog_copy.written",
                                         "backup.catalog_copied", "backup.blobs_copied",
                                         "backup.installed"),
                         [](const auto& step) {
                           std::string name = step.param;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

// The negative control: with the catalog in its place before its blobs the same check finds clips
// that the backup names and doesn't have.
TEST_F(DataCommandsTest, ABackupWhoseCatalogComesFirstIsFoundTorn) {
  const auto clips = Fill(1, 2);
  EXPECT_EQ(Run("backup " + backup_,
                "GLEANER_FAULT=backup.catalog_first GLEANER_CRASH_AT=backup.catalog_copied")
                .first,
            128 + SIGKILL);
  const auto restored = Restore(backup_, folder_ / "restored", AllRooms(), clock_);
  EXPECT_TRUE(!restored.ok() || WhatIsWrong(folder_ / "restored", clips) != "");
}

class RestoreCrash : public DataCommandsTest, public testing::WithParamInterface<const char*> {};

TEST_P(RestoreCrash, DestroysNothingAndCanBeDoneAgain) {
  const std::string crash = fmt::format("GLEANER_CRASH_AT={}", GetParam());
  const auto clips = Fill(1, 2);
  ASSERT_EQ(Run("backup " + backup_).first, 0);
  const auto younger = Fill(3, 2);
  std::vector<StoredClip> all = clips;
  all.insert(all.end(), younger.begin(), younger.end());
  CopyFolder(data_, folder_ / "good");

  for (const char* harm : {"lost", "older", "new folder"}) {
    SCOPED_TRACE(harm);
    CopyFolder(folder_ / "good", data_);
    std::string arguments = "restore " + backup_;
    if (harm == std::string("lost")) {
      fs::remove(CatalogPath(data_));
    } else if (harm == std::string("older")) {
      fs::remove(CatalogPath(data_));
      fs::copy(CatalogPath(backup_), CatalogPath(data_));
      arguments = "restore --in-place";
    } else {
      fs::remove_all(data_);
    }
    const bool there = harm != std::string("new folder");
    const auto [status, said] = Run(arguments, crash);
    // In place, nothing is copied before the catalog.
    if (status != 128 + SIGKILL) {
      EXPECT_EQ(arguments, "restore --in-place") << said;
    } else {
      EXPECT_EQ(Run("--check-config").first, 1) << "no server starts between the two";
      const auto [again, said_again] = Run(arguments);
      EXPECT_EQ(again, 0) << said_again;
    }
    EXPECT_EQ(WhatIsWrong(data_, clips, there ? younger : std::vector<StoredClip>{}), "");
  }
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, RestoreCrash,
                         testing::Values("restore.marked", "restore.blobs_copied",
                                         "catalog_copy.written", "restore.catalog_ready",
                                         "restore.marked_again", "restore.set_aside"),
                         [](const auto& step) {
                           std::string name = step.param;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace gleaner::cloud
