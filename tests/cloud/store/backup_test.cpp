#include "cloud/store/backup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "cloud/database/sqlite.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/folder_state.h"
#include "cloud/store/kept.h"
#include "common/file.h"
#include "common/status.h"
#include "tests/cloud/store/store_testing.h"

namespace gleaner::cloud {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class BackupTest : public testing::Test {
 protected:
  std::unique_ptr<DataFolder> Open(const std::string& data) {
    auto folder = DataFolder::Open(data, AllRooms(), clock_);
    EXPECT_TRUE(folder.ok()) << folder.status();
    return folder.ok() ? *std::move(folder) : nullptr;
  }
  std::vector<StoredClip> Fill(const std::string& data, uint64_t first, uint64_t clips) {
    const auto folder = Open(data);
    std::vector<StoredClip> stored;
    for (uint64_t i = first; folder != nullptr && i < first + clips; ++i) {
      stored.push_back(AddClip(folder->database(), folder->blobs(), i));
    }
    return stored;
  }
  BackupResult Backup() {
    const auto made = MakeBackup(data_, backup_, AllRooms());
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *made : BackupResult{};
  }
  absl::StatusOr<RestoreResult> RestoreTo(const std::string& data) {
    return Restore(backup_, data, AllRooms(), clock_);
  }
  // That the server starts, has these clips, and that its sweep leaves `others` alone.
  void ExpectStore(const std::string& data, const std::vector<StoredClip>& clips,
                   const std::vector<StoredClip>& others = {}) {
    const auto folder = Open(data);
    ASSERT_NE(folder, nullptr);
    EXPECT_EQ(SummaryOf(*folder).clips(), clips.size());
    EXPECT_TRUE(folder->names().Check().ok());
    const auto swept = folder->blobs().Sweep(
        [&](std::string_view prefix) { return folder->names().Find(prefix); });
    EXPECT_TRUE(swept.ok()) << swept.status();
    EXPECT_EQ(WhatIsMissing(folder->database(), folder->blobs(), clips), "");
    EXPECT_EQ(WhatIsGone(BlobsPath(data), clips), "");
    EXPECT_EQ(WhatIsGone(BlobsPath(data), others), "");
  }
  static void ExpectRefused(const absl::Status& status, const std::string& why) {
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(why));
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  const std::string data_ = folder_ / "data", backup_ = folder_ / "backup";
};

TEST_F(BackupTest, WhatItKnewComesBackInAnEmptyFolderWithItsDigests) {
  const auto clips = Fill(data_, 1, 5);
  const BackupResult made = Backup();
  EXPECT_EQ(made.clips, 5u);
  EXPECT_EQ(made.brought_bytes, 5 * 37'000u);
  EXPECT_THAT(made.damaged, IsEmpty());
  fs::remove_all(data_);
  const auto restored = RestoreTo(data_);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->clips, 5u);
  EXPECT_EQ(restored->brought_bytes, 5 * 37'000u);
  EXPECT_EQ(restored->kept_bytes, 0u);
  EXPECT_EQ(restored->set_aside, "");
  ExpectStore(data_, clips);
}

TEST_F(BackupTest, DoesNotLieInTheFolderOfItsStore) {
  Fill(data_, 1, 2);
  fs::create_directory_symlink(data_, folder_ / "link");
  for (const std::string& within :
       {data_ + "/backup", data_ + "/../data/a/b/", std::string(folder_ / "link/backup")}) {
    ExpectRefused(MakeBackup(data_, within, AllRooms()).status(), "lies in the store's own folder");
  }
  EXPECT_FALSE(fs::exists(data_ + "/backup"));
  EXPECT_TRUE(MakeBackup(data_, data_ + "-backup", AllRooms()).ok())
      << "beside it is another place";
}

TEST_F(BackupTest, IsItselfAFolderThatAServerCanWorkIn) {
  const auto clips = Fill(data_, 1, 2);
  Backup();
  ExpectStore(backup_, clips);
}

TEST_F(BackupTest, IsMadeWhileTheServerWorks) {
  const auto folder = Open(data_);
  std::vector<StoredClip> before;
  for (uint64_t i = 1; i <= 3; ++i) {
    before.push_back(AddClip(folder->database(), folder->blobs(), i));
  }
  // Nothing of an upload under way is in it: its device sends it again.
  TestClip upload = MakeTestClip({.sequence = 1'000'000});
  upload.upload.blobs = {StoreBytes(folder->blobs(), "preview"),
                         StoreBytes(folder->blobs(), "vid")};
  ASSERT_TRUE(CatalogOf(*folder).uploads.Begin(upload.upload).ok());
  std::atomic<bool> enough{false};
  std::vector<StoredClip> all = before;
  {
    std::jthread device([&] {
      for (uint64_t i = 4; !enough || i < 10; ++i) {
        all.push_back(AddClip(folder->database(), folder->blobs(), i));
      }
    });
    for (int i = 0; i < 3; ++i) EXPECT_GE(Backup().clips, 3u);
    enough = true;
  }
  const BackupResult last = Backup();
  EXPECT_EQ(last.clips, all.size());
  EXPECT_EQ(WhatIsMissing(folder->database(), folder->blobs(), all), "");
  EXPECT_TRUE(CatalogOf(*folder).uploads.Find("cart-1", upload.upload.key)->has_value());
  ASSERT_TRUE(RestoreTo(folder_ / "restored").ok());
  ExpectStore(folder_ / "restored", all);
}

TEST_F(BackupTest, DoneAgainCopiesOnlyWhatIsNew) {
  auto clips = Fill(data_, 1, 4);
  EXPECT_EQ(Backup().brought_bytes, 4 * 37'000u);
  EXPECT_EQ(Backup().brought_bytes, 0u);
  for (const StoredClip& clip : Fill(data_, 5, 2)) clips.push_back(clip);
  EXPECT_EQ(Backup().brought_bytes, 2 * 37'000u);
  // What went missing in the backup is copied again.
  for (const BlobId& id : clips[1].blobs) {
    ASSERT_TRUE((*FileBlobStore::Open(BlobsPath(backup_)))->Remove(id).ok());
  }
  EXPECT_EQ(Backup().brought_bytes, 37'000u);
  fs::remove_all(data_);
  ASSERT_TRUE(RestoreTo(data_).ok());
  ExpectStore(data_, clips);
}

TEST_F(BackupTest, BringsBackALostCatalogAndKeepsAsideWhatCameLater) {
  const auto clips = Fill(data_, 1, 3);
  Backup();
  const auto younger = Fill(data_, 4, 2);
  for (const auto& entry : fs::directory_iterator(data_)) {
    if (entry.path().filename().string().starts_with("catalog.db")) fs::remove(entry.path());
  }
  const auto restored = RestoreTo(data_);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->clips, 3u);
  EXPECT_EQ(restored->brought_bytes, 0u) << "they are there";
  EXPECT_GE(restored->kept_bytes, 2 * 37'000u);
  ExpectStore(data_, clips, younger);
  // It goes on: new clips, another backup, another restore.
  std::vector<StoredClip> all = clips;
  for (const StoredClip& clip : Fill(data_, 11, 2)) all.push_back(clip);
  ExpectStore(data_, all, younger);
  EXPECT_EQ(Backup().clips, 5u);
  fs::remove(CatalogPath(data_));
  ASSERT_TRUE(RestoreTo(data_).ok());
  ExpectStore(data_, all, younger);
}

TEST_F(BackupTest, WhatIsKeptAsideCanBeSeenTakenOutAndFreed) {
  Fill(data_, 1, 1);
  Backup();
  std::vector<std::string> pictures;
  {
    const auto folder = Open(data_);
    AddClip(folder->database(), folder->blobs(), 2);
    TestClip clip = MakeTestClip({.sequence = 3});
    clip.upload.begun = false;
    pictures = {"\xff\xd8\xff" + MadeUpBytes(1, 6'000),
                std::string("\0\0\0\x18", 4) + "ftypisom" + MadeUpBytes(2, 9'000)};
    clip.upload.blobs = {StoreBytes(folder->blobs(), pictures[0]),
                         StoreBytes(folder->blobs(), pictures[1])};
    ASSERT_TRUE(CatalogOf(*folder).uploads.Commit(clip.upload, clip.manifest, 1).ok());
  }
  fs::remove(CatalogPath(data_));
  ASSERT_TRUE(RestoreTo(data_).ok());
  const auto kept = ReadKept(data_, AllRooms());
  ASSERT_TRUE(kept.ok()) << kept.status();
  uint64_t bytes = 0;
  for (const KeptRow& row : *kept) bytes += row.size_bytes;
  EXPECT_GE(bytes, 37'000u + 15'000u);
  const auto files = ExportKept(data_, AllRooms(), folder_ / "seen");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(*files, 3u);
  std::vector<std::string> endings;
  for (const auto& entry : fs::directory_iterator(folder_ / "seen")) {
    const std::string file = *ReadFile(entry.path(), 1 << 20);
    const std::string ending = entry.path().extension();
    endings.push_back(ending);
    if (ending == ".jpg") {
      EXPECT_EQ(file.substr(0, pictures[0].size()), pictures[0]);
    }
    if (ending == ".mp4") {
      EXPECT_EQ(file.substr(0, pictures[1].size()), pictures[1]);
    }
  }
  EXPECT_THAT(endings, testing::UnorderedElementsAre(".bin", ".jpg", ".mp4"));
  EXPECT_EQ(*FreeKept(data_, AllRooms(), clock_), bytes);
  EXPECT_THAT(*ReadKept(data_, AllRooms()), IsEmpty());
  EXPECT_EQ(*FreeKept(data_, AllRooms(), clock_), 0u);
}

TEST_F(BackupTest, ReplacesADamagedCatalogAndLeavesItBeside) {
  const auto clips = Fill(data_, 1, 3);
  Backup();
  std::ofstream(CatalogPath(data_), std::ios::trunc) << std::string(8192, 'x');
  std::ofstream(CatalogPath(data_) + "-wal") << "the log of the damaged one";
  const auto restored = RestoreTo(data_);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_THAT(restored->set_aside, HasSubstr("catalog.db.before-restore-20231114T221320Z"));
  EXPECT_EQ(*ReadFile(restored->set_aside, 1 << 20), std::string(8192, 'x'));
  EXPECT_EQ(*ReadFile(restored->set_aside + "-wal", 100), "the log of the damaged one");
  ExpectStore(data_, clips);
}

TEST_F(BackupTest, MendsWhatIsMissingOrDamagedInTheFolder) {
  const auto clips = Fill(data_, 1, 3);
  Backup();
  {
    const auto blobs = *FileBlobStore::Open(BlobsPath(data_));
    ASSERT_TRUE(blobs->Remove(clips[0].blobs[1]).ok());
    ASSERT_TRUE(blobs->Remove(clips[1].blobs[2]).ok());
  }
  const BlobId flipped = clips[2].blobs[1];
  const Fd segment = *OpenFile(BlobsPath(data_) + "/" + flipped.substr(0, 12), O_RDWR);
  const uint64_t at = std::stoull(flipped.substr(12, 8), nullptr, 16) * 4096;
  ASSERT_TRUE(WriteAt(segment.get(), "flipped", 7, at + 100).ok());
  fs::remove(CatalogPath(data_));
  const auto restored = RestoreTo(data_);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->brought_bytes, 30'000u + 2'000u + 30'000u);
  ExpectStore(data_, clips);
}

TEST_F(BackupTest, AnOlderCatalogThatWasPutBackByHandIsAcceptedInPlace) {
  const auto clips = Fill(data_, 1, 2);
  fs::copy(CatalogPath(data_), folder_ / "yesterday.db");
  const auto younger = Fill(data_, 3, 2);
  ExpectRefused(Restore(data_, data_, AllRooms(), clock_).status(), "just start the server");
  fs::remove(CatalogPath(data_));
  fs::copy(folder_ / "yesterday.db", CatalogPath(data_));
  ASSERT_FALSE(DataFolder::Open(data_, AllRooms(), clock_).ok());
  const auto restored = Restore(data_, data_, AllRooms(), clock_);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->clips, 2u);
  EXPECT_GE(restored->kept_bytes, 2 * 37'000u);
  ExpectStore(data_, clips, younger);
  // The one that went on without the restore is another history's now.
  fs::remove(CatalogPath(data_));
  fs::copy(folder_ / "yesterday.db", CatalogPath(data_));
  EXPECT_FALSE(DataFolder::Open(data_, AllRooms(), clock_).ok());
}

TEST_F(BackupTest, ItsCatalogIsNeverTakenForTheOneThatWentOn) {
  const auto clips = Fill(data_, 1, 2);
  Backup();
  fs::remove(CatalogPath(data_));
  fs::copy(CatalogPath(backup_), CatalogPath(data_));
  ExpectRefused(DataFolder::Open(data_, AllRooms(), clock_).status(), "older copy");
  EXPECT_EQ(WhatIsGone(BlobsPath(data_), clips), "");
  ASSERT_TRUE(Restore(data_, data_, AllRooms(), clock_).ok());
  ExpectStore(data_, clips);
}

TEST_F(BackupTest, InPlaceTakesNoCatalogOfOtherBlobs) {
  Fill(data_, 1, 2);
  Fill(folder_ / "other", 11, 2);
  fs::remove(CatalogPath(data_));
  ExpectRefused(Restore(data_, data_, AllRooms(), clock_).status(), "is missing");
  fs::copy(CatalogPath(folder_ / "other"), CatalogPath(data_));
  ExpectRefused(Restore(data_, data_, AllRooms(), clock_).status(),
                "not the catalog of these blobs");
}

TEST_F(BackupTest, GoesIntoNoFolderThatHoldsSomethingElse) {
  Fill(data_, 1, 1);
  fs::create_directories(folder_ / "photos");
  std::ofstream(folder_ / "photos/cat.jpg") << "meow";
  ExpectRefused(MakeBackup(data_, folder_ / "photos", AllRooms()).status(), "holds something else");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "photos"), {}), 1);
  Fill(folder_ / "other", 11, 1);
  ExpectRefused(MakeBackup(data_, folder_ / "other", AllRooms()).status(), "backup of another");
  ExpectRefused(MakeBackup(data_, data_, AllRooms()).status(), "the store itself");
  fs::create_directories(folder_ / "empty");
  EXPECT_TRUE(MakeBackup(data_, folder_ / "empty", AllRooms()).ok());
}

TEST_F(BackupTest, IsNotMadeOfAFolderThatDoesNotFit) {
  const auto clips = Fill(data_, 1, 2);
  Backup();
  fs::remove(CatalogPath(data_));
  ExpectRefused(MakeBackup(data_, backup_, AllRooms()).status(), "restore --help");
  ExpectStore(backup_, clips);
}

TEST_F(BackupTest, IsNotRestoredOverWhatIsInOrderOrAnothersOrUnknown) {
  const auto clips = Fill(data_, 1, 2);
  Backup();
  const auto more = Fill(data_, 3, 1);
  ExpectRefused(RestoreTo(data_).status(), "in good order");
  const auto others = Fill(folder_ / "other", 11, 1);
  fs::remove(CatalogPath(folder_ / "other"));
  ExpectRefused(RestoreTo(folder_ / "other").status(), "two servers'");
  fs::remove(BlobsPath(folder_ / "other") + "/store");
  ExpectRefused(RestoreTo(folder_ / "other").status(), "don't say which store");
  EXPECT_EQ(WhatIsGone(BlobsPath(folder_ / "other"), others), "");
  fs::create_directories(folder_ / "nothing");
  ExpectRefused(Restore(folder_ / "nothing", folder_ / "new", AllRooms(), clock_).status(),
                "no backup");
  EXPECT_FALSE(fs::exists(folder_ / "new"));
  std::vector<StoredClip> all = clips;
  all.insert(all.end(), more.begin(), more.end());
  ExpectStore(data_, all);
  {
    const auto running = Open(data_);
    ExpectRefused(RestoreTo(data_).status(), "in use by another");
  }
  // Whoever wants to go back all the same says so by moving the catalog away.
  fs::rename(CatalogPath(data_), folder_ / "moved.db");
  ASSERT_TRUE(RestoreTo(data_).ok());
  ExpectStore(data_, clips, more);
}

TEST_F(BackupTest, WhatIsDamagedInTheStoreIsToldAndIsNotInTheBackup) {
  const auto clips = Fill(data_, 1, 3);
  const BlobId flipped = clips[1].blobs[1], gone = clips[2].blobs[0];
  const std::string path = BlobsPath(data_) + "/" + flipped.substr(0, 12);
  const uint64_t at = std::stoull(flipped.substr(12, 8), nullptr, 16) * 4096;
  const Fd segment = *OpenFile(path, O_RDWR);
  ASSERT_TRUE(WriteAt(segment.get(), "flipped", 7, at).ok());
  ASSERT_TRUE((*FileBlobStore::Open(BlobsPath(data_)))->Remove(gone).ok());
  for (int i = 0; i < 2; ++i) {
    const BackupResult made = Backup();
    ASSERT_EQ(made.damaged.size(), 2u);
    EXPECT_THAT(made.damaged[0] + made.damaged[1],
                AllOf(HasSubstr(clips[1].id), HasSubstr("another digest"), HasSubstr(clips[2].id),
                      HasSubstr("no blob")));
    EXPECT_FALSE(HasBlob(BlobsPath(backup_), flipped));
  }
  // Mended, it is taken.
  ASSERT_TRUE(WriteAt(segment.get(), MadeUpBytes(21, 30'000).data(), 7, at).ok());
  EXPECT_EQ(Backup().damaged.size(), 1u);
  EXPECT_EQ(WhatIsGone(BlobsPath(backup_), {clips[0], clips[1]}), "");
}

}  // namespace
}  // namespace gleaner::cloud
