#include "cloud/rpc/flood_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

constexpr uint64_t kKiB = 1 << 10, kMiB = 1 << 20;

// Connections as the acceptor sees them: so many bytes read of each, and the process's memory.
class FloodWatchTest : public testing::Test {
 protected:
  using Id = FloodWatch::Id;

  Intake& Connect(Id id) {
    intakes_[id] = std::make_shared<Intake>();
    watch_.Add(id, intakes_[id]);
    return *intakes_[id];
  }
  // Bytes came, and there was one look.
  FloodWatch::Verdict Look(const std::map<Id, uint64_t>& came) {
    for (const auto& [id, bytes] : came) read_[id] += bytes;
    for (const Id id : watch_.moving()) {
      intakes_[id]->Look([&] { return read_[id]; });
    }
    return watch_.Judge(memory_);
  }
  // The same, until somebody has to go; how much had come then.
  uint64_t LookUntilCut(Id id, uint64_t bytes_a_look, uint64_t memory_a_look) {
    while (read_[id] < 1024 * kMiB) {
      memory_ += memory_a_look;
      if (Look({{id, bytes_a_look}}).flood == id) return read_[id];
    }
    return 0;
  }

  const FloodLimits limits_;
  FloodWatch watch_{limits_};
  std::map<Id, std::shared_ptr<Intake>> intakes_;
  std::map<Id, uint64_t> read_;
  uint64_t memory_ = 100 * kMiB;
};

TEST_F(FloodWatchTest, WhatBecomesNoMessageIsCutBeforeTheNextTenMegabytes) {
  Connect(1).NoteCall();
  const uint64_t cut_at = LookUntilCut(1, 256 * kKiB, 256 * kKiB);
  EXPECT_GT(cut_at, limits_.stray_bytes);
  EXPECT_LT(cut_at, limits_.stray_bytes + kMiB);
}

TEST_F(FloodWatchTest, AnUploadAtFullSpeedIsNeverCut) {
  Intake& intake = Connect(1);
  intake.NoteCall();
  for (int i = 0; i < 100'000; ++i) {
    // With all that TLS and HTTP/2 put around a chunk.
    intake.NoteMessage(256 * kKiB);
    ASSERT_EQ(Look({{1, 258 * kKiB}}).flood, std::nullopt) << i;
  }
  EXPECT_EQ(intake.held_bytes(), 0u);
}

TEST_F(FloodWatchTest, TheShortestMessagesAreWorthWhatTheyTake) {
  Intake& intake = Connect(1);
  for (int i = 0; i < 100'000; ++i) {
    for (int k = 0; k < 100; ++k) intake.NoteMessage(1);
    ASSERT_EQ(Look({{1, 100 * (1 + 5 + 9 + 29)}}).flood, std::nullopt) << i;
  }
}

TEST_F(FloodWatchTest, AReaderThatFallsBehindIsNoFlood) {
  Intake& intake = Connect(1);
  intake.NoteCall();
  intake.NoteMessage(256 * kKiB);
  intake.NoteBusy();  // it writes to a slow disk
  for (int i = 0; i < 64; ++i) ASSERT_EQ(Look({{1, 256 * kKiB}}).flood, std::nullopt) << i;
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Look({}).flood, std::nullopt);
  for (int i = 0; i < 63; ++i) {
    intake.NoteWaiting();
    intake.NoteMessage(256 * kKiB);
    intake.NoteBusy();
    ASSERT_EQ(Look({}).flood, std::nullopt) << i;
  }
}

TEST_F(FloodWatchTest, NotEvenABusyReaderExplainsMoreThanTheWindowsLetThrough) {
  Intake& intake = Connect(1);
  intake.NoteBusy();
  EXPECT_LT(LookUntilCut(1, 256 * kKiB, 256 * kKiB), limits_.held_bytes + kMiB);
}

TEST_F(FloodWatchTest, MemoryThatGrowsFarFasterThanTheBytesIsNoticedSoon) {
  Connect(1);
  const uint64_t cut_at = LookUntilCut(1, 64 * kKiB, 80 * 64 * kKiB);
  EXPECT_LT(cut_at, kMiB);
  EXPECT_LT(memory_, 160 * kMiB);
}

TEST_F(FloodWatchTest, TheOneWithTheMostGoesFirstAndNobodyElseGoes) {
  Connect(1);
  Intake& upload = Connect(2);
  Connect(3);
  std::optional<Id> flood;
  for (int i = 0; i < 100 && !flood; ++i) {
    memory_ += 4 * kMiB;
    upload.NoteMessage(kMiB);
    flood = Look({{1, 64 * kKiB}, {2, kMiB}, {3, kKiB}}).flood;
  }
  EXPECT_THAT(flood, Optional(1));
  watch_.Remove(1);
  for (int i = 0; i < 100; ++i) {
    memory_ += 4 * kMiB;
    ASSERT_EQ(Look({{2, 2 * kKiB}, {3, kKiB}}).flood, std::nullopt) << i;
  }
}

TEST_F(FloodWatchTest, ALongReportOnASlowLinkIsLeftAloneThoughMemoryVaries) {
  Connect(1).NoteCall();
  for (int i = 0; i < 2048; ++i) {
    memory_ = (100 + i % 20) * kMiB;
    ASSERT_EQ(Look({{1, kKiB}}).flood, std::nullopt) << i;
  }
}

TEST_F(FloodWatchTest, MemoryThatGrowsForOtherReasonsCutsNobodyOff) {
  Intake& upload = Connect(1);
  for (int i = 0; i < 1000; ++i) {
    memory_ += 10 * kMiB;
    if (i % 4 == 3) upload.NoteMessage(256 * kKiB);
    ASSERT_EQ(Look({{1, 64 * kKiB}}).flood, std::nullopt) << i;
  }
}

TEST_F(FloodWatchTest, WhatIsStillIsNotLookedAt) {
  Connect(1);
  Connect(2);
  FloodWatch::Verdict verdict;
  for (int i = 0; i < 100 && verdict.still.empty(); ++i) verdict = Look({{2, 100}});
  EXPECT_THAT(verdict.still, ElementsAre(1));
  EXPECT_THAT(watch_.moving(), ElementsAre(2));
  // What it has sent so far isn't forgotten when it moves again.
  read_[1] = 8 * kMiB;
  watch_.Add(1, intakes_[1]);
  Look({});
  EXPECT_THAT(Look({{1, kKiB}}).flood, Optional(1));
}

}  // namespace
}  // namespace gleaner::cloud
