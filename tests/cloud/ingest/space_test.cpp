#include "cloud/ingest/space.h"

#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "cloud/ingest/clip_upload.h"
#include "cloud/store/rubbish.h"
#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kMiB = 1 << 20;

UploadRow RowOf(const SentClip& clip, std::vector<BlobId> blobs) {
  return {.device = "cart-1",
          .key = clip.key(),
          .manifest = clip.bytes,
          .manifest_sha256 = Sha256::Of(clip.bytes),
          .blobs = std::move(blobs),
          .size_bytes = clip.payload()};
}

class SpaceTest : public testing::Test {
 protected:
  absl::StatusOr<Space::Hold> Take(uint64_t bytes) { return space_.Take("cart-1", bytes); }

  TemporaryFolder folder_;
  std::unique_ptr<TestCatalog> catalog_ = *OpenTestCatalog(folder_ / "catalog.db");
  Space space_{catalog_->uploads, {.uploads_per_device = 100, .reserved_per_device = 10 * kMiB}};
};

TEST_F(SpaceTest, OffersThatComeAtOnceGetTogetherWhatOneAfterTheOtherWould) {
  std::atomic<int> let_in{0};
  std::vector<std::vector<Space::Hold>> holds(16);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : holds) {
      threads.emplace_back([&] {
        for (int i = 0; i < 4; ++i) {
          auto hold = Take(kMiB);
          if (!hold.ok()) continue;
          mine.push_back(*std::move(hold));
          ++let_in;
        }
      });
    }
  }
  EXPECT_EQ(let_in, 10);
  EXPECT_TRUE(absl::IsResourceExhausted(Take(1).status()));
  EXPECT_TRUE(space_.Take("cart-2", kMiB).ok()) << "each device for itself";
  holds.clear();
  EXPECT_TRUE(Take(10 * kMiB).ok());
}

TEST_F(SpaceTest, OneUploadIsAlwaysLetInAndNoMoreThanSoMany) {
  {
    const auto hold = Take(1000 * kMiB);
    EXPECT_TRUE(hold.ok()) << hold.status();
    EXPECT_FALSE(Take(1).ok());
  }
  std::vector<Space::Hold> holds;
  for (int i = 0; i < 100; ++i) holds.push_back(*Take(0));
  EXPECT_TRUE(absl::IsResourceExhausted(Take(0).status()));
}

TEST_F(SpaceTest, AnUploadCountsUntilItsBytesAreFreeWhoeverHoldsIt) {
  const auto blobs = *FileBlobStore::Open(folder_ / "blobs");
  const SentClip clip = MakeClip("cart-1", 1, 9 * kMiB);
  {
    auto upload =
        *ClipUpload::Create(*blobs, *blobs, RowOf(clip, {}), clip.manifest, *Take(clip.payload()));
    EXPECT_FALSE(Take(2 * kMiB).ok()) << "in memory";
    ASSERT_TRUE(upload->Sync(nullptr).ok());
    ASSERT_TRUE(upload->Begin(catalog_->uploads).ok());
    EXPECT_FALSE(Take(2 * kMiB).ok()) << "in the catalog";
    ASSERT_TRUE(catalog_->uploads.Drop("cart-1", clip.key()).ok());
    ASSERT_TRUE(FreeRubbish(catalog_->names, *blobs, *blobs).ok());
    EXPECT_FALSE(Take(2 * kMiB).ok()) << "given up, and still being written";
  }
  {
    Space after_a_restart(catalog_->uploads,
                          {.uploads_per_device = 100, .reserved_per_device = 10 * kMiB});
    EXPECT_FALSE(after_a_restart.Take("cart-1", 2 * kMiB).ok());
  }
  ASSERT_TRUE(FreeRubbish(catalog_->names, *blobs, *blobs).ok());
  EXPECT_TRUE(Take(10 * kMiB).ok());
}

TEST_F(SpaceTest, AClipThatIsCommittedCountsNoMore) {
  const auto blobs = *FileBlobStore::Open(folder_ / "blobs");
  const SentClip clip = MakeClip("cart-1", 1, 9 * kMiB);
  auto upload =
      *ClipUpload::Create(*blobs, *blobs, RowOf(clip, {}), clip.manifest, *Take(clip.payload()));
  ASSERT_TRUE(upload->Sync(nullptr).ok());
  ASSERT_TRUE(upload->Commit(catalog_->uploads, 1).ok());
  EXPECT_TRUE(Take(10 * kMiB).ok());
}

TEST_F(SpaceTest, AnUploadThatNobodyWasToldOfCountsUntilItsBlobsAreGone) {
  const auto blobs = *FileBlobStore::Open(folder_ / "blobs");
  const SentClip clip = MakeClip("cart-1", 1, 9 * kMiB);
  auto upload =
      *ClipUpload::Create(*blobs, *blobs, RowOf(clip, {}), clip.manifest, *Take(clip.payload()));
  EXPECT_FALSE(Take(2 * kMiB).ok());
  upload.reset();
  EXPECT_TRUE(Take(10 * kMiB).ok());
}

// A device that begins uploads and reports each as failed, over and over.
TEST_F(IngestTest, ReportingUploadsAsFailedMakesNoRoomBeforeTheirBytesAreFree) {
  options_.reserved_per_device = 4 << 20;
  Restart();
  auto device = Connect();
  const auto report = [&](uint64_t last) {
    v1::ReportLedgerRequest request;
    v1::BootLedger* boot = request.add_boots();
    boot->set_boot_id(std::string(16, 'b'));
    boot->set_last_sequence(last);
    v1::Tombstone* tombstone = boot->add_tombstones();
    tombstone->mutable_key()->set_boot_id(boot->boot_id());
    tombstone->mutable_key()->set_sequence(last);
    tombstone->set_state(v1::Tombstone::STATE_FAILED);
    grpc::ClientContext context;
    v1::ReportLedgerResponse response;
    const grpc::Status status = device->stub().ReportLedger(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  };
  const auto begin = [&](uint64_t sequence) {
    // Two chunks are sent and told to be durable; the rest never comes.
    return !device->Upload(MakeClip("cart-1", sequence, kMiB + 1), 2).refused;
  };
  uint64_t sequence = 1;
  {
    // A backup is made meanwhile, so that nothing can be freed.
    const Fd held = *HoldRemovals(folder_ / "blobs");
    for (; sequence <= 3; ++sequence) {
      EXPECT_TRUE(begin(sequence));
      report(sequence);
      EXPECT_EQ(catalog_->uploads.Sum("cart-1")->count, 0u);
    }
    EXPECT_FALSE(begin(sequence)) << "three of more than a MiB are still there";
    device->Cut();
    Restart();
    device = Connect();
    EXPECT_FALSE(begin(sequence)) << "also after a restart";
  }
  report(sequence++);
  for (; sequence < 20; ++sequence) {
    EXPECT_TRUE(begin(sequence)) << sequence;
    device->Cut();
    device = Connect();
    report(sequence);
  }
  device->Cut();
  Stop();
  uint64_t blocks = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder_ / "blobs")) {
    struct stat info {};
    ASSERT_EQ(::stat(file.path().c_str(), &info), 0);
    blocks += static_cast<uint64_t>(info.st_blocks);
  }
  EXPECT_LE(blocks * 512, uint64_t{8} << 20) << "what was given up is free";
}

}  // namespace
}  // namespace gleaner::cloud
