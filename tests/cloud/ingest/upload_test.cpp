// The upload protocol, over real gRPC and mutual TLS, one rule of the contract a test.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <thread>

#include "cloud/store/blob_place.h"
#include "common/file.h"
#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kVideo = 1;

uint32_t Code(absl::StatusCode code) { return static_cast<uint32_t>(code); }
std::vector<uint64_t> Offsets(const v1::Grant& grant) {
  return {grant.durable_offset().begin(), grant.durable_offset().end()};
}

TEST_F(IngestTest, AClipArrivesWholeAndItsReceiptQuotesTheManifest) {
  const SentClip clip = MakeClip("cart-1", 1);
  const auto progress = Connect()->Upload(clip);
  ASSERT_TRUE(progress.receipt.has_value());
  EXPECT_EQ(progress.receipt->manifest_sha256(), AsBytes(Sha256::Of(clip.bytes)));
  EXPECT_EQ(progress.receipt->key().sequence(), 1u);
  EXPECT_EQ(progress.receipt->committed_unix_ns(), clock_.WallNs());
  EXPECT_FALSE(progress.receipt->duplicate());
  EXPECT_EQ(progress.sent, clip.payload());
  ExpectWhole(clip);
  EXPECT_EQ(service_->stats().clips_total, 1u);
  EXPECT_EQ(service_->stats().bytes_total, clip.payload());
}

TEST_F(IngestTest, ProgressIsToldAsSoonAsTheDeviceWaitsForIt) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto device = Connect();
  const uint64_t lease = device->Ask(OfferOf(clip)).grant().lease();
  EXPECT_NE(lease, 0u);
  const auto answer = device->Ask(ChunkOf(clip, lease, kVideo, 0));
  ASSERT_TRUE(answer.has_progress()) << answer.ShortDebugString();
  EXPECT_EQ(answer.progress().lease(), lease);
  EXPECT_EQ(answer.progress().object(), kVideo);
  EXPECT_EQ(answer.progress().durable_offset(), kBlockBytes);
}

TEST_F(IngestTest, ProgressMayWaitForTheChunkThatTheDeviceSaysFollows) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto device = Connect();
  const uint64_t lease = device->Ask(OfferOf(clip)).grant().lease();
  auto first = ChunkOf(clip, lease, kVideo, 0);
  first.mutable_chunk()->set_more_follows(true);
  device->Send(first);
  const auto answer = device->Ask(ChunkOf(clip, lease, kVideo, kBlockBytes));
  EXPECT_EQ(answer.progress().durable_offset(), 2 * kBlockBytes) << "one answer for both";
}

TEST_F(IngestTest, ProgressComesAfterAMebibyteThoughMoreFollows) {
  const SentClip clip = MakeClip("cart-1", 1, 8 * kBlockBytes);
  auto device = Connect();
  const uint64_t lease = device->Ask(OfferOf(clip)).grant().lease();
  for (uint64_t block = 0; block < 4; ++block) {
    auto chunk = ChunkOf(clip, lease, kVideo, block * kBlockBytes);
    chunk.mutable_chunk()->set_more_follows(true);
    device->Send(chunk);
  }
  EXPECT_EQ(device->Read()->progress().durable_offset(), 4 * kBlockBytes);
}

TEST_F(IngestTest, AClipThatNothingIsHeardOfGivesItsPlaceToAnother) {
  options_.uploads_per_stream = 2;
  Restart();
  auto device = Connect();
  const uint64_t silent = device->Ask(OfferOf(MakeClip("cart-1", 1))).grant().lease();
  clock_.Advance(options_.lane_silence_ns - 1);
  const SentClip busy = MakeClip("cart-1", 2);
  const uint64_t lease = device->Ask(OfferOf(busy)).grant().lease();
  EXPECT_TRUE(device->Ask(OfferOf(MakeClip("cart-1", 3))).has_refusal());
  clock_.Advance(1);
  EXPECT_TRUE(device->Ask(OfferOf(MakeClip("cart-1", 3))).has_grant());
  const auto late = device->Ask(ChunkOf(MakeClip("cart-1", 1), silent, kVideo, 0));
  EXPECT_EQ(late.refusal().code(), Code(absl::StatusCode::kAborted));
  EXPECT_TRUE(device->Ask(ChunkOf(busy, lease, kVideo, 0)).has_progress());
}

TEST_F(IngestTest, ResumesAtTheDurableOffsetAfterACutAtEveryChunk) {
  constexpr int kChunks = 4;  // one preview, three video
  for (int cut = 0; cut <= kChunks - 1; ++cut) {
    const SentClip clip = MakeClip("cart-1", static_cast<uint64_t>(cut) + 1);
    auto device = Connect();
    const auto before = device->Upload(clip, cut);
    EXPECT_FALSE(before.receipt.has_value());
    device->Cut();
    const auto after = Connect()->Upload(clip);
    ASSERT_TRUE(after.receipt.has_value()) << "cut after " << cut;
    EXPECT_EQ(before.sent + after.sent, clip.payload()) << "cut after " << cut;
    ExpectWhole(clip);
  }
}

TEST_F(IngestTest, ResumesAfterTheServerWasRestartedAtEveryChunk) {
  for (int cut = 0; cut < 4; ++cut) {
    const SentClip clip = MakeClip("cart-1", static_cast<uint64_t>(cut) + 1);
    const auto before = Connect()->Upload(clip, cut);
    Restart();
    const auto after = Connect()->Upload(clip);
    ASSERT_TRUE(after.receipt.has_value());
    EXPECT_EQ(before.sent + after.sent, clip.payload());
    ExpectWhole(clip);
  }
  EXPECT_EQ(catalog_->GetSummary(0)->clips(), 4u);
}

TEST_F(IngestTest, AClipOfferedAgainGetsTheSameReceipt) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto device = Connect();
  const auto first = device->Upload(clip);
  clock_.Advance(kNanosPerSecond);
  for (int i = 0; i < 2; ++i) {
    const auto again = device->Upload(clip);
    ASSERT_TRUE(again.receipt.has_value());
    EXPECT_TRUE(again.receipt->duplicate());
    EXPECT_EQ(again.receipt->committed_unix_ns(), first.receipt->committed_unix_ns());
    EXPECT_EQ(again.receipt->manifest_sha256(), first.receipt->manifest_sha256());
    EXPECT_EQ(again.sent, 0u);
  }
  Restart();
  EXPECT_TRUE(Connect()->Upload(clip).receipt->duplicate());
  EXPECT_EQ(catalog_->GetSummary(0)->clips(), 1u);
}

TEST_F(IngestTest, AnotherManifestUnderACommittedKeyIsRefusedAndNoted) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto device = Connect();
  ASSERT_TRUE(device->Upload(clip).receipt.has_value());
  SentClip other = clip;
  other.manifest.set_shortfall("another");
  other.Seal();
  const auto answer = device->Ask(OfferOf(other));
  ASSERT_TRUE(answer.has_refusal()) << answer.ShortDebugString();
  EXPECT_EQ(answer.refusal().code(), Code(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(answer.refusal().key().sequence(), 1u);
  EXPECT_EQ(service_->stats().conflicts_total, 1u);
  ExpectWhole(clip);
  EXPECT_TRUE(device->Upload(MakeClip("cart-1", 2)).receipt.has_value()) << "the stream goes on";
}

TEST_F(IngestTest, AClipMadeAnewBeforeItWasCommittedStartsOver) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto device = Connect();
  device->Upload(clip, 2);
  SentClip other = clip;
  other.manifest.set_shortfall("another");
  other.Seal();
  const auto progress = device->Upload(other);
  ASSERT_TRUE(progress.receipt.has_value());
  EXPECT_EQ(progress.sent, other.payload());
  ExpectWhole(other);
  EXPECT_EQ(service_->stats().conflicts_total, 1u);
}

TEST_F(IngestTest, OfferingAgainOnTheSameStreamFencesTheOldLease) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto device = Connect();
  const uint64_t old = device->Ask(OfferOf(clip)).grant().lease();
  device->Ask(ChunkOf(clip, old, kVideo, 0));
  const auto again = device->Ask(OfferOf(clip));
  EXPECT_GT(again.grant().lease(), old);
  EXPECT_THAT(Offsets(again.grant()), ElementsAre(0, kBlockBytes));
  const auto refused = device->Ask(ChunkOf(clip, old, kVideo, kBlockBytes));
  EXPECT_EQ(refused.refusal().code(), Code(absl::StatusCode::kAborted));
  EXPECT_EQ(refused.refusal().lease(), old);
  const auto taken = device->Ask(ChunkOf(clip, again.grant().lease(), kVideo, kBlockBytes));
  EXPECT_EQ(taken.progress().durable_offset(), 2 * kBlockBytes);
}

TEST_F(IngestTest, ASecondStreamOfADeviceClosesTheFirstAndFencesItsLeases) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto first = Connect();
  const uint64_t old = first->Ask(OfferOf(clip)).grant().lease();
  auto second = Connect();
  const auto grant = second->Ask(OfferOf(clip)).grant();
  EXPECT_FALSE(first->Read().has_value());
  EXPECT_EQ(first->Finish().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(second->Ask(ChunkOf(clip, old, kVideo, 0)).refusal().code(),
            Code(absl::StatusCode::kAborted));
  EXPECT_TRUE(second->Ask(ChunkOf(clip, grant.lease(), kVideo, 0)).has_progress());
  auto other = Connect("cart-2");
  EXPECT_TRUE(other->Upload(MakeClip("cart-2", 1)).receipt.has_value());
  EXPECT_TRUE(second->Upload(MakeClip("cart-1", 2)).receipt.has_value());
}

TEST_F(IngestTest, AChunkBeyondTheOffsetIsToldTheTrueOne) {
  const SentClip clip = MakeClip("cart-1", 1, 4 * kBlockBytes);
  auto device = Connect();
  const uint64_t lease = device->Ask(OfferOf(clip)).grant().lease();
  device->Ask(ChunkOf(clip, lease, kVideo, 0));
  const auto refusal = device->Ask(ChunkOf(clip, lease, kVideo, 2 * kBlockBytes)).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(refusal.lease(), lease);
  EXPECT_EQ(refusal.object(), kVideo);
  EXPECT_EQ(refusal.durable_offset(), kBlockBytes);
  EXPECT_TRUE(device->Ask(ChunkOf(clip, lease, kVideo, kBlockBytes)).has_progress());
}

TEST_F(IngestTest, AChunkBelowTheOffsetIsCheckedAndSkipped) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto device = Connect();
  const uint64_t lease = device->Ask(OfferOf(clip)).grant().lease();
  device->Ask(ChunkOf(clip, lease, kVideo, 0));
  device->Ask(ChunkOf(clip, lease, kVideo, kBlockBytes));
  EXPECT_EQ(device->Ask(ChunkOf(clip, lease, kVideo, 0)).progress().durable_offset(),
            2 * kBlockBytes);
  auto wrong = ChunkOf(clip, lease, kVideo, 0);
  wrong.mutable_chunk()->mutable_data()->at(5) ^= 1;
  const auto refusal = device->Ask(wrong).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kDataLoss));
  EXPECT_EQ(refusal.durable_offset(), 2 * kBlockBytes);
  EXPECT_TRUE(device->Upload(clip).receipt.has_value());
  ExpectWhole(clip);
}

TEST_F(IngestTest, ADamagedChunkIsRefusedAndMayBeSentAgain) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto device = Connect();
  const uint64_t lease = device->Ask(OfferOf(clip)).grant().lease();
  auto on_the_wire = ChunkOf(clip, lease, kVideo, 0);
  on_the_wire.mutable_chunk()->mutable_data()->at(100) ^= 1;
  auto in_the_spool = on_the_wire;
  in_the_spool.mutable_chunk()->set_xxh3(Xxh3(in_the_spool.chunk().data()));
  for (const auto& damaged : {on_the_wire, in_the_spool}) {
    const auto refusal = device->Ask(damaged).refusal();
    EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kDataLoss));
    EXPECT_EQ(refusal.object(), kVideo);
    EXPECT_EQ(refusal.durable_offset(), 0u);
  }
  EXPECT_TRUE(device->Ask(ChunkOf(clip, lease, kVideo, 0)).has_progress());
  EXPECT_TRUE(device->Upload(clip).receipt.has_value());
  ExpectWhole(clip);
}

TEST_F(IngestTest, AnObjectWhoseDigestDiffersIsForgottenAndNeverCommitted) {
  SentClip clip = MakeClip("cart-1", 1);
  clip.manifest.mutable_objects(kVideo)->mutable_sha256()->at(0) ^= 1;
  clip.Seal();
  auto device = Connect();
  const uint64_t lease = device->Ask(OfferOf(clip)).grant().lease();
  device->Ask(ChunkOf(clip, lease, kVideo, 0));
  device->Ask(ChunkOf(clip, lease, kVideo, kBlockBytes));
  const auto refusal = device->Ask(ChunkOf(clip, lease, kVideo, 2 * kBlockBytes)).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kDataLoss));
  EXPECT_EQ(refusal.object(), kVideo);
  EXPECT_EQ(refusal.durable_offset(), 0u);
  EXPECT_EQ(device->Ask(ChunkOf(clip, lease, kVideo, 0)).progress().durable_offset(), kBlockBytes);
  EXPECT_EQ(catalog_->GetSummary(0)->clips(), 0u);
}

TEST_F(IngestTest, AClipThatComesAtOnceIsAnsweredByItsReceiptAlone) {
  const SentClip clip = MakeClip("cart-1", 1);
  const auto progress = Connect()->UploadAtOnce(clip);
  EXPECT_TRUE(progress.receipt.has_value());
  EXPECT_EQ(progress.answers, 1);
  ExpectWhole(clip);
  Restart();
  ExpectWhole(clip);
  EXPECT_EQ(catalog_->uploads.Sum("cart-1")->count, 0u);
}

TEST_F(IngestTest, ALongClipThatComesAtOnceIsHeardOfAlongTheWay) {
  const SentClip clip = MakeClip("cart-1", 1, 9 * kBlockBytes);
  const auto progress = Connect()->UploadAtOnce(clip);
  EXPECT_TRUE(progress.receipt.has_value());
  EXPECT_GT(progress.answers, 1);
  ExpectWhole(clip);
}

TEST_F(IngestTest, WhatIsCutBeforeAnythingWasToldLeavesNothingBehind) {
  const SentClip clip = MakeClip("cart-1", 1);
  auto device = Connect();
  ASSERT_TRUE(device->Ask(OfferOf(clip)).has_grant());
  device->Cut();
  Stop();  // the pool's work is done then
  for (const auto& file : std::filesystem::directory_iterator(folder_ / "blobs")) {
    struct stat info {};
    ASSERT_EQ(::stat(file.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_blocks, 0);
  }
  Start();
  EXPECT_FALSE(catalog_->uploads.Find("cart-1", clip.key())->has_value());
}

TEST_F(IngestTest, SeveralClipsTravelAtOnceOnOneStream) {
  auto device = Connect();
  std::vector<SentClip> clips;
  for (uint64_t i = 1; i <= 6; ++i) clips.push_back(MakeClip("cart-1", i));
  for (const SentClip& clip : clips) device->Send(OfferOf(clip));
  std::map<uint64_t, uint64_t> leases;
  for (size_t i = 0; i < clips.size(); ++i) {
    const auto answer = device->Read();
    ASSERT_TRUE(answer && answer->has_grant());
    leases[answer->grant().key().sequence()] = answer->grant().lease();
  }
  // All chunks without waiting, clips interleaved.
  std::thread sender([&] {
    for (uint64_t offset = 0; offset < clips[0].objects[kVideo].size(); offset += kBlockBytes) {
      for (const SentClip& clip : clips) {
        const uint64_t lease = leases[clip.key().sequence];
        if (offset == 0) device->Send(ChunkOf(clip, lease, 0, 0));
        device->Send(ChunkOf(clip, lease, kVideo, offset));
      }
    }
  });
  size_t receipts = 0;
  while (receipts < clips.size()) {
    const auto answer = device->Read();
    ASSERT_TRUE(answer.has_value());
    EXPECT_FALSE(answer->has_refusal()) << answer->ShortDebugString();
    receipts += answer->has_receipt() ? 1 : 0;
  }
  sender.join();
  for (const SentClip& clip : clips) ExpectWhole(clip);
  EXPECT_TRUE(device->Finish().ok());
}

TEST_F(IngestTest, ProgressComesForEveryClipThatWaitsWhenTheStreamGoesIdle) {
  auto device = Connect();
  const SentClip a = MakeClip("cart-1", 1), b = MakeClip("cart-1", 2);
  const uint64_t lease_a = device->Ask(OfferOf(a)).grant().lease();
  const uint64_t lease_b = device->Ask(OfferOf(b)).grant().lease();
  device->Send(ChunkOf(a, lease_a, kVideo, 0));
  device->Send(ChunkOf(b, lease_b, kVideo, 0));
  std::map<uint64_t, uint64_t> durable;
  for (int i = 0; i < 2; ++i) {
    const auto answer = device->Read();
    ASSERT_TRUE(answer && answer->has_progress());
    durable[answer->progress().lease()] = answer->progress().durable_offset();
  }
  EXPECT_EQ(durable,
            (std::map<uint64_t, uint64_t>{{lease_a, kBlockBytes}, {lease_b, kBlockBytes}}));
}

TEST_F(IngestTest, WhatWasDamagedOnTheDiskIsAskedForAgain) {
  const SentClip clip = MakeClip("cart-1", 1, 4 * kBlockBytes);
  Connect()->Upload(clip, 4);  // the preview and three blocks
  const BlobId blob = (*catalog_->uploads.Find("cart-1", clip.key()))->blobs[kVideo];
  Stop();
  {
    const BlobPlace place = *PlaceOf(blob);
    auto file = OpenFile(folder_ / ("blobs/" + place.segment), O_RDWR);
    ASSERT_TRUE(WriteAt(file->get(), "torn", 4, place.offset + kBlockBytes + 10).ok());
  }
  Start();
  auto device = Connect();
  EXPECT_THAT(Offsets(device->Ask(OfferOf(clip)).grant()), ElementsAre(20'000, kBlockBytes));
  EXPECT_TRUE(device->Upload(clip).receipt.has_value());
  ExpectWhole(clip);
}

TEST_F(IngestTest, ABlobWhoseBytesAPowerCutTookIsSentAgain) {
  const SentClip clip = MakeClip("cart-1", 1);
  Connect()->Upload(clip, 2);
  const BlobId blob = (*catalog_->uploads.Find("cart-1", clip.key()))->blobs[kVideo];
  Stop();
  ASSERT_TRUE((*FileBlobStore::Open(folder_ / "blobs"))->Remove(blob).ok());
  Start();
  auto device = Connect();
  EXPECT_THAT(Offsets(device->Ask(OfferOf(clip)).grant()), ElementsAre(20'000, 0));
  EXPECT_TRUE(device->Upload(clip).receipt.has_value());
  ExpectWhole(clip);
}

TEST_F(IngestTest, HalfClosingEndsTheStreamWellOnceAllIsAnswered) {
  auto device = Connect();
  const SentClip clip = MakeClip("cart-1", 1);
  const uint64_t lease = device->Ask(OfferOf(clip)).grant().lease();
  device->Send(ChunkOf(clip, lease, kVideo, 0));
  EXPECT_TRUE(device->Finish().ok());
  EXPECT_TRUE(catalog_->uploads.Find("cart-1", clip.key())->has_value());
}

TEST_F(IngestTest, StoppingEndsStreamsWithUnavailableAndInTime) {
  auto device = Connect();
  device->Upload(MakeClip("cart-1", 1), 2);
  const auto start = std::chrono::steady_clock::now();
  Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
  EXPECT_EQ(device->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace gleaner::cloud
