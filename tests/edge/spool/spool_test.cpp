#include "edge/spool/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "common/limits.h"
#include "tests/edge/spool/spool_testing.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

class SpoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<Spool> Open(std::string_view kernel_boot = kTestBoot) {
    auto spool = Spool::Open(options_, clock_, kernel_boot);
    EXPECT_TRUE(spool.ok()) << spool.status();
    return spool.ok() ? *std::move(spool) : nullptr;
  }
  // All numbers in the order in which they would be uploaded.
  static std::vector<uint64_t> Order(Spool& spool) {
    std::vector<uint64_t> order;
    absl::flat_hash_set<ClipKey> seen;
    while (auto clip = *spool.Next(seen)) {
      seen.insert(clip->key);
      order.push_back(clip->key.sequence);
      spool.PutBack(clip->key);
    }
    return order;
  }

  TempFolder folder_;
  FakeClock clock_;
  SpoolOptions options_{.directory = folder_.path() + "/spool", .quota_bytes = 4 * kMiB};
};

TEST_F(SpoolTest, GivesBackWhatWasWrittenByteForByte) {
  const auto spool = Open();
  // Below and at the bound of inline objects, a whole block, one byte more, several blocks.
  const std::vector<uint64_t> sizes = {1,           kInlineBytes - 1, kInlineBytes,
                                       kBlockBytes, kBlockBytes + 1,  900'000};
  const auto clip = AddTestClip(*spool, sizes);
  ASSERT_TRUE(clip.ok()) << clip.status();
  const auto next = spool->Next({});
  ASSERT_TRUE(next.ok() && next->has_value());
  EXPECT_EQ((*next)->manifest, clip->manifest);
  EXPECT_EQ((*next)->manifest_sha256, Sha256::Of(clip->manifest));
  ASSERT_EQ((*next)->objects.size(), sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i) {
    const StoredObject& object = (*next)->objects[i];
    const std::string expected = TestBytes(clip->key.sequence, i, sizes[i]);
    EXPECT_EQ(*ReadObject(*spool, **next, i), expected) << i;
    EXPECT_EQ(object.sha256, Sha256::Of(expected)) << i;
    EXPECT_EQ(object.block_xxh3.size(), BlockCount(sizes[i])) << i;
    EXPECT_EQ(object.blocks.empty(), sizes[i] < kInlineBytes) << i;
  }
}

TEST_F(SpoolTest, TakesAVideoOfEveryCameraWithPreviewAndSamples) {
  {
    const auto spool = Open();
    std::vector<uint64_t> sizes(kMaxCameras, kBlockBytes);
    sizes.insert(sizes.begin(), {2'000, 3'000});
    const auto clip = AddTestClip(*spool, sizes);
    ASSERT_TRUE(clip.ok()) << clip.status();
    sizes.push_back(1);
    EXPECT_TRUE(absl::IsInvalidArgument(AddTestClip(*spool, sizes).status()));
  }
  const auto spool = Open();
  const auto clip = *spool->Next({});
  ASSERT_EQ(clip->objects.size(), kMaxObjects);
  EXPECT_EQ(*ReadObject(*spool, *clip, kMaxObjects - 1),
            TestBytes(1, kMaxObjects - 1, kBlockBytes));
}

TEST_F(SpoolTest, KeepsClipsAndNumbersOverARestart) {
  {
    const auto spool = Open();
    ASSERT_TRUE(AddTestClip(*spool, {400'000}).ok());
    ASSERT_TRUE(spool->TakeSuppressed("motion", "paused").ok());
  }
  const auto spool = Open();
  EXPECT_THAT(Order(*spool), ElementsAre(1));
  EXPECT_EQ(*ReadObject(*spool, **spool->Next({}), 0), TestBytes(1, 0, 400'000));
  EXPECT_EQ(spool->TakeNumber("motion", 5)->sequence, 3u);
  EXPECT_EQ(spool->stats().suppressed_total, 1u);
}

TEST_F(SpoolTest, CountsAnewInEachBootAndNamesBootsBySpool) {
  const BootId first = Open("boot-a")->boot_id();
  {
    const auto spool = Open("boot-a");
    EXPECT_EQ(spool->boot_id(), first);
    ASSERT_TRUE(AddTestClip(*spool, {10}).ok());
  }
  const auto spool = Open("boot-b");
  EXPECT_NE(spool->boot_id(), first);
  EXPECT_EQ(spool->TakeNumber("motion", 5)->sequence, 1u);
  const auto next = *spool->Next({});
  EXPECT_EQ(next->key.boot_id, first);  // an older boot's clip keeps its name

  options_.directory += "-2";
  EXPECT_NE(Open("boot-a")->boot_id(), first);  // another spool on the same boot
}

TEST_F(SpoolTest, ForgetsABootWhenNothingOfItIsLeft) {
  {
    const auto spool = Open("boot-a");
    ASSERT_TRUE(AddTestClip(*spool, {10}).ok());
    ASSERT_TRUE(spool->TakeSuppressed("motion", "paused").ok());
  }
  const auto spool = Open("boot-b");
  EXPECT_EQ(spool->Ledger()->boots_size(), 2);
  const auto clip = *spool->Next({});
  ASSERT_TRUE(spool->Release(clip->key, clip->manifest_sha256).ok());
  EXPECT_EQ(spool->Ledger()->boots_size(), 2);
  ASSERT_TRUE(spool->AcknowledgeTombstones({{clip->key.boot_id, 2}}).ok());
  EXPECT_EQ(spool->Ledger()->boots_size(), 1);
}

TEST_F(SpoolTest, HandsOutTheMostValuableThenTheOldest) {
  const auto spool = Open();
  for (const uint32_t priority : {3, 9, 3, 0, 9}) {
    ASSERT_TRUE(AddTestClip(*spool, {100}, priority).ok());
  }
  EXPECT_THAT(Order(*spool), ElementsAre(2, 5, 1, 3, 4));
}

TEST_F(SpoolTest, EvictsTheLeastValuableThenTheOldestWhenFull) {
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

TEST_F(SpoolTest, NeverEvictsWhatIsBeingUploadedOrWorthMore) {
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

TEST_F(SpoolTest, StopsWhenFullIfTheOwnerWantsThat) {
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

TEST_F(SpoolTest, KeepsTheLedgerWithinItsReserveByEvictingInlineClips) {
  const auto spool = Open();  // the ledger has 4 MiB, so about 80 of these fit
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(AddTestClip(*spool, {50'000}).ok()) << i;
  EXPECT_GT(spool->stats().evicted_total, 100u);
  EXPECT_GT(spool->stats().pending_clips, 50u);
  EXPECT_EQ(std::filesystem::file_size(options_.directory + "/spool.db") / kMiB, 4u);
}

TEST_F(SpoolTest, SaysWhichOfBlocksAndLedgerWasFull) {
  const auto spool = Open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(AddTestClip(*spool, {kMiB}).ok());
  const auto reason = [&] { return spool->Ledger()->boots(0).tombstones(0).reason(); };
  EXPECT_EQ(reason(), "the spool was full");
  ASSERT_TRUE(spool->AcknowledgeTombstones({{spool->boot_id(), 1}}).ok());
  while (spool->stats().evicted_total == 1) ASSERT_TRUE(AddTestClip(*spool, {50'000}).ok());
  EXPECT_EQ(reason(), "the spool's ledger was full");
}

TEST_F(SpoolTest, EvictsForABlockOnlyWhatHasOne) {
  const auto spool = Open();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(AddTestClip(*spool, {20'000}, 5).ok());
  ASSERT_TRUE(AddTestClip(*spool, {4 * kMiB}, 9).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(AddTestClip(*spool, {kBlockBytes}, 5).status()));
  EXPECT_EQ(spool->stats().pending_clips, 41u);
  EXPECT_EQ(spool->stats().evicted_total, 0u);
}

TEST_F(SpoolTest, ReleasesOnlyForTheRightManifestAndOnlyOnce) {
  const auto spool = Open();
  const auto clip = AddTestClip(*spool, {300'000});
  EXPECT_TRUE(absl::IsFailedPrecondition(spool->Release(clip->key, Sha256::Of("another"))));
  EXPECT_EQ(spool->stats().pending_clips, 1u);
  EXPECT_TRUE(spool->Release(clip->key, Sha256::Of(clip->manifest)).ok());
  EXPECT_TRUE(absl::IsNotFound(spool->Release(clip->key, Sha256::Of(clip->manifest))));
  EXPECT_EQ(spool->stats().committed_total, 1u);
  EXPECT_EQ(spool->stats().used_bytes, 0u);
}

TEST_F(SpoolTest, EndsEachNumberExactlyOnce) {
  const auto spool = Open();
  const ClipKey key = *spool->TakeNumber("motion", 5);
  ASSERT_TRUE(spool->Fail(key, "no keyframe").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(spool->Fail(key, "again")));
  EXPECT_TRUE(absl::IsFailedPrecondition(spool->NewClip(key).status()));
  const auto clip = AddTestClip(*spool, {10});
  EXPECT_TRUE(absl::IsFailedPrecondition(spool->Fail(clip->key, "too late")));
  EXPECT_EQ(spool->stats().failed_total, 1u);
}

TEST_F(SpoolTest, FreesTheBlocksOfAClipThatIsDroppedUncommitted) {
  const auto spool = Open();
  const ClipKey key = *spool->TakeNumber("motion", 5);
  {
    auto writer = *spool->NewClip(key);
    EXPECT_TRUE(absl::IsFailedPrecondition(spool->NewClip(key).status()));  // one writer at a time
    auto object = writer->NewObject();
    const std::string bytes = TestBytes(1, 0, kMiB);
    ASSERT_TRUE(
        object->Append({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}).ok());
    EXPECT_EQ(spool->stats().used_bytes, kMiB);
  }
  EXPECT_EQ(spool->stats().used_bytes, 0u);
  ASSERT_TRUE(
      WriteTestClip(*spool, key, {kMiB}).ok());  // the number is still there for a second try
}

TEST_F(SpoolTest, RefusesWhatTheContractDoesNotAllow) {
  const auto spool = Open();
  EXPECT_TRUE(absl::IsInvalidArgument(spool->TakeNumber("motion", 10).status()));
  auto writer = *spool->NewClip(*spool->TakeNumber("motion", 5));
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Commit("", {})));
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Commit(std::string(kMaxManifestBytes + 1, 'm'), {})));
  EXPECT_TRUE(absl::IsInvalidArgument(writer->NewObject()->Finish()));  // empty
  std::vector<std::unique_ptr<ObjectWriter>> unfinished;
  unfinished.push_back(writer->NewObject());
  EXPECT_TRUE(absl::IsFailedPrecondition(writer->Commit("m", std::move(unfinished))));
  EXPECT_FALSE(
      Spool::Open({.directory = folder_.path() + "/x", .when_full = "ignore"}, clock_, kTestBoot)
          .ok());
}

TEST_F(SpoolTest, ReportsWhatIsPendingAsRangesAndTombstonesUntilAcknowledged) {
  const auto spool = Open();
  ASSERT_TRUE(AddTestClip(*spool, {10}).ok());                          // 1 waits
  ASSERT_TRUE(spool->TakeNumber("motion", 5).ok());                     // 2 is being captured
  ASSERT_TRUE(spool->TakeSuppressed("door", "quota of the day").ok());  // 3
  ASSERT_TRUE(AddTestClip(*spool, {10}).ok());                          // 4 waits
  auto report = *spool->Ledger();
  ASSERT_EQ(report.boots_size(), 1);
  const v1::BootLedger& boot = report.boots(0);
  EXPECT_EQ(boot.boot_id(), AsBytes(spool->boot_id()));
  EXPECT_EQ(boot.last_sequence(), 4u);
  ASSERT_EQ(boot.pending_size(), 2);
  EXPECT_EQ(boot.pending(0).first(), 1u);
  EXPECT_EQ(boot.pending(0).last(), 2u);
  EXPECT_EQ(boot.pending(1).first(), 4u);
  ASSERT_EQ(boot.tombstones_size(), 1);
  EXPECT_EQ(boot.tombstones(0).reason(), "quota of the day");
  EXPECT_EQ(boot.tombstones(0).rule(), "door");
  EXPECT_EQ(boot.tombstones(0).at().wall_unix_ns(), clock_.WallNs());
  ASSERT_TRUE(
      spool->AcknowledgeTombstones({{spool->boot_id(), 3}, {spool->boot_id(), 1}, {BootId{}, 3}})
          .ok());
  report = *spool->Ledger();
  EXPECT_EQ(report.boots(0).tombstones_size(), 0);
  EXPECT_EQ(report.boots(0).pending(0).first(),
            1u);  // acknowledging what isn't a tombstone does nothing
}

TEST_F(SpoolTest, CallsTombstonesBeyondAReportsBoundPendingUntilTheirTurn) {
  options_.quota_bytes = 1 * kMiB;
  const auto spool = Open();
  for (int i = 0; i < 1100; ++i) ASSERT_TRUE(spool->TakeSuppressed("motion", "paused").ok());
  auto report = *spool->Ledger();
  EXPECT_EQ(report.boots(0).tombstones_size(), 1024);
  ASSERT_EQ(report.boots(0).pending_size(), 1);
  EXPECT_EQ(report.boots(0).pending(0).first(), 1025u);
  EXPECT_EQ(report.boots(0).pending(0).last(), 1100u);
  std::vector<ClipKey> keys;
  for (const auto& stone : report.boots(0).tombstones()) {
    keys.push_back({spool->boot_id(), stone.key().sequence()});
  }
  ASSERT_TRUE(spool->AcknowledgeTombstones(keys).ok());
  report = *spool->Ledger();
  EXPECT_EQ(report.boots(0).tombstones_size(), 76);
  EXPECT_EQ(report.boots(0).pending_size(), 0);
}

TEST_F(SpoolTest, KeepsQuarantinedClipsForAPersonWithinAQuarterOfTheQuota) {
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

TEST_F(SpoolTest, KeepsQuarantinedClipsWithinAQuarterOfTheLedgerToo) {
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

TEST_F(SpoolTest, ExpiresByTheClockThatCanBeTrusted) {
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

TEST_F(SpoolTest, KeepsAFreshClipOfAnEarlierBootWhoseClockWasWrong) {
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

TEST_F(SpoolTest, ExpiresALongBacklogAFewAtATimeAndHandsOutNoneOfIt) {
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

TEST_F(SpoolTest, ExpiresWhatIsOldBeforeItEvictsWhatIsFresh) {
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

TEST_F(SpoolTest, TellsOfNumbersThatEndWithoutAClip) {
  options_.max_age_ns = 3600 * kNanosPerSecond;
  const auto spool = Open();
  int called = 0;
  spool->OnChange([&] {
    ++called;
    EXPECT_EQ(spool->Ledger()->boots_size(), 1);  // on no lock
  });
  ASSERT_TRUE(spool->TakeSuppressed("motion", "paused").ok());
  EXPECT_EQ(called, 1);
  const ClipKey key = *spool->TakeNumber("motion", 5);
  EXPECT_EQ(called, 1) << "a number that is being captured is no news";
  ASSERT_TRUE(spool->Fail(key, "no keyframe").ok());
  EXPECT_EQ(called, 2);
  ASSERT_TRUE(AddTestClip(*spool, {10}).ok());
  EXPECT_EQ(called, 3);
  clock_.Advance(3601 * kNanosPerSecond);
  EXPECT_FALSE((*spool->Next({})).has_value());
  EXPECT_EQ(called, 4);
}

TEST_F(SpoolTest, TellsTheUploaderOfEachCommit) {
  const auto spool = Open();
  int called = 0;
  spool->OnChange([&] {
    ++called;
    EXPECT_TRUE((*spool->Next({})).has_value());  // on no lock
  });
  ASSERT_TRUE(AddTestClip(*spool, {10}).ok());
  EXPECT_EQ(called, 1);
}

TEST_F(SpoolTest, RefusesASecondDaemonOnTheSameSpool) {
  const auto spool = Open();
  const auto second = Spool::Open(options_, clock_, kTestBoot);
  ASSERT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_THAT(second.status().ToString(), HasSubstr("in use by another process"));
}

TEST_F(SpoolTest, ServesWritersAndAnUploaderAtOnce) {
  options_.quota_bytes = 8 * kMiB;
  const auto spool = Open();
  std::atomic<int> writing = 3, bad = 0, released = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 15; ++i) bad += AddTestClip(*spool, {20'000, 700'000}).ok() ? 0 : 1;
      --writing;
    });
  }
  threads.emplace_back([&] {
    for (;;) {
      const bool last = writing == 0;
      const auto clip = *spool->Next({});
      if (!clip && last) return;
      if (!clip) continue;
      const auto bytes = ReadObject(*spool, *clip, 1);
      bad += bytes.ok() && *bytes == TestBytes(clip->key.sequence, 1, 700'000) ? 0 : 1;
      released += spool->Release(clip->key, clip->manifest_sha256).ok() ? 1 : 0;
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(released + static_cast<int>(spool->stats().evicted_total), 45);
  EXPECT_EQ(spool->stats().used_bytes, 0u);
}

}  // namespace
}  // namespace gleaner::edge
