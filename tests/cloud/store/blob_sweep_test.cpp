// What is removed from the blob store, by name and by the sweep, and what never is.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "common/status.h"
#include "tests/cloud/store/blob_store_testing.h"

namespace gleaner::cloud {
namespace {

TEST_F(BlobStoreTest, WhatIsRemovedGivesItsRoomBackAndItsNeighboursStay) {
  const std::string bytes(100'000, 'x');
  const BlobId a = Make(bytes), b = Make(bytes), c = Make(bytes);
  const auto before = FileOf(a).st_blocks;
  ASSERT_TRUE(store_->Remove(b).ok());
  EXPECT_LE(FileOf(a).st_blocks * 512 + 100'000, before * 512);
  EXPECT_TRUE(absl::IsNotFound(store_->SizeOf(b).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->OpenCopy(b).status()));
  EXPECT_EQ(Read(a), bytes);
  EXPECT_EQ(Read(c), bytes);
  Open();  // nobody writes there any more
  ASSERT_TRUE(store_->Remove(a).ok());
  ASSERT_TRUE(store_->Remove(c).ok());
  EXPECT_EQ(Files(), 0u);
}

TEST_F(BlobStoreTest, SweepsWhatNothingNamesOfFilesThatNobodyWritesIn) {
  const std::string bytes(50'000, 'x');
  const BlobId rubbish = Make(bytes), named = Make(bytes), more = Make(bytes);
  Open();
  const BlobId fresh = Make(bytes);
  const auto freed = store_->Sweep(Naming({named}));
  ASSERT_TRUE(freed.ok()) << freed.status();
  EXPECT_EQ(*freed, 2 * RoundUpToDiskBlock(bytes.size()));
  EXPECT_EQ(Read(named), bytes);
  EXPECT_EQ(Read(fresh), bytes);
  for (const BlobId& id : {rubbish, more}) {
    EXPECT_TRUE(absl::IsNotFound(store_->OpenCopy(id).status()));
  }
  EXPECT_EQ(*store_->Sweep(Naming({named})), 0u);
}

TEST_F(BlobStoreTest, SweepsWhatItMadeItselfOnlyWhenItIsOld) {
  const BlobId named = Make("named");
  const std::string bytes(kSegmentBytes + 1, 'x');
  const BlobId alone = Make(bytes);
  ASSERT_TRUE(store_->Sweep(Naming({named})).ok());
  EXPECT_EQ(Read(alone), bytes) << "it may be named in a moment";
  MakeOld();
  ASSERT_TRUE(store_->Sweep(Naming({named})).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->OpenCopy(alone).status()));
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(Read(named), "named");
}

TEST_F(BlobStoreTest, SweepsNothingWhereSomebodyStillWrites) {
  const BlobId named = Make("named");
  auto writer = *store_->Create(5);
  ASSERT_TRUE(Write(*writer, 0, "later").ok());
  const utimbuf times{::time(nullptr) - 7200, ::time(nullptr) - 7200};
  ASSERT_EQ(::utime(PathOf(named).c_str(), &times), 0);
  ASSERT_TRUE(store_->Sweep(Naming({named})).ok());
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(Read(writer->id()), "later");
}

TEST_F(BlobStoreTest, SweepsNothingOfAFileWhoseSyncFailedWhileSomebodyWritesThere) {
  auto failing = *store_->Create(100), other = *store_->Create(100);
  ASSERT_EQ(PathOf(failing->id()), PathOf(other->id()));
  ASSERT_TRUE(Write(*failing, 0, "x").ok());
  fail_next_sync_ = true;
  ASSERT_FALSE(failing->Sync().ok());
  failing.reset();
  const BlobId named = Make("elsewhere");
  ASSERT_NE(PathOf(named), PathOf(other->id()));
  MakeOld();
  const auto reserved = FileOf(other->id()).st_blocks;
  ASSERT_GT(reserved, 0);
  ASSERT_TRUE(store_->Sweep(Naming({named}), {}).ok());
  EXPECT_EQ(FileOf(other->id()).st_blocks, reserved);
  const std::string path = PathOf(other->id());
  other.reset();
  ASSERT_TRUE(store_->Sweep(Naming({named}), {}).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(BlobStoreTest, FilesWithoutAnyBytesAreSweptWhateverTheCatalogKnows) {
  const BlobId probe = Make("x");
  ASSERT_TRUE(store_->Remove(probe).ok());
  Open();
  ASSERT_EQ(Files(), 1u);
  ASSERT_TRUE(store_->Sweep(Naming({})).ok());
  EXPECT_EQ(Files(), 0u);
}

TEST_F(BlobStoreTest, WhatACrashLeftOfASegmentIsGivenBackByTheSweep) {
  const BlobId named = Make("named");
  store_.reset();
  std::filesystem::remove(PathOf(named));
  // As it was before it was closed: with all its room.
  const Fd file = *OpenFile(PathOf(named), O_RDWR | O_CREAT);
  ASSERT_EQ(::fallocate(file.get(), 0, 0, kSegmentBytes), 0);
  ASSERT_TRUE(WriteAt(file.get(), "named", 5, 0).ok());
  Open();
  const auto freed = store_->Sweep(Naming({named}));
  ASSERT_TRUE(freed.ok()) << freed.status();
  EXPECT_EQ(*freed, kSegmentBytes - kDisk);
  EXPECT_EQ(Read(named), "named");
}

TEST_F(BlobStoreTest, ASweepThatIsStoppedClearsNothing) {
  const BlobId named = Make("named"), a = Make("a");
  const BlobId b = Make(std::string(kSegmentBytes, 'b'));
  Open();
  std::stop_source stop;
  int asked = 0;
  const auto freed = store_->Sweep(
      [&](std::string_view prefix) {
        ++asked;
        stop.request_stop();
        return Naming({named})(prefix);
      },
      stop.get_token());
  EXPECT_TRUE(absl::IsCancelled(freed.status())) << freed.status();
  EXPECT_EQ(asked, 1);
  for (const BlobId& id : {named, a, b}) EXPECT_TRUE(store_->OpenCopy(id).ok());
}

TEST_F(BlobStoreTest, SweepsNothingForACatalogThatKnowsNoneOfItOrFails) {
  const BlobId a = Make("a"), b = Make("b");
  Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->Sweep(Naming({})).status()));
  const auto failing = [](std::string_view) -> absl::StatusOr<std::vector<BlobId>> {
    return absl::UnavailableError("locked");
  };
  EXPECT_TRUE(absl::IsUnavailable(store_->Sweep(failing).status()));
  EXPECT_EQ(Read(a), "a");
  EXPECT_EQ(Read(b), "b");
}

TEST_F(BlobStoreTest, WhatHasAWriterIsNotRemoved) {
  auto writer = *store_->Create(6);
  const BlobId id = writer->id();
  ASSERT_TRUE(Write(*writer, 0, "writer").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->Remove(id)));
  const BlobId beside = Make("beside");
  EXPECT_EQ(*store_->Retire({id, beside}), std::vector<BlobId>{beside});
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(Read(id), "writer");
  writer.reset();
  EXPECT_EQ(*store_->Retire({id}), std::vector<BlobId>{id});
  EXPECT_TRUE(absl::IsNotFound(store_->OpenCopy(id).status()));
}

TEST_F(BlobStoreTest, NothingThatWasNamedIsRemovedWhileABackupIsMade) {
  const BlobId named = Make("named"), rubbish = Make("rubbish");
  Open();
  {
    const auto held = HoldRemovals(folder_ / "blobs");
    ASSERT_TRUE(held.ok()) << held.status();
    EXPECT_TRUE(absl::IsUnavailable(store_->Sweep(Naming({named})).status()));
    EXPECT_TRUE(absl::IsUnavailable(store_->Retire({rubbish}).status()));
    EXPECT_EQ(Read(rubbish), "rubbish");
    const BlobId never_named = Make("never named");
    EXPECT_TRUE(store_->Remove(never_named).ok());
  }
  EXPECT_TRUE(store_->Sweep(Naming({named})).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->OpenCopy(rubbish).status()));
}

TEST_F(BlobStoreTest, FindsWhatNothingNamesByPlacesOfTheirOwn) {
  const std::string bytes(3 * kDisk, 'u');
  const BlobId before = Make("before");
  Make(bytes);
  const BlobId after = Make("after");
  const BlobId alone = Make(std::string(kSegmentBytes, 'a'));
  const BlobId reserved = (*store_->Create(20'000))->id();
  Open();
  const auto found = *store_->FindUnnamed(Naming({before, after}));
  ASSERT_EQ(found.size(), 2u);
  const std::set<BlobId> ids(found.begin(), found.end());
  EXPECT_TRUE(ids.contains(alone));
  for (const BlobId& id : found) {
    EXPECT_EQ(Read(id), id == alone ? std::string(kSegmentBytes, 'a') : bytes) << id;
    EXPECT_NE(id, reserved) << "room is nobody's";
  }
  EXPECT_TRUE(store_->FindUnnamed(Naming({before, after, found[0], found[1]}))->empty());
}

}  // namespace
}  // namespace gleaner::cloud
