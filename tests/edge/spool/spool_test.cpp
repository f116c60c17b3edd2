#include "edge/spool/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "common/limits.h"
#include "tests/edge/spool/spool_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SpoolTest : public SpoolRig {};

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
