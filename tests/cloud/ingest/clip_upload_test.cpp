#include "cloud/ingest/clip_upload.h"

#include <gmock/gmock.h>

#include "cloud/store/blob_place.h"
#include "cloud/store/file_blob_store.h"
#include "tests/cloud/ingest/ingest_testing.h"
#include "tests/data/postgres_proxy.h"

namespace gleaner::cloud {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

// As the kernel is after a failed write-back: the next sync of a blob that went through here fails
// once, and later ones succeed although the bytes never reached the disk.
class FailsOnce {
 public:
  explicit FailsOnce(std::unique_ptr<FileBlobStore> real) : store_(std::move(real)) {}

  UploadStaging& staging() { return store_; }
  FileBlobStore& objects() { return *store_.real; }
  void FailNextSync() { store_.fail_next = true; }

 private:
  struct Store;
  struct Writer : BlobWriter {
    Writer(std::unique_ptr<BlobWriter> real, Store& store) : real(std::move(real)), store(store) {}
    const BlobId& id() const override { return real->id(); }
    absl::Status WriteAt(uint64_t offset, const struct iovec* parts, int count) override {
      return real->WriteAt(offset, parts, count);
    }
    std::vector<iovec> Held(uint64_t offset) const override { return real->Held(offset); }
    absl::Status Flush() override { return real->Flush(); }
    absl::Status Sync() override {
      if (std::exchange(store.fail_next, false)) return absl::DataLossError("the disk says no");
      return real->Sync();
    }
    std::unique_ptr<BlobWriter> real;
    Store& store;
  };
  struct Store : UploadStaging {
    explicit Store(std::unique_ptr<FileBlobStore> real) : real(std::move(real)) {}
    absl::StatusOr<std::unique_ptr<BlobWriter>> Wrap(
        absl::StatusOr<std::unique_ptr<BlobWriter>> writer) {
      if (!writer.ok()) return writer;
      return std::make_unique<Writer>(*std::move(writer), *this);
    }
    absl::StatusOr<std::unique_ptr<BlobWriter>> Create(uint64_t size,
                                                       uint64_t leave_free) override {
      return Wrap(real->Create(size, leave_free));
    }
    absl::StatusOr<std::unique_ptr<BlobWriter>> Resume(const BlobId& id) override {
      return Wrap(real->Resume(id));
    }
    absl::Status Read(const BlobId& id, uint64_t offset, uint64_t size, std::string* out) override {
      return real->Read(id, offset, size, out);
    }
    absl::Status Remove(const BlobId& id) override { return real->Remove(id); }
    absl::StatusOr<std::vector<BlobId>> Retire(const std::vector<BlobId>& ids) override {
      return real->Retire(ids);
    }
    absl::StatusOr<uint64_t> Sweep(const NamedBlobs& named, const std::stop_token& stop) override {
      return real->Sweep(named, stop);
    }
    uint64_t BytesInMemory() const override { return real->BytesInMemory(); }
    absl::StatusOr<uint64_t> FreeBytes() override { return real->FreeBytes(); }
    std::unique_ptr<FileBlobStore> real;
    bool fail_next = false;
  };
  Store store_;
};

class ClipUploadTest : public testing::Test {
 protected:
  UploadRow Row() const {
    return {.device = "cart-1",
            .key = clip_.key(),
            .manifest = clip_.bytes,
            .manifest_sha256 = Sha256::Of(clip_.bytes)};
  }
  void WriteAll(ClipUpload& upload) {
    for (uint32_t object = 0; object < clip_.objects.size(); ++object) {
      std::string& bytes = clip_.objects[object];
      for (uint64_t at = 0; at < bytes.size(); at += kBlockBytes) {
        const size_t size = std::min<size_t>(kBlockBytes, bytes.size() - at);
        ChunkRequest chunk{.object = object, .offset = at, .size = size};
        chunk.data.push_back({bytes.data() + at, size});
        chunk.xxh3 = Xxh3(bytes.data() + at, size);
        ASSERT_TRUE(upload.Write(chunk).ok());
      }
    }
  }

  // As before progress is told of.
  UploadRow MakeDurable(ClipUpload& upload) {
    EXPECT_THAT(upload.Hash(), IsEmpty());
    EXPECT_TRUE(upload.Sync(nullptr).ok());
    EXPECT_TRUE(upload.Begin(catalog_->uploads).ok());
    return *catalog_->uploads.Find("cart-1", clip_.key()).value();
  }

  TemporaryFolder folder_;
  std::unique_ptr<TestCatalog> catalog_ = *OpenTestCatalog(folder_ / "catalog.db");
  FailsOnce disk_{*FileBlobStore::Open(folder_ / "blobs")};
  SentClip clip_ = MakeClip("cart-1", 1);
};

TEST_F(ClipUploadTest, ResumesAtWhatWasWrittenAndIsNowDurable) {
  auto upload = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  WriteAll(*upload);
  const UploadRow row = MakeDurable(*upload);
  upload.reset();
  const auto again = ClipUpload::Resume(disk_.staging(), disk_.objects(), row, clip_.manifest);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE((*again)->row().begun);
  EXPECT_TRUE((*again)->verified());
}

// The device asks again and hears that its clip is committed, and forgets it: whatever becomes of
// this attempt must leave the bytes where they are.
TEST_F(ClipUploadTest, KeepsTheBytesOfACommitWhoseAnswerWasLost) {
  if (!OnPostgres()) GTEST_SKIP() << "on PostgreSQL only";
  PostgresProxy proxy(TestDatabase(folder_ / "catalog.db"));
  TestCatalog far(*Database::Open(proxy.name(), AllRooms().tables));
  auto upload = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  WriteAll(*upload);
  EXPECT_THAT(upload->Hash(), IsEmpty());
  ASSERT_TRUE(upload->Describe("", 1).ok());
  ASSERT_TRUE(upload->Sync(nullptr).ok());
  proxy.LoseNextAnswer();
  const absl::Status committed = upload->Commit(far.uploads, 1);
  EXPECT_TRUE(absl::IsUnavailable(committed)) << committed;
  upload.reset();
  ASSERT_TRUE((*catalog_->uploads.FindCommitted("cart-1", clip_.key())).has_value());
  EXPECT_EQ(WhatIsWrong(*catalog_, disk_.objects(), "cart-1", clip_), "");
}

TEST_F(ClipUploadTest, BelievesNoByteAfterASyncThatFailed) {
  auto upload = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  WriteAll(*upload);
  const UploadRow row = MakeDurable(*upload);
  upload.reset();
  disk_.FailNextSync();
  EXPECT_TRUE(absl::IsDataLoss(
      ClipUpload::Resume(disk_.staging(), disk_.objects(), row, clip_.manifest).status()));
  // Each block that is there matches, and a sync would now succeed.
  const auto again = ClipUpload::Resume(disk_.staging(), disk_.objects(), row, clip_.manifest);
  ASSERT_TRUE(again.ok());
  EXPECT_THAT((*again)->durable_offsets(), Each(0));
  EXPECT_FALSE((*again)->received());
}

TEST_F(ClipUploadTest, BeginsAgainWithNewBlobsForThoseThatWereLost) {
  auto upload = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  WriteAll(*upload);
  const UploadRow row = MakeDurable(*upload);
  upload.reset();
  std::filesystem::remove(folder_ / ("blobs/" + PlaceOf(row.blobs[1])->segment));
  const auto store = *FileBlobStore::Open(folder_ / "blobs");
  const auto again = ClipUpload::Resume(*store, *store, row, clip_.manifest);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE((*again)->row().begun);
  EXPECT_NE((*again)->row().blobs, row.blobs);
  ASSERT_TRUE((*again)->Begin(catalog_->uploads).ok());
  EXPECT_EQ((*catalog_->uploads.Find("cart-1", row.key))->blobs, (*again)->row().blobs);
}

TEST_F(ClipUploadTest, AnUploadThatTheCatalogWasNeverToldOfTakesItsBlobsWithIt) {
  auto upload = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  WriteAll(*upload);
  EXPECT_THAT(upload->Hash(), IsEmpty());
  ASSERT_TRUE(upload->Sync(nullptr).ok());
  const std::vector<BlobId> blobs = upload->row().blobs;
  EXPECT_TRUE(disk_.objects().SizeOf(blobs[1]).ok());
  upload.reset();
  for (const BlobId& blob : blobs) {
    EXPECT_TRUE(absl::IsNotFound(disk_.objects().SizeOf(blob).status()));
  }
}

TEST_F(ClipUploadTest, AClipKeepsItsBlobsThoughItsUploadNeverBegan) {
  auto upload = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  WriteAll(*upload);
  EXPECT_THAT(upload->Hash(), IsEmpty());
  ASSERT_TRUE(upload->Sync(nullptr).ok());
  ASSERT_TRUE(upload->Commit(catalog_->uploads, 77).ok());
  upload.reset();
  EXPECT_EQ(WhatIsWrong(*catalog_, disk_.objects(), "cart-1", clip_), "");
}

TEST_F(ClipUploadTest, ARefusedUploadTakesItsBlobsWithIt) {
  auto first = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  WriteAll(*first);
  MakeDurable(*first);
  ASSERT_TRUE(first->Commit(catalog_->uploads, 77).ok());
  auto upload = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  const std::vector<BlobId> blobs = upload->row().blobs;
  WriteAll(*upload);
  EXPECT_THAT(upload->Hash(), IsEmpty());
  ASSERT_TRUE(upload->Sync(nullptr).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(upload->Begin(catalog_->uploads)));
  upload.reset();
  EXPECT_TRUE(absl::IsNotFound(disk_.objects().SizeOf(blobs[1]).status()));
  EXPECT_EQ(WhatIsWrong(*catalog_, disk_.objects(), "cart-1", clip_), "");
}

TEST_F(ClipUploadTest, ForgetsAnObjectThatIsReadBackWithAnotherDigest) {
  auto upload = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  WriteAll(*upload);
  const UploadRow row = MakeDurable(*upload);
  upload.reset();
  clip_.manifest.mutable_objects(1)->set_sha256(std::string(32, 'x'));
  const auto again = ClipUpload::Resume(disk_.staging(), disk_.objects(), row, clip_.manifest);
  ASSERT_TRUE(again.ok());
  EXPECT_THAT((*again)->durable_offsets(), ElementsAre(clip_.objects[0].size(), 0));
}

TEST_F(ClipUploadTest, ForgetsAnObjectThatHasAnotherDigestThoughEachBlockMatches) {
  clip_.manifest.mutable_objects(1)->set_sha256(std::string(32, 'x'));
  clip_.Seal();
  auto upload = *ClipUpload::Create(disk_.staging(), disk_.objects(), Row(), clip_.manifest);
  WriteAll(*upload);
  EXPECT_TRUE(upload->received());
  EXPECT_THAT(upload->Hash(), ElementsAre(1));
  EXPECT_FALSE(upload->received());
  ASSERT_TRUE(upload->Sync(nullptr).ok());
  EXPECT_EQ(disk_.staging().BytesInMemory(), 0u);
  EXPECT_THAT(upload->durable_offsets(), ElementsAre(clip_.objects[0].size(), 0));
}

}  // namespace
}  // namespace gleaner::cloud
