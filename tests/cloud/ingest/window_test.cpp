// A device that has several chunks under way before it hears of them: cuts, restarts and refusals
// in the middle of its window, one rule of the contract a test.
#include <gmock/gmock.h>

#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;

constexpr uint32_t kVideo = 1;

uint32_t Code(absl::StatusCode code) { return static_cast<uint32_t>(code); }

class WindowTest : public IngestTest {
 protected:
  // Offers `clip`; the lease.
  static uint64_t Begin(TestDevice& device, const SentClip& clip) {
    const auto answer = device.Ask(OfferOf(clip));
    EXPECT_TRUE(answer.has_grant()) << answer.ShortDebugString();
    return answer.grant().lease();
  }
  // A block of the video, behind which another follows at once.
  static v1::UploadRequest Block(const SentClip& clip, uint64_t lease, uint64_t block) {
    auto chunk = ChunkOf(clip, lease, kVideo, block * kBlockBytes);
    chunk.mutable_chunk()->set_more_follows(true);
    return chunk;
  }
  static v1::UploadRequest Preview(const SentClip& clip, uint64_t lease) {
    auto chunk = ChunkOf(clip, lease, 0, 0);
    chunk.mutable_chunk()->set_more_follows(true);
    return chunk;
  }
  static v1::UploadRequest Damaged(v1::UploadRequest chunk) {
    chunk.mutable_chunk()->mutable_data()->at(100) ^= 1;
    return chunk;
  }
  // The offsets that a new stream of the device is granted.
  std::vector<uint64_t> Granted(TestDevice& device, const SentClip& clip) {
    const auto answer = device.Ask(OfferOf(clip));
    EXPECT_TRUE(answer.has_grant()) << answer.ShortDebugString();
    return {answer.grant().durable_offset().begin(), answer.grant().durable_offset().end()};
  }
};

TEST_F(WindowTest, ACutInItsMiddleCostsOnlyWhatNothingWasSaidOf) {
  const SentClip clip = MakeClip("cart-1", 1, 8 * kBlockBytes);
  auto device = Connect();
  const uint64_t lease = Begin(*device, clip);
  for (uint64_t block = 0; block < 6; ++block) device->Send(Block(clip, lease, block));
  EXPECT_EQ(device->Read()->progress().durable_offset(), 4 * kBlockBytes);
  device->Cut();
  device = Connect();
  // The other two wait in memory for the one that was to follow, if they came at all. Whether they
  // are saved depends on how the server learns of the cut.
  const uint64_t granted = Granted(*device, clip).at(kVideo);
  EXPECT_GE(granted, 4 * kBlockBytes);
  const auto rest = device->UploadAtOnce(clip);
  ASSERT_TRUE(rest.receipt.has_value());
  EXPECT_EQ(rest.sent, clip.payload() - granted);
  ExpectWhole(clip);
}

TEST_F(WindowTest, WhatIsHeldWhenTheDeviceClosesItsSideIsMadeDurableAndTold) {
  const SentClip clip = MakeClip("cart-1", 1, 8 * kBlockBytes);
  auto device = Connect();
  const uint64_t lease = Begin(*device, clip);
  device->Send(Block(clip, lease, 0));
  device->Send(Block(clip, lease, 1));
  std::vector<v1::UploadResponse> last;
  EXPECT_TRUE(device->Finish(&last).ok());
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0].progress().lease(), lease);
  EXPECT_EQ(last[0].progress().durable_offset(), 2 * kBlockBytes);
  Restart();
  device = Connect();
  EXPECT_THAT(Granted(*device, clip), ElementsAre(0, 2 * kBlockBytes));
}

TEST_F(WindowTest, AnAnswerLostInItsMiddleIsGivenByTheNextGrant) {
  const SentClip clip = MakeClip("cart-1", 1, 12 * kBlockBytes);
  auto device = Connect();
  const uint64_t lease = Begin(*device, clip);
  for (uint64_t block = 0; block < 9; ++block) device->Send(Block(clip, lease, block));
  EXPECT_EQ(device->Read()->progress().durable_offset(), 4 * kBlockBytes);
  // On its way to a device that is gone by then.
  EXPECT_EQ(device->Read()->progress().durable_offset(), 8 * kBlockBytes);
  device = Connect();
  const uint64_t granted = Granted(*device, clip).at(kVideo);
  EXPECT_GE(granted, 8 * kBlockBytes);
  EXPECT_EQ(device->UploadAtOnce(clip).sent, clip.payload() - granted);
  ExpectWhole(clip);
}

TEST_F(WindowTest, AReceiptLostWithTheStreamIsGivenAgain) {
  const SentClip clip = MakeClip("cart-1", 1, 6 * kBlockBytes);
  ASSERT_TRUE(Connect()->UploadAtOnce(clip).receipt.has_value());
  const auto again = Connect()->UploadAtOnce(clip);
  ASSERT_TRUE(again.receipt.has_value());
  EXPECT_TRUE(again.receipt->duplicate());
  EXPECT_EQ(again.sent, 0u);
  EXPECT_EQ(catalog_->GetSummary(0)->clips(), 1u);
}

TEST_F(WindowTest, IsSentAgainFromALowerOffsetThanWasToldWhenAPowerCutTookTheRest) {
  const SentClip clip = MakeClip("cart-1", 1, 8 * kBlockBytes);
  auto device = Connect();
  const uint64_t lease = Begin(*device, clip);
  device->Send(Preview(clip, lease));
  device->Send(Block(clip, lease, 0));
  device->Send(Block(clip, lease, 1));
  device->Send(ChunkOf(clip, lease, kVideo, 2 * kBlockBytes));
  EXPECT_EQ(device->Read()->progress().durable_offset(), 20'000u);
  EXPECT_EQ(device->Read()->progress().durable_offset(), 3 * kBlockBytes);
  const BlobId blob = (*catalog_->uploads.Find("cart-1", clip.key()))->blobs[kVideo];
  Stop();
  ASSERT_TRUE((*FileBlobStore::Open(folder_ / "blobs"))->Remove(blob).ok());
  Start();
  device = Connect();
  EXPECT_THAT(Granted(*device, clip), ElementsAre(20'000, 0));
  EXPECT_TRUE(device->UploadAtOnce(clip).receipt.has_value());
  ExpectWhole(clip);
}

TEST_F(WindowTest, EachChunkBehindARefusedOneIsRefusedAndToldTheSameOffset) {
  const SentClip clip = MakeClip("cart-1", 1, 8 * kBlockBytes);
  auto device = Connect();
  const uint64_t lease = Begin(*device, clip);
  device->Send(Preview(clip, lease));
  device->Send(Block(clip, lease, 0));
  device->Send(Block(clip, lease, 1));
  device->Send(Damaged(Block(clip, lease, 2)));
  for (uint64_t block = 3; block < 6; ++block) device->Send(Block(clip, lease, block));
  for (uint64_t block = 2; block < 6; ++block) {
    const auto refusal = device->Read()->refusal();
    EXPECT_EQ(refusal.code(), Code(block == 2 ? absl::StatusCode::kDataLoss
                                              : absl::StatusCode::kFailedPrecondition));
    EXPECT_EQ(refusal.lease(), lease);
    EXPECT_EQ(refusal.object(), kVideo);
    EXPECT_EQ(refusal.durable_offset(), 2 * kBlockBytes);
  }
  // The offset was a promise: it holds after a restart.
  Restart();
  device = Connect();
  EXPECT_THAT(Granted(*device, clip), ElementsAre(20'000, 2 * kBlockBytes));
  EXPECT_TRUE(device->UploadAtOnce(clip).receipt.has_value());
  ExpectWhole(clip);
}

TEST_F(WindowTest, ChunksUnderWayWhenTheirClipIsOfferedAgainAreRefusedAndTheNewLeaseGoesOn) {
  const SentClip clip = MakeClip("cart-1", 1, 8 * kBlockBytes);
  auto device = Connect();
  const uint64_t old = Begin(*device, clip);
  device->Send(Block(clip, old, 0));
  device->Send(Damaged(Block(clip, old, 1)));
  EXPECT_EQ(device->Read()->refusal().code(), Code(absl::StatusCode::kDataLoss));
  const auto grant = device->Ask(OfferOf(clip)).grant();
  EXPECT_EQ(grant.durable_offset(kVideo), kBlockBytes);
  for (uint64_t block = 2; block < 5; ++block) {
    device->Send(Block(clip, old, block));
    device->Send(Block(clip, grant.lease(), block - 1));
  }
  for (int i = 0; i < 3; ++i) {
    const auto refusal = device->Read()->refusal();
    EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kAborted));
    EXPECT_EQ(refusal.lease(), old);
  }
  device->Send(Block(clip, grant.lease(), 4));
  EXPECT_EQ(device->Read()->progress().durable_offset(), 5 * kBlockBytes);
}

TEST_F(WindowTest, ARefusalOfOneClipLeavesWhatIsUnderWayOfAnotherAlone) {
  const SentClip committed = MakeClip("cart-1", 1);
  auto device = Connect();
  ASSERT_TRUE(device->Upload(committed).receipt.has_value());
  SentClip other = committed;  // the same key
  other.manifest.set_shortfall("another");
  other.Seal();
  const SentClip damaged = MakeClip("cart-1", 2, 4 * kBlockBytes);
  const SentClip clip = MakeClip("cart-1", 3, 8 * kBlockBytes);
  const uint64_t lease = Begin(*device, clip), lease_of_damaged = Begin(*device, damaged);

  device->Send(Block(clip, lease, 0));
  EXPECT_EQ(device->Ask(OfferOf(other)).refusal().code(), Code(absl::StatusCode::kAlreadyExists));
  device->Send(Block(clip, lease, 1));
  const auto refusal = device->Ask(Damaged(Block(damaged, lease_of_damaged, 0))).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kDataLoss));
  EXPECT_EQ(refusal.key().sequence(), 2u);
  device->Send(Block(clip, lease, 2));
  device->Send(Block(clip, lease, 3));
  const auto progress = device->Read()->progress();
  EXPECT_EQ(progress.lease(), lease);
  EXPECT_EQ(progress.durable_offset(), 4 * kBlockBytes);
  EXPECT_TRUE(device->UploadAtOnce(clip).receipt.has_value());
  EXPECT_TRUE(device->UploadAtOnce(damaged).receipt.has_value());
  for (const SentClip& each : {committed, damaged, clip}) ExpectWhole(each);
}

}  // namespace
}  // namespace gleaner::cloud
