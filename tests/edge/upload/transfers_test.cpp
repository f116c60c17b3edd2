#include "edge/upload/transfers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

class TransfersTest : public ::testing::Test {
 protected:
  // The clip that is to go next; null when there is none.
  Transfer* Take() {
    bool more = false;
    EXPECT_TRUE(transfers_.Take(&more).ok());
    return transfers_.ToOffer(clock_.MonotonicNs());
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Spool> spool_ = OpenSpool(folder_.path(), clock_);
  UploadStatsBoard board_;
  Transfers transfers_{{.max_clips = 1}, *spool_, clock_, board_, {}};
};

TEST_F(TransfersTest, QuarantinesAClipThatCannotBeReadThreeTimes) {
  AddClip(*spool_, {kBlockBytes}, 1);
  const ChunkPosition position{.object = 0, .offset = 0};
  for (int time = 1; time <= 3; ++time) {
    Transfer* transfer = Take();
    ASSERT_NE(transfer, nullptr) << time;
    EXPECT_EQ(spool_->stats().quarantined, 0u);
    transfers_.OnReadError(*transfer, position, absl::UnknownError("read: Input/output error"));
    EXPECT_EQ(Take(), nullptr) << "not again at once";
    clock_.Advance(601 * kNanosPerSecond);
  }
  EXPECT_EQ(Take(), nullptr);
  EXPECT_EQ(spool_->stats().pending_clips, 0u);
  ASSERT_EQ(spool_->stats().quarantined, 1u);
  EXPECT_THAT(spool_->Ledger()->boots(0).tombstones(0).reason(), HasSubstr("Input/output error"));
}

}  // namespace
}  // namespace gleaner::edge
