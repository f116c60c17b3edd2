// What the device does with each answer of ingest.proto's table of refusals, and with answers that
// make no sense.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <thread>

#include "common/limits.h"
#include "edge/upload/uploader.h"
#include "tests/edge/upload/fake_cloud.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

v1::UploadResponse Refuse(const v1::ClipKey& key, grpc::StatusCode code, std::string message,
                          uint32_t retry_after_ms = 0) {
  v1::UploadResponse response;
  *response.mutable_refusal()->mutable_key() = key;
  response.mutable_refusal()->set_code(code);
  response.mutable_refusal()->set_message(std::move(message));
  response.mutable_refusal()->set_retry_after_ms(retry_after_ms);
  return response;
}

ChunkFault RefuseChunk(grpc::StatusCode code, uint32_t object, uint64_t durable_offset) {
  ChunkFault fault{.kind = ChunkFault::kRefuse};
  fault.refusal.set_code(code);
  fault.refusal.set_object(object);
  fault.refusal.set_durable_offset(durable_offset);
  return fault;
}

class RefusalTest : public testing::Test {
 protected:
  RefusalTest() {
    options_.backoff_base_ns = kNanosPerMilli;
    options_.backoff_cap_ns = 2 * kNanosPerMilli;
    options_.shutdown_timeout_ns = 0;
    options_.seed = 1;
  }
  ~RefusalTest() override { Stop(); }

  void Start(Clock& clock) {
    link_ = PlainLink(cloud_.address(), clock);
    uploader_ = std::make_unique<Uploader>(
        options_, *spool_, *link_, clock,
        UploaderHooks{.alive = {}, .ledger_changed = [this] { ++ledger_changes_; }});
    thread_ = std::jthread([this](std::stop_token stop) { uploader_->Run(stop); });
  }
  void Stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
  }
  bool Drained() {
    return Eventually([&] { return spool_->stats().pending_clips == 0; });
  }
  // The reason on the tombstone of a clip that ended FAILED; empty if there is none.
  std::string Tombstone(const ClipKey& key) {
    const v1::ReportLedgerRequest ledger = *spool_->Ledger();
    for (const v1::BootLedger& boot : ledger.boots()) {
      for (const v1::Tombstone& tombstone : boot.tombstones()) {
        if (tombstone.key().sequence() == key.sequence) return tombstone.reason();
      }
    }
    return "";
  }
  UploadStats stats() { return uploader_->stats(); }

  TemporaryFolder folder_;
  FakeClock clock_;
  FakeCloud cloud_;
  UploaderOptions options_;
  std::unique_ptr<Spool> spool_ = OpenSpool(folder_.path(), clock_);
  std::unique_ptr<Link> link_;
  std::unique_ptr<Uploader> uploader_;
  std::atomic<int> ledger_changes_{0};
  std::jthread thread_;
};

class FinalRefusal : public RefusalTest, public testing::WithParamInterface<grpc::StatusCode> {};

TEST_P(FinalRefusal, QuarantinesTheClipAndGoesOnWithTheNext) {
  const ClipKey refused = AddClip(*spool_, {1000}, 1);
  AddClip(*spool_, {1000}, 2);
  cloud_.answer_offer = [](const v1::ClipKey& key) -> std::optional<v1::UploadResponse> {
    if (key.sequence() != 1) return std::nullopt;
    return Refuse(key, GetParam(), "because");
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_EQ(spool_->stats().quarantined, 1u);
  EXPECT_EQ(stats().quarantined, 1u);
  EXPECT_EQ(stats().clips_total, 1u);
  EXPECT_TRUE(cloud_.clips[2].committed);
  EXPECT_THAT(Tombstone(refused), HasSubstr("because"));
  EXPECT_EQ(cloud_.streams, 1);
  EXPECT_EQ(ledger_changes_, 2);
}

INSTANTIATE_TEST_SUITE_P(EachCode, FinalRefusal,
                         testing::Values(grpc::StatusCode::ALREADY_EXISTS,
                                         grpc::StatusCode::INVALID_ARGUMENT,
                                         grpc::StatusCode::PERMISSION_DENIED),
                         [](const auto& info) { return std::to_string(info.param); });

class LaterRefusal : public RefusalTest, public testing::WithParamInterface<grpc::StatusCode> {};

TEST_P(LaterRefusal, IsFollowedByAnotherOfferWhenItsTimeHasCome) {
  AddClip(*spool_, {1000}, 1);
  bool refused = false;
  cloud_.answer_offer = [&](const v1::ClipKey& key) -> std::optional<v1::UploadResponse> {
    if (std::exchange(refused, true)) return std::nullopt;
    return Refuse(key, GetParam(), "busy", /*retry_after_ms=*/5000);
  };
  Start(clock_);
  ASSERT_TRUE(Eventually([&] { return stats().state == "backing-off"; }));
  EXPECT_THAT(stats().last_error, HasSubstr("busy"));
  clock_.Advance(4900 * kNanosPerMilli);
  uploader_->Poke();
  ASSERT_TRUE(Eventually([&] { return stats().state == "backing-off"; }));
  EXPECT_THAT(cloud_.Locked([&] { return cloud_.log; }), ElementsAre("offer 1"));
  clock_.Advance(200 * kNanosPerMilli);
  uploader_->Poke();
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_EQ(cloud_.streams, 1);
  EXPECT_EQ(stats().quarantined, 0u);
}

INSTANTIATE_TEST_SUITE_P(EachCode, LaterRefusal,
                         testing::Values(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                         grpc::StatusCode::UNAVAILABLE,
                                         // Not in the table: a newer server's.
                                         grpc::StatusCode::INTERNAL),
                         [](const auto& info) { return std::to_string(info.param); });

TEST_F(RefusalTest, OfAChunkBeyondTheDurableOffsetIsFollowedByTheChunkThatIsMissing) {
  AddClip(*spool_, {3 * kBlockBytes}, 1);
  cloud_.on_chunk = [&](const v1::Chunk& chunk, int number) {
    if (number != 3) return ChunkFault{};
    // As if the cloud had lost the second chunk.
    cloud_.clips[1].objects[0].resize(kBlockBytes);
    EXPECT_EQ(chunk.offset(), 2 * kBlockBytes);
    return RefuseChunk(grpc::StatusCode::FAILED_PRECONDITION, 0, kBlockBytes);
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.breaches, IsEmpty());
  EXPECT_THAT(cloud_.log,
              ElementsAre("offer 1", "chunk 1/0@0", "chunk 1/0@262144", "chunk 1/0@524288",
                          "chunk 1/0@262144", "chunk 1/0@524288", "receipt 1"));
}

TEST_F(RefusalTest, ThatSendsInCirclesEndsInAPauseAndNotInAHotLoop) {
  AddClip(*spool_, {3 * kBlockBytes}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int) {
    return RefuseChunk(grpc::StatusCode::FAILED_PRECONDITION, 0, 0);
  };
  Start(clock_);
  ASSERT_TRUE(Eventually([&] { return stats().state == "backing-off"; }));
  EXPECT_LT(cloud_.Locked([&] { return cloud_.chunks; }), 12);
}

TEST_F(RefusalTest, ForDamageOnTheWayIsFollowedByTheWholeObjectAgain) {
  AddClip(*spool_, {1000, 2 * kBlockBytes}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int number) {
    return number == 3 ? RefuseChunk(grpc::StatusCode::DATA_LOSS, 1, 0) : ChunkFault{};
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.log, ElementsAre("offer 1", "chunk 1/0@0", "chunk 1/1@0", "chunk 1/1@262144",
                                      "chunk 1/1@0", "chunk 1/1@262144", "receipt 1"));
  EXPECT_EQ(stats().quarantined, 0u);
}

TEST_F(RefusalTest, InTheMiddleOfAWideWindowCostsThatWindowAndLeavesTheOtherClipAlone) {
  options_.window_chunks = 8;
  AddClip(*spool_, {1000, 12 * kBlockBytes}, 1);
  AddClip(*spool_, {6 * kBlockBytes}, 2);
  int refusals = 0;
  cloud_.on_chunk = [&](const v1::Chunk& chunk, int) {
    // Once the preview and once the fifth block of the video are damaged on their way.
    const bool damaged = refusals < 2 && cloud_.clips[1].lease == chunk.lease() &&
                         chunk.object() == static_cast<uint32_t>(refusals) &&
                         chunk.offset() == (refusals == 0 ? 0 : 4 * kBlockBytes);
    if (!damaged) return ChunkFault{};
    return RefuseChunk(grpc::StatusCode::DATA_LOSS, refusals++, chunk.offset());
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.breaches, IsEmpty());
  EXPECT_EQ(refusals, 2);
  EXPECT_EQ(cloud_.streams, 1);
  EXPECT_EQ(stats().quarantined, 0u);
  EXPECT_LE(stats().resent_bytes, 2 * 8 * kBlockBytes);
  // Of the other clip every chunk came once.
  EXPECT_EQ(std::count_if(cloud_.log.begin(), cloud_.log.end(),
                          [](const std::string& line) { return line.starts_with("chunk 2/"); }),
            6);
  EXPECT_TRUE(cloud_.clips[1].committed && cloud_.clips[2].committed);
}

TEST_F(RefusalTest, ForDamageThreeTimesQuarantinesTheClip) {
  const ClipKey damaged = AddClip(*spool_, {2 * kBlockBytes}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int) {
    return RefuseChunk(grpc::StatusCode::DATA_LOSS, 0, 0);
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_EQ(cloud_.chunks, 3);
  EXPECT_EQ(spool_->stats().quarantined, 1u);
  EXPECT_THAT(Tombstone(damaged), HasSubstr("DATA_LOSS"));
}

TEST_F(RefusalTest, OfAFencedLeaseIsFollowedByANewOffer) {
  AddClip(*spool_, {2 * kBlockBytes}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int number) {
    return number == 2 ? RefuseChunk(grpc::StatusCode::ABORTED, 0, 0) : ChunkFault{};
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.log, ElementsAre("offer 1", "chunk 1/0@0", "chunk 1/0@262144", "offer 1",
                                      "chunk 1/0@262144", "receipt 1"));
  EXPECT_EQ(cloud_.streams, 1);
}

TEST_F(RefusalTest, OfALeaseThatIsGoneIsIgnored) {
  AddClip(*spool_, {2 * kBlockBytes}, 1);
  cloud_.answer_last_chunk = [&](const v1::ClipKey& key) -> std::optional<v1::UploadResponse> {
    v1::UploadResponse stale = Refuse(key, grpc::StatusCode::INVALID_ARGUMENT, "late");
    stale.mutable_refusal()->set_lease(1);
    cloud_.answer_last_chunk = nullptr;
    return stale;
  };
  Start(RealClock());
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == 2; }));
  // The receipt never came: the next stream brings it.
  cloud_.Stop();
  cloud_.Start();
  ASSERT_TRUE(Drained());
  EXPECT_EQ(stats().quarantined, 0u);
}

TEST_F(RefusalTest, ReasonIsCutBetweenCharacters) {
  const ClipKey refused = AddClip(*spool_, {1000}, 1);
  cloud_.answer_offer = [](const v1::ClipKey& key) {
    std::string message;
    for (int i = 0; i < 300; ++i) message += "ü";
    return Refuse(key, grpc::StatusCode::INVALID_ARGUMENT, message);
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_LE(Tombstone(refused).size(), 256u);
  // A tombstone that can't be parsed would block the ledger for ever.
  v1::ReportLedgerRequest parsed;
  EXPECT_TRUE(parsed.ParseFromString(spool_->Ledger()->SerializeAsString()));
}

TEST_F(RefusalTest, AReceiptForAnotherManifestDeletesNothing) {
  AddClip(*spool_, {1000}, 1);
  AddClip(*spool_, {1000}, 2);
  cloud_.answer_last_chunk = [](const v1::ClipKey& key) -> std::optional<v1::UploadResponse> {
    if (key.sequence() != 1) return std::nullopt;
    v1::UploadResponse response;
    *response.mutable_receipt()->mutable_key() = key;
    response.mutable_receipt()->set_manifest_sha256(std::string(32, 'x'));
    return response;
  };
  Start(RealClock());
  // The other clip is not held up.
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.clips[2].committed; }));
  ASSERT_TRUE(Eventually([&] { return spool_->stats().pending_clips == 1; }));
  Stop();
  EXPECT_EQ((*spool_->Next({}))->key.sequence, 1u);
  EXPECT_EQ(spool_->stats().quarantined, 0u);
}

TEST_F(RefusalTest, AReceiptOfAClipTheCloudHadAlreadyNeedsNoBytes) {
  AddClip(*spool_, {1000}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int) {
    return ChunkFault{.kind = ChunkFault::kCutAfterDurable};
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_EQ(cloud_.chunks, 1);
}

TEST_F(RefusalTest, GrantsThatMakeNoSenseCloseTheStreamAndHoldUpNobodyForEver) {
  AddClip(*spool_, {1000}, 1, /*priority=*/9);
  AddClip(*spool_, {1000}, 2, /*priority=*/1);
  options_.clips_in_flight = 1;
  int offers = 0;
  cloud_.answer_offer = [&](const v1::ClipKey& key) -> std::optional<v1::UploadResponse> {
    if (key.sequence() != 1) return std::nullopt;
    v1::UploadResponse response;
    *response.mutable_grant()->mutable_key() = key;
    response.mutable_grant()->set_lease(offers == 0 ? 0 : 7);
    response.mutable_grant()->add_durable_offset(offers == 1 ? 999 : 0);
    if (offers == 2) response.mutable_grant()->add_durable_offset(0);
    ++offers;
    return response;
  };
  Start(clock_);
  ASSERT_TRUE(Eventually([&] {
    clock_.Advance(10 * kNanosPerMilli);
    uploader_->Poke();
    return spool_->stats().pending_clips == 1;
  }));
  EXPECT_EQ(offers, 3);
  EXPECT_EQ(cloud_.Locked([&] { return cloud_.chunks; }), 1);
  // Ten minutes later it gets another chance.
  cloud_.Locked([&] { cloud_.answer_offer = nullptr; });
  clock_.Advance(601 * kNanosPerSecond);
  uploader_->Poke();
  ASSERT_TRUE(Drained());
}

TEST_F(RefusalTest, ProgressBeyondWhatWasSentClosesTheStream) {
  AddClip(*spool_, {4 * kBlockBytes}, 1);
  cloud_.on_chunk = [&](const v1::Chunk&, int) {
    cloud_.clips[1].objects[0].assign(3 * kBlockBytes, 'x');
    return ChunkFault{};
  };
  Start(clock_);
  ASSERT_TRUE(Eventually([&] { return stats().cuts == 1; }));
  EXPECT_THAT(stats().last_error, HasSubstr("never sent"));
  EXPECT_EQ(spool_->stats().pending_clips, 1u);
}

TEST_F(RefusalTest, AServerThatSaysMuchMoreThanItIsAskedLosesItsStream) {
  AddClip(*spool_, {1000}, 1);
  cloud_.unasked = [] {
    v1::UploadResponse late;
    late.mutable_progress()->set_lease(99);
    return std::vector<v1::UploadResponse>(100'000, late);
  };
  Start(clock_);
  ASSERT_TRUE(Eventually([&] { return stats().cuts >= 1; }));
  EXPECT_THAT(stats().last_error, HasSubstr("messages in answer to"));
  // The next attempts follow the back-off, which stands still.
  EXPECT_EQ(cloud_.Locked([&] { return cloud_.streams; }), 1);
  cloud_.Locked([&] { cloud_.unasked = nullptr; });
  ASSERT_TRUE(Eventually([&] {
    clock_.Advance(10 * kNanosPerMilli);
    uploader_->Poke();
    return spool_->stats().pending_clips == 0;
  }));
  EXPECT_LT(cloud_.Locked([&] { return cloud_.unasked_sent; }), 100'000);
}

TEST_F(RefusalTest, AServerThatCompressesIsNotHeard) {
  AddClip(*spool_, {1000}, 1);
  cloud_.compression = GRPC_COMPRESS_GZIP;
  Start(clock_);
  ASSERT_TRUE(Eventually([&] {
    return stats().last_error.find("is disabled") != std::string::npos;
  })) << stats().last_error;
  EXPECT_EQ(spool_->stats().pending_clips, 1u);
  cloud_.Locked([&] { cloud_.compression = GRPC_COMPRESS_NONE; });
  ASSERT_TRUE(Eventually([&] {
    clock_.Advance(10 * kNanosPerMilli);
    uploader_->Poke();
    return spool_->stats().pending_clips == 0;
  }));
}

TEST_F(RefusalTest, ACapThatWouldStopTheUploadIsRaisedToTheLeastThereIs) {
  Start(clock_);
  uploader_->SetPolicyCap(1);
  ASSERT_TRUE(Eventually([&] { return stats().cap_bytes_per_s == kMinUploadCapBytesPerS; }));
  uploader_->SetPolicyCap(std::numeric_limits<uint64_t>::max());
  ASSERT_TRUE(
      Eventually([&] { return stats().cap_bytes_per_s == std::numeric_limits<uint64_t>::max(); }));
  AddClip(*spool_, {2 * kBlockBytes}, 1);
  uploader_->Poke();
  ASSERT_TRUE(Drained());
}

TEST_F(RefusalTest, AClipDamagedOnTheDevicesOwnDiskIsQuarantinedBeforeABadByteIsSent) {
  const ClipKey damaged = AddClip(*spool_, {4 * kBlockBytes}, 1);
  const ClipKey whole = AddClip(*spool_, {kBlockBytes}, 2);
  const auto clip = *spool_->Next({whole});
  ASSERT_TRUE(clip.has_value());
  const uint64_t block = clip->objects[0].blocks[2];
  spool_->PutBack(clip->key);
  {
    std::fstream file(folder_.path("spool.blocks"), std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(block * kBlockBytes + 1234));
    file.write("damage", 6);
  }
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.breaches, IsEmpty());
  EXPECT_FALSE(cloud_.clips[1].committed);
  EXPECT_TRUE(cloud_.clips[2].committed);
  EXPECT_EQ(spool_->stats().quarantined, 1u);
  EXPECT_THAT(Tombstone(damaged), HasSubstr("block 2"));
}

}  // namespace
}  // namespace gleaner::edge
