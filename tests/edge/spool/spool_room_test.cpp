// What a spool lets go of when there is no room, or when it has waited long enough; and what not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/limits.h"
#include "edge/spool/spool.h"
#include "tests/edge/spool/spool_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;

class SpoolRoomTest : public SpoolRig {};

TEST_F(SpoolRoomTest, EvictsTheLeastValuableThenTheOldestWhenFull) {
  const auto spool = Open();  // 16 blocks
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}, 5).ok());
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}, 2).ok());
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}, 2).ok());
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}, 5).ok());
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}, 5).ok());
  EXPECT_THAT(Order(*spool), ElementsAre(1, 4, 5, 3));
  EXPECT_EQ(spool->stats().evicted_total, 1u);
  const auto report = *spool->Ledger();
  ASSERT_EQ(report.boots(0).tombstones_size(), 1);
  EXPECT_EQ(report.boots(0).tombstones(0).key().sequence(), 2u);
  EXPECT_EQ(report.boots(0).tombstones(0).state(), v1::Tombstone::STATE_EVICTED);
  for (size_t i = 0; i < 4; ++i) {
    const auto clip = *spool->Next({});
    EXPECT_EQ(*ReadObject(*spool, *clip, 0), TestBytes(clip->key.sequence, 0, kMiB));
    ASSERT_TRUE(spool->Release(clip->key, clip->manifest_sha256).ok());
  }
}

TEST_F(SpoolRoomTest, NeverEvictsWhatIsBeingUploadedOrWorthMore) {
  const auto spool = Open();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(AddTestClip(*spool, {kMiB}, 4).ok());
  const auto uploading = *spool->Next({});
  EXPECT_EQ(uploading->key.sequence, 1u);
  EXPECT_TRUE(absl::IsResourceExhausted(
      AddTestClip(*spool, {kMiB}, 3).status()));         // 5: worth less than all
  ASSERT_TRUE(AddTestClip(*spool, {3 * kMiB}, 4).ok());  // 6: all but the first go
  EXPECT_THAT(Order(*spool), ElementsAre(1, 6));
  ASSERT_TRUE(spool->Next({}).ok());
  EXPECT_EQ(*ReadObject(*spool, *uploading, 0), TestBytes(1, 0, kMiB));
}

TEST_F(SpoolRoomTest, StopsWhenFullIfTheOwnerWantsThat) {
  options_.when_full = "stop";
  const auto spool = Open();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(AddTestClip(*spool, {kMiB}, 0).ok());
  const auto refused = AddTestClip(*spool, {kMiB}, 9);
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  EXPECT_EQ(spool->stats().failed_total, 1u);
  EXPECT_EQ(spool->stats().evicted_total, 0u);
  const auto clip = *spool->Next({});
  ASSERT_TRUE(spool->Release(clip->key, clip->manifest_sha256).ok());
  EXPECT_TRUE(AddTestClip(*spool, {kMiB}, 0).ok());
}

TEST_F(SpoolRoomTest, KeepsTheLedgerWithinItsReserveByEvictingInlineClips) {
  const auto spool = Open();  // the ledger has 4 MiB, so about 80 of these fit
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(AddTestClip(*spool, {50'000}).ok()) << i;
  EXPECT_GT(spool->stats().evicted_total, 100u);
  EXPECT_GT(spool->stats().pending_clips, 50u);
  EXPECT_EQ(std::filesystem::file_size(options_.directory + "/spool.db") / kMiB, 4u);
}

TEST_F(SpoolRoomTest, SaysWhichOfBlocksAndLedgerWasFull) {
  const auto spool = Open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(AddTestClip(*spool, {kMiB}).ok());
  const auto reason = [&] { return spool->Ledger()->boots(0).tombstones(0).reason(); };
  EXPECT_EQ(reason(), "the spool was full");
  ASSERT_TRUE(spool->AcknowledgeTombstones({{spool->boot_id(), 1}}).ok());
  while (spool->stats().evicted_total == 1) ASSERT_TRUE(AddTestClip(*spool, {50'000}).ok());
  EXPECT_EQ(reason(), "the spool's ledger was full");
}

TEST_F(SpoolRoomTest, EvictsForABlockOnlyWhatHasOne) {
  const auto spool = Open();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(AddTestClip(*spool, {20'000}, 5).ok());
  ASSERT_TRUE(AddTestClip(*spool, {4 * kMiB}, 9).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(AddTestClip(*spool, {kBlockBytes}, 5).status()));
  EXPECT_EQ(spool->stats().pending_clips, 41u);
  EXPECT_EQ(spool->stats().evicted_total, 0u);
}

TEST_F(SpoolRoomTest, KeepsQuarantinedClipsForAPersonWithinAQuarterOfTheQuota) {
  {
    const auto spool = Open();  // a quarter: 4 blocks
    for (int i = 0; i < 3; ++i) {
      const auto clip = AddTestClip(*spool, {2 * kBlockBytes});
      ASSERT_TRUE(spool->Quarantine(clip->key, "the cloud refuses it").ok());
    }
    EXPECT_EQ(spool->stats().quarantined, 2u);
    EXPECT_EQ(spool->stats().failed_total, 3u);
    EXPECT_EQ(spool->stats().used_bytes, 4 * kBlockBytes);
    EXPECT_FALSE((*spool->Next({})).has_value());
    EXPECT_EQ(spool->Ledger()->boots(0).tombstones_size(), 3);
    EXPECT_TRUE(absl::IsNotFound(spool->Release({spool->boot_id(), 3}, {})));
    ASSERT_TRUE(spool
                    ->AcknowledgeTombstones(
                        {{spool->boot_id(), 1}, {spool->boot_id(), 2}, {spool->boot_id(), 3}})
                    .ok());
  }
  {
    const auto spool = Open();  // acknowledged and still kept
    EXPECT_EQ(spool->stats().quarantined, 2u);
    EXPECT_EQ(spool->Ledger()->boots(0).tombstones_size(), 0);
    const auto large = AddTestClip(*spool, {5 * kBlockBytes});
    ASSERT_TRUE(spool->Quarantine(large->key, "larger than quarantine").ok());
    EXPECT_EQ(spool->stats().quarantined, 0u);
    EXPECT_EQ(spool->stats().used_bytes, 0u);
  }
}

TEST_F(SpoolRoomTest, KeepsQuarantinedClipsWithinAQuarterOfTheLedgerToo) {
  {
    const auto spool = Open();  // a quarter: 1 MiB
    for (int i = 0; i < 200; ++i) {
      const auto clip = AddTestClip(*spool, {50'000});
      ASSERT_TRUE(clip.ok()) << i << ": " << clip.status();
      ASSERT_TRUE(spool->Quarantine(clip->key, "the cloud refuses it").ok());
    }
    EXPECT_GT(spool->stats().quarantined, 15u);
    EXPECT_LT(spool->stats().quarantined, 22u);
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(AddTestClip(*spool, {50'000}).ok()) << i;
    EXPECT_EQ(spool->stats().evicted_total, 0u);
  }
  EXPECT_GT(Open()->stats().quarantined, 15u);
}

TEST_F(SpoolRoomTest, ExpiresByTheClockThatCanBeTrusted) {
  options_.max_age_ns = 3600 * kNanosPerSecond;
  {
    const auto spool = Open("boot-a");
    ASSERT_TRUE(AddTestClip(*spool, {10}).ok());
    clock_.StepWall(10LL * 365 * 86400 *
                    kNanosPerSecond);  // NTP sets the clock ten years on: no reason to delete
    EXPECT_THAT(Order(*spool), ElementsAre(1));
    clock_.Advance(3601 * kNanosPerSecond);
    EXPECT_THAT(Order(*spool), ElementsAre());
    EXPECT_EQ(spool->stats().expired_total, 1u);
    ASSERT_TRUE(AddTestClip(*spool, {10}).ok());  // 2: the wall clock is known to be right
    clock_.SetWallUncertainty(0);
    ASSERT_TRUE(AddTestClip(*spool, {10}).ok());  // 3: nobody knows
  }
  clock_.SetWallUncertainty(kNanosPerMilli);
  clock_.Advance(3601 * kNanosPerSecond);
  const auto spool = Open("boot-b");
  EXPECT_THAT(Order(*spool), ElementsAre(3));
}

TEST_F(SpoolRoomTest, KeepsAFreshClipOfAnEarlierBootWhoseClockWasWrong) {
  constexpr int64_t kYearNs = 365 * 86400 * kNanosPerSecond;
  options_.max_age_ns = 3600 * kNanosPerSecond;
  clock_.StepWall(-20 * kYearNs);
  clock_.SetWallUncertainty(20 * kYearNs);  // as the server's answers told
  ASSERT_TRUE(AddTestClip(*Open("boot-a"), {10}).ok());
  clock_.StepWall(20 * kYearNs);
  clock_.SetWallUncertainty(kNanosPerMilli);
  clock_.Advance(600 * kNanosPerSecond);
  {
    const auto spool = Open("boot-b");
    EXPECT_THAT(Order(*spool), ElementsAre(1)) << "its label says twenty years";
    EXPECT_EQ(spool->stats().oldest_pending_s, 599u);
  }
  clock_.Advance(3001 * kNanosPerSecond);
  EXPECT_THAT(Order(*Open("boot-b")), ElementsAre()) << "even at its latest it is an hour old";
}

TEST_F(SpoolRoomTest, ExpiresALongBacklogAFewAtATimeAndHandsOutNoneOfIt) {
  options_.max_age_ns = 3600 * kNanosPerSecond;
  const auto spool = Open();
  for (int i = 0; i < 150; ++i) ASSERT_TRUE(AddTestClip(*spool, {10}).ok());
  clock_.Advance(3601 * kNanosPerSecond);
  ASSERT_TRUE(AddTestClip(*spool, {10}, /*priority=*/0).ok());
  for (const uint64_t expired : {64, 128, 150, 150}) {
    EXPECT_EQ((*spool->Next({}))->key.sequence, 151u);
    EXPECT_EQ(spool->stats().expired_total, expired);
  }
}

TEST_F(SpoolRoomTest, ExpiresWhatIsOldBeforeItEvictsWhatIsFresh) {
  options_.max_age_ns = 3600 * kNanosPerSecond;
  options_.quota_bytes = 100 * kBlockBytes;
  const auto spool = Open();
  for (int i = 0; i < 90; ++i) ASSERT_TRUE(AddTestClip(*spool, {kBlockBytes}, 9).ok());
  clock_.Advance(3601 * kNanosPerSecond);
  ASSERT_TRUE(AddTestClip(*spool, {9 * kBlockBytes}, 0).ok());
  ASSERT_TRUE(AddTestClip(*spool, {80 * kBlockBytes}, 9).ok());
  EXPECT_EQ(spool->stats().expired_total, 90u);
  EXPECT_EQ(spool->stats().evicted_total, 0u);
}

}  // namespace
}  // namespace gleaner::edge
