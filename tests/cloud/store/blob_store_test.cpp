#include "cloud/store/blob_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <utime.h>

#include <filesystem>
#include <set>

#include "common/status.h"
#include "tests/cloud/store/catalog_testing.h"

namespace gleaner::cloud {
namespace {

class BlobStoreTest : public testing::Test {
 protected:
  BlobStoreTest() : store_(*OpenFileBlobStore(folder_ / "blobs")) {}

  static absl::Status Write(BlobWriter& writer, uint64_t offset, std::string text) {
    iovec part{text.data(), text.size()};
    return writer.WriteAt(offset, &part, 1);
  }
  std::string PathOf(const BlobId& id) const {
    return folder_ / ("blobs/" + id.substr(0, 2) + "/" + id);
  }
  BlobId Make(const std::string& text) {
    auto writer = *store_->Create(text.size());
    EXPECT_TRUE(Write(*writer, 0, text).ok());
    EXPECT_TRUE(writer->Sync().ok());
    return writer->id();
  }
  void MakeOld(const BlobId& id) const {
    const utimbuf times{::time(nullptr) - 7200, ::time(nullptr) - 7200};
    ASSERT_EQ(::utime(PathOf(id).c_str(), &times), 0);
  }

  TemporaryFolder folder_;
  std::unique_ptr<BlobStore> store_;
};

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
  std::string out;
  ASSERT_TRUE(store_->Read(writer->id(), 0, bytes.size(), &out).ok());
  EXPECT_EQ(out, bytes);
}

TEST_F(BlobStoreTest, ReservesTheRoomAtOnce) {
  auto writer = *store_->Create(1 << 20);
  struct stat info;
  ASSERT_EQ(::stat(PathOf(writer->id()).c_str(), &info), 0);
  EXPECT_EQ(info.st_size, 1 << 20);
  EXPECT_GE(info.st_blocks * 512, 1 << 20);
}

TEST_F(BlobStoreTest, RefusesABlobLargerThanTheDiskAndLeavesNothing) {
  const uint64_t too_much = *store_->FreeBytes() * 2 + (1ull << 40);
  EXPECT_TRUE(absl::IsResourceExhausted(store_->Create(too_much).status()));
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 0u);
}

TEST_F(BlobStoreTest, ResumesAfterTheStoreWasOpenedAgain) {
  BlobId id;
  {
    auto writer = *store_->Create(6);
    ASSERT_TRUE(Write(*writer, 0, "abc").ok());
    ASSERT_TRUE(writer->Sync().ok());
    id = writer->id();
  }
  store_ = *OpenFileBlobStore(folder_ / "blobs");
  auto writer = *store_->Resume(id);
  ASSERT_TRUE(Write(*writer, 3, "def").ok());
  ASSERT_TRUE(writer->Sync().ok());
  std::string out;
  ASSERT_TRUE(store_->Read(id, 0, 6, &out).ok());
  EXPECT_EQ(out, "abcdef");
}

TEST_F(BlobStoreTest, KnowsNoBlobThatIsNotThereAndNoNameFromOutside) {
  EXPECT_TRUE(absl::IsNotFound(store_->Resume(BlobId(32, 'a')).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Open(BlobId(32, 'a')).status()));
  EXPECT_TRUE(store_->Remove(BlobId(32, 'a')).ok());
  for (const char* name : {"", "../../etc/passwd", "ABCDEFABCDEFABCDEFABCDEFABCDEFAB",
                           "/0123456789abcdef0123456789abcde"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store_->Open(name).status())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(store_->Remove(name))) << name;
  }
}

TEST_F(BlobStoreTest, SweepsOnlyWhatIsOldAndUnnamed) {
  const BlobId named = Make("named"), old = Make("old"), fresh = Make("new");
  MakeOld(named);
  MakeOld(old);
  std::set<BlobId> asked;
  const auto removed = store_->Sweep([&](const BlobId& id) {
    asked.insert(id);
    return id == named;
  });
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(*removed, 1u);
  EXPECT_EQ(asked, (std::set<BlobId>{named, old}));
  EXPECT_TRUE(store_->Open(named).ok());
  EXPECT_TRUE(store_->Open(fresh).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->Open(old).status()));
}

TEST_F(BlobStoreTest, ASweepThatIsStoppedRemovesNothing) {
  const BlobId named = Make("named"), a = Make("a"), b = Make("b");
  for (const BlobId& id : {named, a, b}) MakeOld(id);
  std::stop_source stop;
  int asked = 0;
  const auto removed = store_->Sweep(
      [&](const BlobId& id) {
        ++asked;
        stop.request_stop();
        return id == named;
      },
      stop.get_token());
  EXPECT_TRUE(absl::IsCancelled(removed.status())) << removed.status();
  EXPECT_EQ(asked, 1);
  for (const BlobId& id : {named, a, b}) EXPECT_TRUE(store_->Open(id).ok());
}

TEST_F(BlobStoreTest, SweepsNothingForACatalogueThatKnowsNoneOfIt) {
  const BlobId a = Make("a"), b = Make("b");
  MakeOld(a);
  MakeOld(b);
  const auto removed = store_->Sweep([](const BlobId&) { return false; });
  EXPECT_TRUE(absl::IsFailedPrecondition(removed.status()));
  EXPECT_TRUE(store_->Open(a).ok());
  EXPECT_TRUE(store_->Open(b).ok());
}

}  // namespace
}  // namespace gleaner::cloud
