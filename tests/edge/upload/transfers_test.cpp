#include "edge/upload/transfers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "common/limits.h"
#include "tests/data/log_lines.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kNone = 0;  // bytes

class TransfersTest : public ::testing::Test {
 protected:
  // The clip that is to go next; null when there is none.
  Transfer* Take() {
    bool more = false;
    EXPECT_TRUE(transfers_->Take(&more).ok());
    return transfers_->ToOffer(clock_.MonotonicNs());
  }

  // Offers the clip that is to go next, which the server then grants under `lease`.
  Transfer* Begin(uint64_t lease, const std::vector<uint64_t>& durable_offsets) {
    Transfer* transfer = Take();
    if (transfer == nullptr) {
      ADD_FAILURE() << "there is nothing to offer";
      return nullptr;
    }
    Grant(*transfer, lease, durable_offsets);
    return transfer;
  }
  static v1::ClipKey KeyOf(const Transfer& transfer) {
    v1::ClipKey key;
    key.set_boot_id(std::string(AsBytes(transfer.clip().key.boot_id)));
    key.set_sequence(transfer.clip().key.sequence);
    return key;
  }
  void Grant(Transfer& transfer, uint64_t lease, const std::vector<uint64_t>& durable_offsets) {
    transfer.Offered();
    v1::UploadResponse response;
    *response.mutable_grant()->mutable_key() = KeyOf(transfer);
    response.mutable_grant()->set_lease(lease);
    for (const uint64_t offset : durable_offsets)
      response.mutable_grant()->add_durable_offset(offset);
    EXPECT_TRUE(transfers_->OnResponse(response).breach.ok());
    EXPECT_EQ(transfer.lease(), lease);
  }
  // Where the next chunk is from, in blocks of the object.
  static std::pair<uint32_t, uint64_t> Next(const Transfer& transfer) {
    ChunkPosition position;
    uint64_t size = 0;
    EXPECT_TRUE(transfer.NextChunk(&position, &size));
    return {position.object, position.offset / kBlockBytes};
  }
  // Sends so many chunks; returns how many of their bytes had been sent before.
  static uint64_t Send(Transfer& transfer, int chunks) {
    uint64_t again = 0;
    for (int i = 0; i < chunks; ++i) again += transfer.Sent();
    return again;
  }
  Transfers::Outcome Progress(uint64_t lease, uint32_t object, uint64_t blocks) {
    v1::UploadResponse response;
    response.mutable_progress()->set_lease(lease);
    response.mutable_progress()->set_object(object);
    response.mutable_progress()->set_durable_offset(blocks * kBlockBytes);
    return transfers_->OnResponse(response);
  }
  // Of a chunk of `transfer`.
  Transfers::Outcome Refuse(const Transfer& transfer, uint64_t lease, absl::StatusCode code,
                            uint32_t object = 0, uint64_t blocks = 0) {
    v1::UploadResponse response;
    v1::Refusal* refusal = response.mutable_refusal();
    *refusal->mutable_key() = KeyOf(transfer);
    refusal->set_lease(lease);
    refusal->set_code(static_cast<uint32_t>(code));
    refusal->set_object(object);
    refusal->set_durable_offset(blocks * kBlockBytes);
    return transfers_->OnResponse(response);
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Spool> spool_ = OpenSpool(folder_.path(), clock_);
  UploadStatsBoard board_;
  std::unique_ptr<Transfers> transfers_ = std::make_unique<Transfers>(
      Transfers::Options{.max_clips = 2}, *spool_, clock_, board_, std::function<void()>());
};

TEST_F(TransfersTest, QuarantinesAClipThatCannotBeReadThreeTimes) {
  AddClip(*spool_, {kBlockBytes}, 1);
  const ChunkPosition position{.object = 0, .offset = 0};
  for (int time = 1; time <= 3; ++time) {
    Transfer* transfer = Take();
    ASSERT_NE(transfer, nullptr) << time;
    EXPECT_EQ(spool_->stats().quarantined, 0u);
    transfers_->OnReadError(*transfer, position, absl::UnknownError("read: Input/output error"));
    EXPECT_EQ(Take(), nullptr) << "not again at once";
    clock_.Advance(601 * kNanosPerSecond);
  }
  EXPECT_EQ(Take(), nullptr);
  EXPECT_EQ(spool_->stats().pending_clips, 0u);
  ASSERT_EQ(spool_->stats().quarantined, 1u);
  EXPECT_THAT(spool_->Ledger()->boots(0).tombstones(0).reason(), HasSubstr("Input/output error"));
}

// --- several chunks under way

TEST_F(TransfersTest, SendsAgainAfterACutInMidWindowOnlyWhatTheGrantDoesNotCover) {
  AddClip(*spool_, {12 * kBlockBytes}, 1);
  Transfer* transfer = Begin(7, {0});
  EXPECT_EQ(Send(*transfer, 8), kNone);
  EXPECT_TRUE(Progress(7, 0, 3).advanced);
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 5u);
  // The stream is cut with five under way; of two the cloud's answer was lost.
  EXPECT_TRUE(transfers_->OnStreamEnded(absl::UnavailableError("cut")));
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 0u);
  Begin(8, {5 * kBlockBytes});
  EXPECT_EQ(Next(*transfer), std::pair(0u, uint64_t{5}));
  EXPECT_EQ(Send(*transfer, 3), 3 * kBlockBytes);
  EXPECT_EQ(Send(*transfer, 4), kNone) << "these had never been sent";
  EXPECT_TRUE(transfer->all_sent());
}

TEST_F(TransfersTest, GoesBackToWhatARestartedServerHasThoughItSaidMoreBefore) {
  AddClip(*spool_, {1'000, 12 * kBlockBytes}, 1);
  Transfer* transfer = Begin(7, {0, 0});
  Send(*transfer, 9);
  EXPECT_TRUE(Progress(7, 1, 6).advanced);
  EXPECT_TRUE(transfers_->OnStreamEnded(absl::UnavailableError("cut")));
  // A power cut took the preview and most of the video.
  Begin(8, {0, 2 * kBlockBytes});
  EXPECT_EQ(transfer->durable_bytes(), 2 * kBlockBytes);
  EXPECT_EQ(Next(*transfer), std::pair(0u, uint64_t{0}));
  EXPECT_EQ(Send(*transfer, 1), 1'000u);
  EXPECT_EQ(Next(*transfer), std::pair(1u, uint64_t{2}));
  EXPECT_EQ(Send(*transfer, 7), 6 * kBlockBytes);
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 8u);
  EXPECT_TRUE(Progress(8, 1, 9).advanced);
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 0u);
}

TEST_F(TransfersTest, TakesAnObjectsProgressForThatOfTheObjectsBeforeIt) {
  AddClip(*spool_, {1'000, 2'000, 4 * kBlockBytes}, 1);
  Transfer* transfer = Begin(7, {0, 0, 0});
  Send(*transfer, 5);
  EXPECT_TRUE(Progress(7, 2, 1).advanced);
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 2u);
  EXPECT_EQ(transfer->durable_bytes(), 3'000 + kBlockBytes);
}

TEST_F(TransfersTest, BelievesNoProgressOfAnEarlierLease) {
  AddClip(*spool_, {8 * kBlockBytes}, 1);
  Transfer* transfer = Begin(7, {0});
  Send(*transfer, 4);
  EXPECT_TRUE(transfers_->OnStreamEnded(absl::UnavailableError("cut")));
  Begin(8, {0});
  Send(*transfer, 4);
  EXPECT_FALSE(Progress(7, 0, 4).advanced);
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 4u);
}

// Each chunk behind a refused one is refused as well, and no refusal says which chunk it is for.
// Going back at each of them would send the window again as many times as there are chunks in it.
TEST_F(TransfersTest, OffersAgainOnceWhenAChunkIsRefusedInMidWindow) {
  AddClip(*spool_, {16 * kBlockBytes}, 1);
  Transfer* transfer = Begin(7, {0});
  Send(*transfer, 8);
  EXPECT_TRUE(Progress(7, 0, 2).advanced);
  // The third was damaged on its way, five were under way behind it.
  EXPECT_TRUE(Refuse(*transfer, 7, absl::StatusCode::kDataLoss, 0, 2).breach.ok());
  EXPECT_EQ(Take(), transfer) << "to be offered again";
  Begin(8, {2 * kBlockBytes});
  uint64_t again = Send(*transfer, 2);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Refuse(*transfer, 7, absl::StatusCode::kFailedPrecondition, 0, 2).breach.ok());
  }
  EXPECT_EQ(Next(*transfer), std::pair(0u, uint64_t{4})) << "and not back to the third";
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 2u);
  again += Send(*transfer, 6);
  EXPECT_EQ(again, 6 * kBlockBytes) << "the refused one and those that were under way behind it";
}

TEST_F(TransfersTest, CountsNothingOfARefusedObjectAsDurableThoughALaterObjectsProgressComes) {
  AddClip(*spool_, {1'000, 8 * kBlockBytes}, 1);
  Transfer* transfer = Begin(7, {0, 0});
  Send(*transfer, 5);
  EXPECT_TRUE(Refuse(*transfer, 7, absl::StatusCode::kDataLoss, 0, 0).breach.ok());
  Progress(7, 1, 4);  // the video behind the damaged preview was taken
  EXPECT_EQ(transfer->durable_bytes(), kNone) << "until a grant says so";
  Begin(8, {0, 4 * kBlockBytes});
  Send(*transfer, 1);
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 1u);
  EXPECT_EQ(transfer->durable_bytes(), 4 * kBlockBytes);
}

TEST_F(TransfersTest, GoesBackAtOnceWhenTheRefusedChunkIsTheOnlyOneUnderWay) {
  AddClip(*spool_, {8 * kBlockBytes}, 1);
  Transfer* transfer = Begin(7, {0});
  Send(*transfer, 4);
  EXPECT_TRUE(Progress(7, 0, 3).advanced);
  EXPECT_TRUE(Refuse(*transfer, 7, absl::StatusCode::kFailedPrecondition, 0, 1).breach.ok());
  EXPECT_EQ(transfer->state(), Transfer::State::kSending);
  EXPECT_EQ(Next(*transfer), std::pair(0u, uint64_t{1}));
}

TEST_F(TransfersTest, LeavesOneClipsChunksUnderWayWhenAnotherIsRefused) {
  AddClip(*spool_, {4 * kBlockBytes}, 1, /*priority=*/9);
  AddClip(*spool_, {8 * kBlockBytes}, 2, /*priority=*/1);
  Transfer* first = Begin(7, {0});
  Transfer* second = Begin(8, {0});
  Send(*first, 3);
  Send(*second, 5);
  EXPECT_TRUE(Progress(8, 0, 1).advanced);
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 7u);

  Refuse(*first, 7, absl::StatusCode::kUnavailable);
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 4u) << "the second's; the first's are void";
  EXPECT_EQ(transfers_->ToSend(), second);
  EXPECT_EQ(Next(*second), std::pair(0u, uint64_t{5}));

  first = Begin(9, {kBlockBytes});
  Send(*first, 1);
  Refuse(*first, 9, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(spool_->stats().quarantined, 1u);
  EXPECT_EQ(transfers_->unacknowledged_chunks(), 4u);
  EXPECT_TRUE(Progress(8, 0, 5).advanced);
  EXPECT_EQ(Send(*second, 3), kNone);
}

TEST_F(TransfersTest, OffersAgainWhenTheServerKnowsNothingOfALeaseAnyMore) {
  AddClip(*spool_, {8 * kBlockBytes}, 1);
  Transfer* transfer = Begin(7, {0});
  Send(*transfer, 4);
  // Each chunk under way is refused; without a lease to look up, the server can't name the clip.
  v1::UploadResponse response;
  response.mutable_refusal()->set_lease(7);
  response.mutable_refusal()->set_code(static_cast<uint32_t>(absl::StatusCode::kAborted));
  EXPECT_TRUE(transfers_->OnResponse(response).answered);
  EXPECT_EQ(Take(), transfer);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(transfers_->OnResponse(response).answered);
  EXPECT_EQ(Take(), transfer);
}

// --- a server that errs or means ill

// With a back-off as devices have it.
class BadServerTest : public TransfersTest {
 protected:
  BadServerTest() {
    transfers_ =
        std::make_unique<Transfers>(Transfers::Options{.max_clips = 2,
                                                       .backoff_base_ns = 500 * kNanosPerMilli,
                                                       .backoff_cap_ns = 60 * kNanosPerSecond,
                                                       .seed = 7},
                                    *spool_, clock_, board_, std::function<void()>());
  }
  // Lets so much time go by, in which the device offers what it may and every offer is refused.
  // Returns the sequence numbers of what was offered.
  std::vector<uint64_t> OffersWithin(int64_t duration_ns, uint32_t retry_after_ms) {
    std::vector<uint64_t> offers;
    const int64_t end = clock_.MonotonicNs() + duration_ns;
    for (; clock_.MonotonicNs() < end; clock_.Advance(20 * kNanosPerMilli)) {
      Transfer* transfer = Take();
      if (transfer == nullptr) continue;
      offers.push_back(transfer->clip().key.sequence);
      transfer->Offered();
      v1::UploadResponse response;
      v1::Refusal* refusal = response.mutable_refusal();
      *refusal->mutable_key() = KeyOf(*transfer);
      refusal->set_code(static_cast<uint32_t>(absl::StatusCode::kResourceExhausted));
      refusal->set_retry_after_ms(retry_after_ms);
      EXPECT_TRUE(transfers_->OnResponse(response).answered);
    }
    return offers;
  }
};

TEST_F(BadServerTest, IsOfferedAClipNoMoreOftenThanTheBackOffSaysThoughItAsksForMore) {
  AddClip(*spool_, {1000}, 1);
  const size_t in_ten_minutes = OffersWithin(600 * kNanosPerSecond, /*retry_after_ms=*/1).size();
  EXPECT_GE(in_ten_minutes, 10u);
  EXPECT_LE(in_ten_minutes, 50u);
}

TEST_F(BadServerTest, StopsAClipForTenMinutesAtTheMostAndNoOtherClip) {
  for (uint64_t i = 1; i <= 3; ++i) AddClip(*spool_, {1000}, i);
  constexpr uint32_t kForEver = std::numeric_limits<uint32_t>::max();
  // Both places are given up: the third clip has its turn as well.
  EXPECT_THAT(OffersWithin(300 * kNanosPerSecond, kForEver), UnorderedElementsAre(1, 2, 3));
  EXPECT_TRUE(transfers_->empty());
  EXPECT_TRUE(transfers_->AllWait(clock_.MonotonicNs()));
  EXPECT_LE(transfers_->NextDueNs(clock_.MonotonicNs()) - clock_.MonotonicNs(),
            300 * kNanosPerSecond);
  EXPECT_THAT(OffersWithin(600 * kNanosPerSecond, kForEver), UnorderedElementsAre(1, 2, 3));
}

TEST_F(BadServerTest, IsNotOfferedTheWholeSpoolWhenItHasNoRoom) {
  for (uint64_t i = 1; i <= 60; ++i) AddClip(*spool_, {1000}, i);
  EXPECT_LE(OffersWithin(60 * kNanosPerSecond, /*retry_after_ms=*/60'000).size(), 20u);
}

TEST_F(BadServerTest, WaitsLongerEachTimeItSendsTheSameGroundAgain) {
  AddClip(*spool_, {4 * kBlockBytes}, 1);
  int rounds = 0;
  const int64_t end = clock_.MonotonicNs() + 600 * kNanosPerSecond;
  for (uint64_t lease = 1; clock_.MonotonicNs() < end; clock_.Advance(20 * kNanosPerMilli)) {
    Transfer* transfer = Take();
    if (transfer == nullptr) continue;
    ++rounds;
    // It takes a chunk, says so, and then knows nothing of it.
    Grant(*transfer, ++lease, {0});
    Send(*transfer, 1);
    EXPECT_TRUE(Progress(lease, 0, 1).breach.ok());
    Refuse(*transfer, lease, absl::StatusCode::kAborted);
  }
  EXPECT_LE(rounds, 50);
}

TEST_F(BadServerTest, ThatAnswersOthersOnlyHoldsNoPlaceForEver) {
  AddClip(*spool_, {1000}, 1, /*priority=*/9);
  AddClip(*spool_, {1000}, 2, /*priority=*/1);
  Transfer* ignored = Take();
  ignored->Offered();
  ignored->moved_ns = clock_.MonotonicNs();
  clock_.Advance(239 * kNanosPerSecond);
  transfers_->PutOffForgotten(clock_.MonotonicNs(), 240 * kNanosPerSecond);
  EXPECT_TRUE(transfers_->AnswerDue());
  clock_.Advance(kNanosPerSecond);
  transfers_->PutOffForgotten(clock_.MonotonicNs(), 240 * kNanosPerSecond);
  EXPECT_FALSE(transfers_->AnswerDue());
  EXPECT_EQ(spool_->stats().pending_clips, 2u);
}

TEST_F(BadServerTest, FillsNoLogWithWhatNobodyAsked) {
  AddClip(*spool_, {1000}, 1);
  Take();
  v1::UploadResponse receipt, grant;
  receipt.mutable_receipt()->mutable_key()->set_sequence(99);
  grant.mutable_grant()->mutable_key()->set_sequence(99);
  LogLines lines;
  for (int i = 0; i < 5000; ++i) {
    EXPECT_FALSE(transfers_->OnResponse(receipt).answered);
    EXPECT_FALSE(transfers_->OnResponse(grant).answered);
  }
  const std::string text = lines.text();
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 20);
}

}  // namespace
}  // namespace gleaner::edge
