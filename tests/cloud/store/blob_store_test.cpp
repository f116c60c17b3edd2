#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "cloud/store/file_blob_store.h"
#include "common/status.h"
#include "tests/cloud/store/blob_store_testing.h"

namespace gleaner::cloud {
namespace {

TEST_F(BlobStoreTest, WritesFrontToBackInPartsAndReadsAnyRange) {
  auto writer = *store_->Create(10);
  std::string a = "abc", b = "de", c = "fghij";
  const iovec parts[] = {{a.data(), 3}, {b.data(), 2}};
  ASSERT_TRUE(writer->WriteAt(0, parts, 2).ok());
  ASSERT_TRUE(Write(*writer, 5, c).ok());
  ASSERT_TRUE(writer->Sync().ok());
  std::string out;
  ASSERT_TRUE(store_->Read(writer->id(), 0, 10, &out).ok());
  EXPECT_EQ(out, "abcdefghij");
  ASSERT_TRUE(store_->Read(writer->id(), 3, 4, &out).ok());
  EXPECT_EQ(out, "defg");
  EXPECT_TRUE(absl::IsOutOfRange(store_->Read(writer->id(), 8, 3, &out)));
  EXPECT_TRUE(absl::IsOutOfRange(store_->Read(writer->id(), ~0ull, 2, &out)));
}

TEST_F(BlobStoreTest, WritesMorePartsThanOneSystemCallTakes) {
  std::string bytes(5000, 'x');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('a' + i % 26);
  std::vector<iovec> parts;
  for (char& byte : bytes) parts.push_back({&byte, 1});
  auto writer = *store_->Create(bytes.size());
  ASSERT_TRUE(writer->WriteAt(0, parts.data(), static_cast<int>(parts.size())).ok());
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(Read(writer->id()), bytes);
}

TEST_F(BlobStoreTest, HoldsWhatWasWrittenInMemoryUntilTheSync) {
  const std::string bytes(300'000, 'x');
  auto writer = *store_->Create(bytes.size());
  ASSERT_TRUE(Write(*writer, 0, bytes).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->SizeOf(writer->id()).status()));
  EXPECT_GE(store_->BytesInMemory(), bytes.size());
  const int before = syncs_;
  std::string held;
  for (const iovec& part : writer->Held(5)) {
    held.append(static_cast<const char*>(part.iov_base), part.iov_len);
  }
  EXPECT_EQ(held, bytes.substr(5));
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(syncs_, before + 1) << "what the disk has in its own memory is not durable";
  EXPECT_EQ(store_->BytesInMemory(), 0u);
  EXPECT_TRUE(writer->Held(0).empty());
  EXPECT_EQ(Read(writer->id()), bytes);
}

TEST_F(BlobStoreTest, WritesAgainFromWhereItIsTold) {
  auto writer = *store_->Create(10);
  ASSERT_TRUE(Write(*writer, 0, "abcdefgh").ok());
  ASSERT_TRUE(Write(*writer, 3, "XY").ok());
  ASSERT_TRUE(writer->Sync().ok());
  ASSERT_TRUE(Write(*writer, 1, "123456789").ok());
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(Read(writer->id()), "a123456789");
  EXPECT_TRUE(absl::IsOutOfRange(Write(*writer, 8, "abc")));
}

TEST_F(BlobStoreTest, ManyBlobsShareAFileWhoseRoomIsReservedAtOnce) {
  std::vector<BlobId> blobs;
  for (int i = 0; i < 100; ++i) blobs.push_back(Make(fmt::format("blob {}", i)));
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(FileOf(blobs[0]).st_size, static_cast<off_t>(kSegmentBytes));
  EXPECT_GE(FileOf(blobs[0]).st_blocks * 512, static_cast<off_t>(kSegmentBytes));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Read(blobs[i]), fmt::format("blob {}", i));
}

TEST_F(BlobStoreTest, ABlobThatWouldFillASegmentHasAFileOfItsOwn) {
  const BlobId small = Make("small");
  const std::string bytes(kSegmentBytes + 5, 'x');
  const BlobId large = Make(bytes);
  EXPECT_NE(PathOf(small), PathOf(large));
  EXPECT_EQ(FileOf(large).st_size, static_cast<off_t>(kSegmentBytes + kDisk));
  EXPECT_EQ(Read(large), bytes);
  EXPECT_EQ(PathOf(Make("another")), PathOf(small));
}

TEST_F(BlobStoreTest, AFullSegmentGivesBackWhatItHasLeft) {
  const std::string fifth(kSegmentBytes / 5, 'x');
  std::vector<BlobId> blobs;
  for (int i = 0; i < 5; ++i) blobs.push_back(Make(fifth));
  EXPECT_EQ(PathOf(blobs[3]), PathOf(blobs[0]));
  EXPECT_NE(PathOf(blobs[4]), PathOf(blobs[0]));
  EXPECT_EQ(FileOf(blobs[0]).st_size, static_cast<off_t>(4 * RoundUpToDiskBlock(fifth.size())));
  store_.reset();
  EXPECT_EQ(FileOf(blobs[4]).st_size, static_cast<off_t>(RoundUpToDiskBlock(fifth.size())));
}

TEST_F(BlobStoreTest, AFileWhoseSyncFailedIsBelievedNoMore) {
  const BlobId sound = Make("sound");
  auto writer = *store_->Create(6), beside = *store_->Create(6);
  ASSERT_TRUE(Write(*writer, 0, "broken").ok());
  fail_next_sync_ = true;
  EXPECT_FALSE(writer->Sync().ok());
  EXPECT_FALSE(writer->Sync().ok()) << "the kernel may have dropped it, and says so once";
  EXPECT_FALSE(beside->Sync().ok());
  const BlobId after = Make("after");
  EXPECT_NE(PathOf(after), PathOf(sound));
  EXPECT_FALSE((*store_->Resume(sound))->Sync().ok());
  EXPECT_EQ(Read(sound), "sound");
  EXPECT_EQ(Read(after), "after");
}

TEST_F(BlobStoreTest, AFileWhoseSyncFailedIsBelievedNoMoreThoughNobodyWritesThere) {
  const BlobId broken = Make("broken"), beside = Make("beside");
  Open();  // no new blob goes there
  fail_next_sync_ = true;
  EXPECT_FALSE((*store_->Resume(broken))->Sync().ok());
  EXPECT_FALSE((*store_->Resume(beside))->Sync().ok())
      << "what was read back may never have come to the disk";
  EXPECT_EQ(Read(beside), "beside");
}

TEST_F(BlobStoreTest, AFileWhoseSyncFailedGoesWithItsLastBlob) {
  auto writer = *store_->Create(kSegmentBytes + 1);  // has a file of its own
  const BlobId id = writer->id();
  fail_next_sync_ = true;
  EXPECT_FALSE(writer->Sync().ok());
  writer.reset();
  ASSERT_TRUE(store_->Remove(id).ok());
  EXPECT_EQ(Files(), 0u);
  EXPECT_TRUE(absl::IsNotFound(store_->Resume(id).status()));
}

TEST_F(BlobStoreTest, ABlobThatWasNeverWrittenGivesItsRoomBackToo) {
  const BlobId id = (*store_->Create(100'000))->id();
  const auto before = FileOf(id).st_blocks;
  ASSERT_TRUE(store_->Remove(id).ok());
  EXPECT_LE(FileOf(id).st_blocks * 512 + 100'000, before * 512);
}

TEST_F(BlobStoreTest, AResumedBlobHasItsRoomAlsoWhereItWasRemoved) {
  const std::string bytes(100'000, 'x');
  const BlobId id = Make(bytes);
  const auto whole = FileOf(id).st_blocks;
  ASSERT_TRUE(store_->Remove(id).ok());
  EXPECT_LT(FileOf(id).st_blocks, whole);
  auto writer = *store_->Resume(id);
  EXPECT_EQ(FileOf(id).st_blocks, whole);
  ASSERT_TRUE(Write(*writer, 0, bytes).ok());
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(Read(id), bytes);
}

TEST_F(BlobStoreTest, ACopyForAWorkerLeavesTheRoomThatIsToBeKept) {
  const BlobId id = Make("mine");
  store_ = *FileBlobStore::Open(folder_ / "blobs",
                                {.segment_bytes = kSegmentBytes, .copy_floor_bytes = 1ull << 60});
  EXPECT_TRUE(absl::IsResourceExhausted(store_->OpenCopy(id).status()));
}

TEST_F(BlobStoreTest, RefusesABlobLargerThanTheDiskAndLeavesNothing) {
  const uint64_t too_much = *store_->FreeBytes() * 2 + (1ull << 40);
  EXPECT_TRUE(absl::IsResourceExhausted(store_->Create(too_much).status()));
  EXPECT_EQ(Files(), 0u);
}

TEST_F(BlobStoreTest, ResumesAfterTheStoreWasOpenedAgain) {
  BlobId id;
  {
    auto writer = *store_->Create(6);
    ASSERT_TRUE(Write(*writer, 0, "abc").ok());
    ASSERT_TRUE(writer->Sync().ok());
    id = writer->id();
  }
  Open();
  auto writer = *store_->Resume(id);
  ASSERT_TRUE(Write(*writer, 3, "def").ok());
  ASSERT_TRUE(writer->Sync().ok());
  std::string out;
  ASSERT_TRUE(store_->Read(id, 0, 6, &out).ok());
  EXPECT_EQ(out, "abcdef");
}

TEST_F(BlobStoreTest, KnowsNoBlobThatIsNotThereAndNoNameFromOutside) {
  EXPECT_TRUE(absl::IsNotFound(store_->Resume(BlobId(32, 'a')).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->OpenCopy(BlobId(32, 'a')).status()));
  EXPECT_TRUE(store_->Remove(BlobId(32, 'a')).ok());
  for (const char* name : {"", "../../etc/passwd", "ABCDEFABCDEFABCDEFABCDEFABCDEFAB",
                           "/0123456789abcdef0123456789abcde"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store_->OpenCopy(name).status())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(store_->Remove(name))) << name;
  }
}

TEST_F(BlobStoreTest, AWorkerSeesItsBlobAndNothingElse) {
  const BlobId other = Make("secret"), mine = Make("mine"), after = Make("also secret");
  const auto file = store_->OpenCopy(mine);
  ASSERT_TRUE(file.ok()) << file.status();
  char bytes[100];
  EXPECT_EQ(::read(file->get(), bytes, sizeof bytes), 4);
  EXPECT_EQ(std::string(bytes, 4), "mine");
  EXPECT_LT(::write(file->get(), "x", 1), 0);
  EXPECT_EQ(Files(), 1u) << "the copy has no name";
}

// Eight threads find that there is room for one more, and each makes one.
TEST_F(BlobStoreTest, HoweverManyAskAtOnceWhatIsToStayFreeStaysFree) {
  constexpr uint64_t kDiskBytes = 10 << 20, kFloor = 3 << 20;
  const std::string blobs = folder_ / "blobs";
  const auto free = [&] {
    uint64_t used = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(blobs, error)) {
      struct stat info {};
      if (::stat(entry.path().c_str(), &info) == 0) used += uint64_t{512} * info.st_blocks;
    }
    std::this_thread::yield();
    return kDiskBytes - std::min(kDiskBytes, used);
  };
  for (const uint64_t size : {uint64_t{100'000}, kSegmentBytes / 2, 3 * kSegmentBytes / 2}) {
    store_ = *FileBlobStore::Open(blobs, {.segment_bytes = kSegmentBytes, .free_bytes = free});
    std::atomic<int> made{0}, refused{0};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
          const auto writer = store_->Create(size, kFloor);
          if (writer.ok()) {
            ++made;
          } else {
            EXPECT_TRUE(absl::IsResourceExhausted(writer.status())) << writer.status();
            ++refused;
          }
        }
      });
    }
    threads.clear();
    EXPECT_GT(made, 0);
    EXPECT_GT(refused, 0);
    EXPECT_GE(free(), kFloor) << size;
    store_.reset();
    std::filesystem::remove_all(blobs);
  }
}

TEST_F(BlobStoreTest, ManyWritersShareSyncsAndEachHasItsOwnBytes) {
  std::vector<std::jthread> threads;
  std::vector<std::vector<BlobId>> made(8);
  for (size_t t = 0; t < made.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) made[t].push_back(Make(fmt::format("{} of {}", i, t)));
    });
  }
  threads.clear();
  Open();
  for (size_t t = 0; t < made.size(); ++t) {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(Read(made[t][i]), fmt::format("{} of {}", i, t));
  }
}

}  // namespace
}  // namespace gleaner::cloud
