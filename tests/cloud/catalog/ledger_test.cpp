#include "cloud/ledger/ledger.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "cloud/ledger/gaps.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/cloud/catalog/sql_steps.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kNow = 1'700'000'000 * kNanosPerSecond;

struct TestReport {
  uint64_t last = 0;
  std::vector<std::pair<uint64_t, uint64_t>> pending;
  std::vector<std::pair<uint64_t, v1::Tombstone::State>> tombstones;
  uint8_t boot = 1;
};

v1::ReportLedgerRequest ToProto(const TestReport& report) {
  v1::ReportLedgerRequest request;
  v1::BootLedger* boot = request.add_boots();
  boot->set_boot_id(std::string(AsBytes(TestBoot(report.boot))));
  boot->set_last_sequence(report.last);
  for (const auto& [first, last] : report.pending) {
    v1::SequenceRange* range = boot->add_pending();
    range->set_first(first);
    range->set_last(last);
  }
  for (const auto& [sequence, state] : report.tombstones) {
    v1::Tombstone* tombstone = boot->add_tombstones();
    tombstone->mutable_key()->set_boot_id(boot->boot_id());
    tombstone->mutable_key()->set_sequence(sequence);
    tombstone->set_state(state);
    tombstone->set_reason("because");
    tombstone->set_rule("motion");
  }
  return request;
}

// `gaps` of them, between numbers that are pending.
TestReport EveryOther(uint64_t gaps, uint8_t boot) {
  TestReport report{.last = 2 * gaps, .boot = boot};
  for (uint64_t i = 1; i <= gaps; ++i) report.pending.emplace_back(2 * i, 2 * i);
  return report;
}

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() : catalog_(*OpenTestCatalog(folder_ / "catalog.db")) {
    EXPECT_TRUE(catalog_->devices.RecordHello("cart-1", {}, kNow).ok());
  }

  v1::ReportLedgerResponse Report(const TestReport& report) {
    v1::ReportLedgerResponse response;
    EXPECT_TRUE(catalog_->uploads.ReportLedger("cart-1", ToProto(report), &response).ok());
    return response;
  }
  void Commit(uint64_t sequence, uint8_t boot = 1) {
    const absl::Status status =
        CommitTestClip(*catalog_, MakeTestClip({.boot = boot, .sequence = sequence}));
    ASSERT_TRUE(status.ok()) << status;
  }
  v1::LedgerSummary Ledger() { return catalog_->devices.Get("cart-1", kNow)->ledger(); }
  static std::set<uint64_t> Gaps(const v1::ReportLedgerResponse& response) {
    std::set<uint64_t> gaps;
    for (const v1::ClipKey& key : response.gaps()) gaps.insert(key.sequence());
    return gaps;
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<TestCatalog> catalog_;
};

using Numbers = std::set<uint64_t>;

TEST_F(LedgerTest, NumbersThatNobodyAccountsForAreGaps) {
  Commit(1);
  Commit(4);
  const auto response =
      Report({.last = 7, .pending = {{5, 6}}, .tombstones = {{2, v1::Tombstone::STATE_EVICTED}}});
  EXPECT_EQ(Gaps(response), (Numbers{3, 7}));
  ASSERT_EQ(response.acknowledged_size(), 1);
  EXPECT_EQ(response.acknowledged(0).sequence(), 2u);
  const auto ledger = Ledger();
  EXPECT_EQ(ledger.fired(), 7u);
  EXPECT_EQ(ledger.committed(), 2u);
  EXPECT_EQ(ledger.evicted(), 1u);
  EXPECT_EQ(ledger.gaps(), 2u);
  EXPECT_EQ(ledger.pending(), 2u);
  EXPECT_EQ(catalog_->GetSummary(kNow)->ledger_gaps(), 2u);
}

TEST_F(LedgerTest, AClipThatArrivesAfterTheReportIsNoGap) {
  EXPECT_EQ(Gaps(Report({.last = 5, .pending = {{1, 2}}})), (Numbers{3, 4, 5}));
  Commit(4);
  EXPECT_EQ(Ledger().gaps(), 2u);
  EXPECT_EQ(Gaps(Report({.last = 5, .pending = {{1, 2}}})), (Numbers{3, 5}));
  EXPECT_EQ(Gaps(Report({.last = 5, .pending = {{1, 3}, {5, 5}}})), Numbers{});
  EXPECT_EQ(Ledger().gaps(), 0u);
}

TEST_F(LedgerTest, NumbersBeyondTheReportAreNotJudged) {
  Commit(9);
  EXPECT_EQ(Gaps(Report({.last = 3, .pending = {{1, 3}}})), Numbers{});
  EXPECT_EQ(Ledger().fired(), 9u);
}

TEST_F(LedgerTest, AReportMayBeRepeated) {
  const TestReport report = {
      .last = 4,
      .pending = {{1, 1}},
      .tombstones = {{2, v1::Tombstone::STATE_FAILED}, {3, v1::Tombstone::STATE_SUPPRESSED}}};
  for (int i = 0; i < 3; ++i) {
    const auto response = Report(report);
    EXPECT_EQ(response.acknowledged_size(), 2);
    EXPECT_EQ(Gaps(response), Numbers{4});
  }
  const auto ledger = Ledger();
  EXPECT_EQ(ledger.failed(), 1u);
  EXPECT_EQ(ledger.suppressed(), 1u);
  ASSERT_EQ(ledger.recent_size(), 2);
  EXPECT_EQ(ledger.recent(0).key().sequence(), 3u);  // newest first
  EXPECT_EQ(ledger.recent(0).reason(), "because");
}

TEST_F(LedgerTest, ACommittedClipOutweighsATombstoneInEitherOrder) {
  Commit(1);
  EXPECT_EQ(
      Report({.last = 2,
              .tombstones = {{1, v1::Tombstone::STATE_EVICTED}, {2, v1::Tombstone::STATE_EVICTED}}})
          .acknowledged_size(),
      2);
  EXPECT_EQ(Ledger().evicted(), 1u);
  Commit(2);
  const auto ledger = Ledger();
  EXPECT_EQ(ledger.evicted(), 0u);
  EXPECT_EQ(ledger.committed(), 2u);
  EXPECT_EQ(ledger.fired(), 2u);
  EXPECT_EQ(ledger.pending(), 0u);
}

TEST_F(LedgerTest, BootsAreReckonedApart) {
  Commit(1, 1);
  Commit(1, 2);
  EXPECT_EQ(Gaps(Report({.last = 1, .boot = 1})), Numbers{});
  EXPECT_EQ(Gaps(Report({.last = 2, .boot = 2})), Numbers{2});
  EXPECT_EQ(Ledger().fired(), 3u);
  EXPECT_EQ(Ledger().gaps(), 1u);
}

TEST_F(LedgerTest, WhatWasPendingInALedgerThatTheDeviceLostIsMissing) {
  for (uint64_t i = 1; i <= 60; ++i) Commit(i, 1);
  EXPECT_EQ(Gaps(Report({.last = 100, .pending = {{61, 100}}, .boot = 1})), Numbers{});
  ASSERT_TRUE(catalog_->uploads.Begin(MakeTestClip({.boot = 1, .sequence = 61}).upload).ok());

  // The device starts again with a new spool and with it a new boot.
  const auto response = Report({.last = 2, .pending = {{1, 2}}, .boot = 2});
  ASSERT_EQ(response.gaps_size(), 40);
  EXPECT_EQ(response.gaps(0).boot_id(), AsBytes(TestBoot(1)));
  EXPECT_EQ(response.gaps(0).sequence(), 61u);
  EXPECT_EQ(Ledger().gaps(), 40u);
  EXPECT_EQ(Ledger().pending(), 2u);
  EXPECT_FALSE(catalog_->uploads.Find("cart-1", {TestBoot(1), 61})->has_value());

  // A report that was made before and came late could not know boot 2: the next one mends it.
  Report({.last = 100, .pending = {{61, 100}}, .boot = 1});
  EXPECT_EQ(Gaps(Report({.last = 2, .pending = {{1, 2}}, .boot = 2})).size(), 40u);
  EXPECT_EQ(Ledger().gaps(), 40u);
  EXPECT_EQ(Ledger().pending(), 2u);
}

TEST_F(LedgerTest, ABootWhoseNumbersHaveEndedNeedsNoNaming) {
  Commit(1, 1);
  EXPECT_EQ(Gaps(Report({.last = 2, .tombstones = {{2, v1::Tombstone::STATE_EXPIRED}}, .boot = 1})),
            Numbers{});
  EXPECT_EQ(Gaps(Report({.last = 1, .pending = {{1, 1}}, .boot = 2})), Numbers{});
  EXPECT_EQ(Ledger().gaps(), 0u);
}

TEST_F(LedgerTest, BootsThatAFullReportDoesNotNameAreNotJudged) {
  Report({.last = 3, .pending = {{1, 3}}, .boot = 1});
  v1::ReportLedgerRequest request;
  for (uint8_t i = 2; i < 2 + 64; ++i) {
    v1::BootLedger* boot = request.add_boots();
    boot->set_boot_id(std::string(AsBytes(TestBoot(i))));
  }
  v1::ReportLedgerResponse response;
  ASSERT_TRUE(catalog_->uploads.ReportLedger("cart-1", request, &response).ok());
  EXPECT_EQ(Ledger().gaps(), 0u);
  EXPECT_EQ(Ledger().pending(), 3u);
}

TEST_F(LedgerTest, UploadsThatTheDeviceGaveUpAreForgotten) {
  for (const uint64_t sequence : {1, 2, 3}) {
    ASSERT_TRUE(catalog_->uploads.Begin(MakeTestClip({.sequence = sequence}).upload).ok());
  }
  Report({.last = 2, .pending = {{2, 2}}, .tombstones = {{1, v1::Tombstone::STATE_EVICTED}}});
  EXPECT_FALSE(catalog_->uploads.Find("cart-1", {TestBoot(1), 1})->has_value());
  EXPECT_TRUE(catalog_->uploads.Find("cart-1", {TestBoot(1), 2})->has_value());
  // Fired after the report was made.
  EXPECT_TRUE(catalog_->uploads.Find("cart-1", {TestBoot(1), 3})->has_value());
}

TEST_F(LedgerTest, ReportsAtMostSoManyGaps) {
  const auto response = Report({.last = 1'000'000});
  EXPECT_EQ(response.gaps_size(), 1024);
  EXPECT_EQ(Ledger().gaps(), 1'000'000u);
}

// Commits, tombstones and reports in random order agree with plain sets at every step.
TEST_F(LedgerTest, AgreesWithPlainSetsOverRandomHistories) {
  std::mt19937_64 random(3);
  uint64_t last = 0, reported_last = 0;
  Numbers committed, tombstoned, gaps;
  for (int step = 0; step < 400; ++step) {
    const uint64_t pick = last == 0 ? 0 : 1 + random() % last;
    switch (random() % 4) {
      case 0:
        last += 1 + random() % 3;
        break;
      case 1:
        if (pick == 0 || committed.contains(pick)) break;
        Commit(pick);
        committed.insert(pick);
        tombstoned.erase(pick);
        gaps.erase(pick);
        break;
      default: {
        TestReport report{.last = last};
        Numbers pending;
        for (uint64_t i = 1; i <= last; ++i) {
          const bool ended = committed.contains(i) || tombstoned.contains(i);
          if (!ended && random() % 8 == 0) {
            report.tombstones.emplace_back(i, v1::Tombstone::STATE_EXPIRED);
            tombstoned.insert(i);
          } else if (!ended && random() % 10 != 0) {
            report.pending.emplace_back(i, i);
            pending.insert(i);
          }
        }
        gaps.clear();
        for (uint64_t i = 1; i <= last; ++i) {
          if (!committed.contains(i) && !tombstoned.contains(i) && !pending.contains(i)) {
            gaps.insert(i);
          }
        }
        reported_last = std::max(reported_last, last);
        EXPECT_EQ(Gaps(Report(report)), gaps);
      }
    }
    const auto ledger = Ledger();
    const uint64_t highest = std::max(reported_last, committed.empty() ? 0 : *committed.rbegin());
    ASSERT_EQ(ledger.fired(), highest);
    ASSERT_EQ(ledger.committed(), committed.size());
    ASSERT_EQ(ledger.expired(), tombstoned.size());
    ASSERT_EQ(ledger.gaps(), gaps.size());
    ASSERT_EQ(ledger.pending(), highest - committed.size() - tombstoned.size() - gaps.size());
  }
}

TEST_F(LedgerTest, WhatADeviceClaimsToHaveLostBreaksNoList) {
  for (uint8_t boot = 1; boot <= 9; ++boot) Report({.last = kMaxSequence, .boot = boot});
  const auto devices = catalog_->devices.List(kNow);
  ASSERT_TRUE(devices.ok()) << devices.status();
  EXPECT_EQ(devices->devices(0).ledger().gaps(), 9 * kMaxSequence);
  const auto summary = catalog_->GetSummary(kNow);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->ledger_gaps(), 9 * kMaxSequence);
}

TEST_F(LedgerTest, GapsBeyondWhatIsKeptOfADeviceAreTheSameAlarm) {
  const auto report = [&](const std::function<TestReport(uint8_t boot)>& of) {
    v1::ReportLedgerRequest request;
    for (uint8_t boot = 1; boot <= 8; ++boot) request.MergeFrom(ToProto(of(boot)));
    v1::ReportLedgerResponse response;
    ASSERT_TRUE(catalog_->uploads.ReportLedger("cart-1", request, &response).ok());
    EXPECT_LE(response.gaps_size(), 1024);
  };
  const auto every_other = [](uint8_t boot) { return EveryOther(1024, boot); };
  report(every_other);
  EXPECT_EQ(Ledger().gaps(), kMaxGapRanges);
  // Of what is kept, each that arrives is one less, and makes room for one that wasn't kept.
  for (uint64_t sequence = 1; sequence <= 5; sequence += 2) Commit(sequence, 1);
  EXPECT_EQ(Ledger().gaps(), kMaxGapRanges - 3);
  report(every_other);
  EXPECT_EQ(Ledger().gaps(), kMaxGapRanges);
  EXPECT_EQ(catalog_->GetSummary(kNow)->ledger_gaps(), kMaxGapRanges);
  report([](uint8_t boot) {
    return TestReport{.last = 2048, .pending = {{1, 2048}}, .boot = boot};
  });
  EXPECT_EQ(Ledger().gaps(), 0u);
  EXPECT_EQ(catalog_->GetSummary(kNow)->ledger_gaps(), 0u);
}

TEST_F(LedgerTest, NumbersThatEndInTooManyPiecesAreRefusedUntilSomeAreWhole) {
  const auto report = [&](uint64_t first, uint64_t step) {
    v1::ReportLedgerRequest request;
    v1::BootLedger* boot = request.add_boots();
    boot->set_boot_id(std::string(AsBytes(TestBoot(1))));
    boot->set_last_sequence(1 << 20);
    for (uint64_t i = 0; i < 16'384; ++i) {
      v1::Tombstone* tombstone = boot->add_tombstones();
      tombstone->mutable_key()->set_boot_id(boot->boot_id());
      tombstone->mutable_key()->set_sequence(first + step * i);
      tombstone->set_state(v1::Tombstone::STATE_FAILED);
    }
    v1::ReportLedgerResponse response;
    return catalog_->uploads.ReportLedger("cart-1", request, &response);
  };
  for (uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(report(1 + i * 32'768, 2).ok());
  const absl::Status refused = report(1 + 4 * 32'768, 2);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(Ledger().failed(), 65'536u);
  // Clips are always taken, and what they join makes room.
  Commit(2);
  EXPECT_TRUE(report(1 + 4 * 32'768, 2).ok());
}

// What one device has lost costs nobody who looks at the fleet.
TEST(SqliteFileCost, ListsAndTheSummaryTakeAsManyStepsHoweverMuchADeviceHasLost) {
  const SqlSteps steps;
  TemporaryFolder folder;
  FakeClock clock;
  auto catalog = *OpenTestCatalog(folder / "catalog.db");
  for (const char* device : {"cart-1", "cart-2"}) {
    ASSERT_TRUE(catalog->devices.RecordHello(device, {}, kNow).ok());
  }
  const auto report = [&](const TestReport& what) {
    v1::ReportLedgerResponse response;
    ASSERT_TRUE(catalog->uploads.ReportLedger("cart-1", ToProto(what), &response).ok());
  };
  report({.last = 1});
  const std::vector<std::function<void()>> asked = {
      [&] { ASSERT_TRUE(catalog->GetSummary(kNow).ok()); },
      [&] { ASSERT_TRUE(catalog->devices.List(kNow).ok()); },
      [&] { ASSERT_TRUE(catalog->devices.Get("cart-1", kNow).ok()); },
      [&] { ASSERT_TRUE(catalog->devices.Count(kNow).ok()); }};
  std::vector<uint64_t> before;
  for (const auto& one : asked) before.push_back(SqlSteps::Of(one));
  for (uint8_t boot = 1; boot <= 64; ++boot) report(EveryOther(1024, boot));
  for (size_t i = 0; i < asked.size(); ++i) {
    EXPECT_GT(before[i], 0u);
    EXPECT_LE(SqlSteps::Of(asked[i]), before[i] + before[i] / 4) << i;
  }
}

// The first report that names none of a device's boots judges them, the next ones don't again.
TEST(SqliteFileCost, AReportPaysForWhatItSaysAndNotForEveryBootThatWas) {
  const SqlSteps steps;
  TemporaryFolder folder;
  FakeClock clock;
  auto catalog = *OpenTestCatalog(folder / "catalog.db");
  const auto report = [&](const TestReport& what) {
    v1::ReportLedgerResponse response;
    ASSERT_TRUE(catalog->uploads.ReportLedger("cart-1", ToProto(what), &response).ok());
  };
  const TestReport small{.last = 2, .pending = {{2, 2}}, .boot = 255};
  report(small);
  const uint64_t alone = SqlSteps::Of([&] { report(small); });
  for (uint8_t boot = 1; boot <= 200; ++boot) report(EveryOther(16, boot));
  report(small);
  // The 200 × 16 gaps are listed, up to 1,024 of them, and each boot's row is counted.
  EXPECT_LE(SqlSteps::Of([&] { report(small); }), alone + 1024 * 20 + 200 * 10);
  // A clip of a closed boot opens it again.
  ASSERT_TRUE(CommitTestClip(*catalog, MakeTestClip({.boot = 7, .sequence = 40})).ok());
  v1::ReportLedgerResponse response;
  ASSERT_TRUE(catalog->uploads.ReportLedger("cart-1", ToProto(small), &response).ok());
  ASSERT_TRUE(catalog->devices.RecordHello("cart-1", {}, kNow).ok());
  EXPECT_EQ(catalog->devices.Get("cart-1", kNow)->ledger().gaps(), 1u + 200 * 32 + 7);
}

TEST_F(LedgerTest, ADeviceHas4096BootsAndNoMore) {
  const auto report = [&](uint64_t first, uint64_t count) {
    v1::ReportLedgerRequest request;
    for (uint64_t i = first; i < first + count; ++i) {
      v1::BootLedger* boot = request.add_boots();
      boot->set_boot_id(fmt::format("{:016}", i));
      boot->set_last_sequence(1);
    }
    v1::ReportLedgerResponse response;
    return catalog_->uploads.ReportLedger("cart-1", request, &response);
  };
  for (uint64_t i = 0; i < kMaxBoots; i += 64) ASSERT_TRUE(report(i, 64).ok());
  const absl::Status one_more = report(kMaxBoots, 1);
  EXPECT_TRUE(absl::IsResourceExhausted(one_more)) << one_more;
  EXPECT_TRUE(report(0, 64).ok()) << "what is known goes on";
  EXPECT_EQ(Ledger().fired(), kMaxBoots);
}

}  // namespace
}  // namespace gleaner::cloud
