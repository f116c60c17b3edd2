#include "cloud/ingest/janitor.h"

#include <utime.h>

#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {
namespace {

TEST_F(IngestTest, LeftOverUploadsAndTheirBlobsAreClearedInTimeAndClipsAreNot) {
  const SentClip kept = MakeClip("cart-1", 1), left = MakeClip("cart-1", 2);
  auto device = Connect();
  ASSERT_TRUE(device->Upload(kept).receipt.has_value());
  device->Upload(left, 2);
  const std::vector<BlobId> blobs = (*catalog_->uploads.Find("cart-1", left.key()))->blobs;
  device->Cut();
  Restart();  // nobody writes into the files that there are
  Janitor janitor(catalog_->uploads, catalog_->names, *blobs_, **objects_, clock_, {});
  // As if everything had been written two hours ago: the store's blobs carry the disk's own time.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "blobs")) {
    const utimbuf old{::time(nullptr) - 7200, ::time(nullptr) - 7200};
    ASSERT_EQ(::utime(entry.path().c_str(), &old), 0);
  }
  ASSERT_TRUE(janitor.Clean().ok());
  EXPECT_TRUE(blobs_->SizeOf(blobs[1]).ok()) << "an upload of today is kept";
  clock_.StepWall(31 * 86400 * kNanosPerSecond);
  ASSERT_TRUE(janitor.Clean().ok());
  EXPECT_FALSE(catalog_->uploads.Find("cart-1", left.key())->has_value());
  EXPECT_TRUE(absl::IsNotFound(blobs_->SizeOf(blobs[1]).status()));
  ExpectWhole(kept);
}

}  // namespace
}  // namespace gleaner::cloud
