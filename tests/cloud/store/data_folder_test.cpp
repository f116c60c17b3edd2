#include "cloud/store/data_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cloud/database/schema.h"
#include "cloud/database/sqlite.h"
#include "cloud/store/folder_state.h"
#include "cloud/store/rubbish.h"
#include "common/status.h"
#include "tests/cloud/store/store_testing.h"

namespace gleaner::cloud {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class DataFolderTest : public testing::Test {
 protected:
  static absl::StatusOr<std::unique_ptr<DataFolder>> Open(const std::string& data) {
    static FakeClock clock;
    return DataFolder::Open(data, AllRooms(), clock);
  }
  // A store of `clips` clips from `first` on, closed again.
  std::vector<StoredClip> Fill(const std::string& data, uint64_t first, uint64_t clips) {
    const auto folder = Open(data);
    EXPECT_TRUE(folder.ok()) << folder.status();
    std::vector<StoredClip> stored;
    for (uint64_t i = first; folder.ok() && i < first + clips; ++i) {
      stored.push_back(AddClip((*folder)->database(), (*folder)->blobs(), i));
    }
    return stored;
  }
  static void Copy(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
  }
  static void RunSql(const std::string& data, const std::string& statements) {
    ConnectSqlite(CatalogPath(data), SqliteMode::kWrite)->Script(statements);
  }
  // That the server doesn't start there, nor --check-config say ok; that the reason names both
  // places and leads on; and that no clip is gone for it.
  void ExpectRefused(const std::string& data, const std::string& reason,
                     const std::vector<StoredClip>& clips) {
    const absl::Status opened = Open(data).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(opened)) << opened;
    EXPECT_THAT(
        std::string(Message(opened)),
        AllOf(HasSubstr(reason), HasSubstr(data + "/catalog.db"), HasSubstr(data + "/blobs"),
              HasSubstr("Nothing was changed"), HasSubstr("restore --help"),
              Not(HasSubstr("move it away")), Not(HasSubstr("remove"))));
    EXPECT_EQ(Message(CheckDataFolder(data, AllRooms())), Message(opened));
    EXPECT_EQ(WhatIsGone(BlobsPath(data), clips), "");
  }

  TemporaryFolder folder_;
  const std::string data_ = folder_ / "data";
};

TEST_F(DataFolderTest, CatalogAndBlobsSayTheSameAfterEachRun) {
  auto clips = Fill(data_, 1, 2);
  const auto first = *InspectFolder(data_, AllRooms());
  ASSERT_TRUE(first.blobs.mark.has_value());
  EXPECT_EQ(first.blobs.mark->id.size(), 32u);
  EXPECT_EQ(first.catalog.identity.id, first.blobs.mark->id);
  EXPECT_EQ(first.catalog.identity.history, first.blobs.mark->history);
  EXPECT_EQ(first.catalog.identity.named, first.blobs.mark->named);
  EXPECT_EQ(first.blobs.mark->named, 4u) << "two clips, and twice thumbnails";
  for (const StoredClip& clip : Fill(data_, 3, 1)) clips.push_back(clip);
  const auto second = *InspectFolder(data_, AllRooms());
  EXPECT_EQ(second.blobs.mark->id, first.blobs.mark->id);
  EXPECT_EQ(second.blobs.mark->history, first.blobs.mark->history);
  EXPECT_EQ(second.blobs.mark->named, 6u);
  const auto folder = *Open(data_);
  EXPECT_EQ(WhatIsMissing(folder->database(), folder->blobs(), clips), "");
  EXPECT_TRUE(folder->names().ListKept()->empty());
  EXPECT_TRUE(CheckDataFolder(data_, AllRooms()).ok()) << "beside a running server";
}

TEST_F(DataFolderTest, LookingLeavesNothingBehind) {
  const std::string odd = folder_ / "100% odd? #1";
  Fill(odd, 1, 1);
  const auto files = [&] { return std::distance(fs::recursive_directory_iterator(odd), {}); };
  const auto before = files();
  EXPECT_TRUE(CheckDataFolder(odd, AllRooms()).ok()) << CheckDataFolder(odd, AllRooms());
  EXPECT_EQ(files(), before);
  EXPECT_FALSE(fs::exists(CatalogPath(odd) + "-shm"));
}

TEST_F(DataFolderTest, AFolderThatIsNotThereIsFine) {
  EXPECT_TRUE(CheckDataFolder(data_, AllRooms()).ok());
  EXPECT_FALSE(fs::exists(data_));
}

TEST_F(DataFolderTest, ACatalogThatWasLostIsNotMadeAnew) {
  const auto clips = Fill(data_, 1, 3);
  fs::remove(CatalogPath(data_));
  ExpectRefused(data_, "is missing", clips);
  std::ofstream(CatalogPath(data_));  // an empty file
  ExpectRefused(data_, "has nothing in it", clips);
  // A sound and empty catalog, that of another server or of none.
  fs::remove(CatalogPath(data_));
  { ASSERT_TRUE(OpenTestCatalog(CatalogPath(data_)).ok()); }
  ExpectRefused(data_, "doesn't say which store", clips);
}

TEST_F(DataFolderTest, ACatalogThatWasEmptiedByHandIsNoticed) {
  const auto clips = Fill(data_, 1, 3);
  RunSql(data_,
         "DELETE FROM clip; DELETE FROM object; DELETE FROM thumbnail; DELETE FROM manifest");
  ExpectRefused(data_, "was emptied: it named 9 blobs", clips);
  RunSql(data_, "UPDATE store SET names = 0, named = 0");
  ExpectRefused(data_, "older copy", clips);
}

TEST_F(DataFolderTest, FewerNamesThanWereGivenStopTheSweep) {
  const auto clips = Fill(data_, 1, 3);
  RunSql(data_, "DELETE FROM object WHERE manifest = 2");
  const auto folder = *Open(data_);
  const absl::Status checked = folder->names().Check();
  EXPECT_TRUE(absl::IsDataLoss(checked));
  EXPECT_THAT(std::string(Message(checked)), HasSubstr("names 7 blobs, and by its own count"));
}

TEST_F(DataFolderTest, AnOlderCopyOfTheCatalogIsRefused) {
  auto clips = Fill(data_, 1, 2);
  fs::copy(CatalogPath(data_), folder_ / "yesterday.db");
  for (const StoredClip& clip : Fill(data_, 3, 2)) clips.push_back(clip);
  fs::remove(CatalogPath(data_));
  fs::copy(folder_ / "yesterday.db", CatalogPath(data_));
  ExpectRefused(data_, "is an older copy", clips);
}

// The negative control of the one above: without it the sweep takes what came later.
TEST_F(DataFolderTest, WithoutTheComparisonAnOlderCopyDestroysClips) {
  Fill(data_, 1, 2);
  fs::copy(CatalogPath(data_), folder_ / "yesterday.db");
  const auto younger = Fill(data_, 3, 2);
  auto catalog = *OpenTestCatalog(folder_ / "yesterday.db");
  auto blobs = *FileBlobStore::Open(BlobsPath(data_));
  ASSERT_TRUE(
      blobs->Sweep([&](std::string_view prefix) { return catalog->names.Find(prefix); }).ok());
  EXPECT_NE(WhatIsGone(BlobsPath(data_), younger), "");
}

TEST_F(DataFolderTest, TheFoldersOfTwoServersDoNotMix) {
  const std::string other = folder_ / "other";
  const auto here = Fill(data_, 1, 2), there = Fill(other, 11, 2);
  fs::rename(BlobsPath(data_), folder_ / "blobs");
  fs::rename(BlobsPath(other), BlobsPath(data_));
  fs::rename(folder_ / "blobs", BlobsPath(other));
  ExpectRefused(data_, "mixed up", there);
  ExpectRefused(other, "mixed up", here);
}

TEST_F(DataFolderTest, StoresThatShareClipsAndNotTheirIdDoNotMix) {
  const auto clips = Fill(data_, 1, 2);
  const std::string other = folder_ / "other";
  Copy(data_, other);
  fs::remove(BlobsPath(other) + "/store");
  RunSql(other, "UPDATE store SET id = '', history = ''");
  { ASSERT_TRUE(Open(other).ok()); }  // takes another id
  fs::remove(CatalogPath(other));
  fs::copy(CatalogPath(data_), CatalogPath(other));
  ExpectRefused(other, "is the catalog of store", clips);
}

TEST_F(DataFolderTest, BlobsThatAreNotThereAreNotTakenForNone) {
  const auto clips = Fill(data_, 1, 2);
  fs::rename(BlobsPath(data_), folder_ / "elsewhere");
  ExpectRefused(data_, "not mounted", {});
  fs::create_directory(BlobsPath(data_));
  ExpectRefused(data_, "not mounted", {});
  fs::remove(BlobsPath(data_));
  fs::rename(folder_ / "elsewhere", BlobsPath(data_));
  EXPECT_TRUE(Open(data_).ok());
  fs::remove(BlobsPath(data_) + "/store");
  ExpectRefused(data_, "the file `store` is missing", clips);
}

TEST_F(DataFolderTest, WhatNeverHeldAClipMayLoseEitherHalf) {
  { ASSERT_TRUE(Open(data_).ok()); }
  fs::remove(CatalogPath(data_));
  { EXPECT_TRUE(Open(data_).ok()); }
  fs::remove_all(BlobsPath(data_));
  { EXPECT_TRUE(Open(data_).ok()); }
  EXPECT_EQ(InspectFolder(data_, AllRooms())->catalog.identity.id,
            InspectFolder(data_, AllRooms())->blobs.mark->id);
}

TEST_F(DataFolderTest, WhatANewerVersionWroteIsRefusedByItsNumber) {
  const auto clips = Fill(data_, 1, 1);
  Copy(data_, folder_ / "newer");
  RunSql(folder_ / "newer", "UPDATE room SET version = 99");
  const absl::Status schema = Open(folder_ / "newer").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(schema)) << schema;
  EXPECT_THAT(
      std::string(Message(schema)),
      AllOf(HasSubstr("have version 99"), HasSubstr("up to 1"), HasSubstr("catalog.db.schema-")));
  std::ofstream(BlobsPath(data_) + "/store") << "gleaner blob store 7\nwhatever\n";
  const absl::Status layout = Open(data_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(layout)) << layout;
  EXPECT_THAT(std::string(Message(layout)), AllOf(HasSubstr("layout 7"), HasSubstr("up to 2")));
  EXPECT_EQ(WhatIsGone(BlobsPath(data_), clips), "");
}

TEST_F(DataFolderTest, ADamagedMarkOrCatalogIsNotMadeAnew) {
  const auto clips = Fill(data_, 1, 1);
  const std::string mark = BlobsPath(data_) + "/store";
  Copy(mark, folder_ / "mark");
  for (const char* damaged : {"", "gleaner blob store 2\nid 1\nhistory 2\nnamed 3\n", "\x01\x02"}) {
    std::ofstream(mark, std::ios::trunc) << damaged;
    const absl::Status status = Open(data_).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(Message(status)), AllOf(HasSubstr(mark), HasSubstr("restore --help")));
  }
  fs::remove(mark);
  fs::copy(folder_ / "mark", mark);
  std::ofstream(CatalogPath(data_), std::ios::trunc) << std::string(8192, 'x');
  const absl::Status status = Open(data_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr("restore --help"));
  EXPECT_EQ(WhatIsGone(BlobsPath(data_), clips), "");
}

// A folder of an earlier version, which didn't say which store it is.
TEST_F(DataFolderTest, WhatSaidNothingIsGivenAnIdAndWhatItDidNotNameIsKeptAside) {
  const auto clips = Fill(data_, 1, 2), forgotten = Fill(data_, 3, 1);
  fs::remove(BlobsPath(data_) + "/store");
  RunSql(data_,
         "DELETE FROM clip WHERE manifest = 3; DELETE FROM thumbnail WHERE arrival = 3;"
         "DELETE FROM object WHERE manifest = 3; DELETE FROM manifest WHERE number = 3;"
         "UPDATE store SET id = '', history = '', names = 6");
  for (int run = 0; run < 2; ++run) {
    const auto folder = *Open(data_);
    EXPECT_EQ(WhatIsMissing(folder->database(), folder->blobs(), clips), "");
    ASSERT_TRUE(folder->blobs()
                    .Sweep([&](std::string_view prefix) { return folder->names().Find(prefix); })
                    .ok());
    EXPECT_EQ(WhatIsGone(BlobsPath(data_), forgotten), "");
    EXPECT_GT(folder->names().Sum()->kept_bytes, 37'000u);
  }
  // Until somebody says that it may go.
  const auto folder = *Open(data_);
  ASSERT_TRUE(folder->names().GiveUpKept().ok());
  ASSERT_TRUE(FreeRubbish(folder->names(), folder->blobs(), folder->blobs()).ok());
  EXPECT_NE(WhatIsGone(BlobsPath(data_), forgotten), "");
  EXPECT_EQ(WhatIsMissing(folder->database(), folder->blobs(), clips), "");
  EXPECT_EQ(folder->names().Sum()->kept_bytes, 0u);
}

TEST_F(DataFolderTest, AnEarlierVersionsCatalogThatKnowsNothingOfItsBlobsIsRefused) {
  const auto clips = Fill(data_, 1, 2);
  fs::remove(BlobsPath(data_) + "/store");
  RunSql(data_,
         "DELETE FROM clip; DELETE FROM object; DELETE FROM thumbnail; DELETE FROM manifest;"
         "UPDATE store SET id = '', history = '', names = 0, named = 0");
  ExpectRefused(data_, "lost or emptied", clips);
}

// As an upgrade that was killed between any two of its steps leaves them.
TEST_F(DataFolderTest, AnIdThatOnlyTheCatalogHasIsGivenToTheBlobs) {
  const auto clips = Fill(data_, 1, 2);
  const std::string id = InspectFolder(data_, AllRooms())->catalog.identity.id;
  const std::string history = InspectFolder(data_, AllRooms())->catalog.identity.history;
  RunSql(data_, "UPDATE store SET history = ''");
  { ASSERT_TRUE(Open(data_).ok()); }
  EXPECT_EQ(InspectFolder(data_, AllRooms())->catalog.identity.history, history);
  RunSql(data_, "UPDATE store SET history = ''");
  fs::remove(BlobsPath(data_) + "/store");
  const auto folder = *Open(data_);
  EXPECT_EQ(InspectFolder(data_, AllRooms())->blobs.mark->id, id);
  EXPECT_EQ(WhatIsMissing(folder->database(), folder->blobs(), clips), "");
  EXPECT_TRUE(folder->names().ListKept()->empty());
}

TEST_F(DataFolderTest, TwoDoNotWorkInOneFolder) {
  const auto folder = Open(data_);
  EXPECT_THAT(std::string(Message(Open(data_).status())),
              HasSubstr("in use by another gleaner-cloud"));
}

TEST_F(DataFolderTest, UploadsThatAreGivenUpAreNotKeptButFreed) {
  const auto clips = Fill(data_, 1, 1);
  const auto folder = *Open(data_);
  TestClip upload = MakeTestClip({.sequence = 9});
  upload.upload.blobs = {StoreBytes(folder->blobs(), "preview"),
                         StoreBytes(folder->blobs(), std::string(50'000, 'v'))};
  upload.upload.size_bytes = 1'020'000;
  ASSERT_TRUE(CatalogOf(*folder).uploads.Begin(upload.upload).ok());
  ASSERT_TRUE(CatalogOf(*folder).uploads.Drop("cart-1", upload.upload.key).ok());
  EXPECT_EQ(CatalogOf(*folder).uploads.Sum("cart-1")->count, 0u);
  EXPECT_EQ(CatalogOf(*folder).uploads.Sum("cart-1")->bytes, 1'020'000u) << "until they are free";
  EXPECT_EQ(folder->names().Sum()->rubbish_bytes, 1'020'000u);
  ASSERT_TRUE(FreeRubbish(folder->names(), folder->blobs(), folder->blobs()).ok());
  EXPECT_EQ(CatalogOf(*folder).uploads.Sum("cart-1")->bytes, 0u);
  for (const BlobId& id : upload.upload.blobs) EXPECT_FALSE(HasBlob(BlobsPath(data_), id));
  EXPECT_TRUE(folder->names().Check().ok());
}

}  // namespace
}  // namespace gleaner::cloud
