#include "edge/upload/uploader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <random>
#include <thread>

#include "common/limits.h"
#include "tests/edge/upload/fake_cloud.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A device and its cloud. The clock stands still unless a test takes the real one.
class UploaderTest : public testing::Test {
 protected:
  UploaderTest() {
    options_.backoff_base_ns = kNanosPerMilli;
    options_.backoff_cap_ns = 2 * kNanosPerMilli;
    options_.shutdown_timeout_ns = 0;  // a clock that stands still can't end a wait
    options_.seed = 1;
  }
  ~UploaderTest() override { Stop(); }

  void Start(Clock& clock) {
    link_ = PlainLink(cloud_.address(), clock);
    uploader_ = std::make_unique<Uploader>(options_, *spool_, *link_, clock, hooks_);
    thread_ = std::jthread([this](std::stop_token stop) { uploader_->Run(stop); });
  }
  void Stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
  }
  void Advance(int64_t ns) {
    clock_.Advance(ns);
    uploader_->Poke();
  }
  bool Drained() {
    return Eventually([&] { return spool_->stats().pending_clips == 0; });
  }
  UploadStats stats() { return uploader_->stats(); }

  TemporaryFolder folder_;
  FakeClock clock_;
  FakeCloud cloud_;
  UploaderOptions options_;
  UploaderHooks hooks_;
  std::unique_ptr<Spool> spool_ = OpenSpool(folder_.path(), clock_);
  std::unique_ptr<Link> link_;
  std::unique_ptr<Uploader> uploader_;
  std::jthread thread_;
};

TEST_F(UploaderTest, CarriesEveryClipAndEmptiesTheSpool) {
  for (uint64_t i = 1; i <= 5; ++i) AddClip(*spool_, {5'000, 70'000, 600'000 + i}, i);
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.breaches, IsEmpty());
  EXPECT_EQ(cloud_.clips.size(), 5u);
  for (const auto& [sequence, clip] : cloud_.clips) EXPECT_TRUE(clip.committed) << sequence;
  EXPECT_EQ(cloud_.streams, 1);
  EXPECT_EQ(stats().clips_total, 5u);
  EXPECT_EQ(stats().sent_bytes, cloud_.received_bytes);
  EXPECT_EQ(stats().resent_bytes, 0u);
  EXPECT_EQ(stats().cuts, 0u);
  EXPECT_EQ(stats().state, "idle");
  EXPECT_THAT(cloud_.devices, ElementsAre("test-device"));
}

TEST_F(UploaderTest, SendsTheMostValuableClipFirstAndObjectsInTheManifestsOrder) {
  options_.clips_in_flight = 1;
  AddClip(*spool_, {10}, 1, /*priority=*/1);
  AddClip(*spool_, {20, 300'000}, 2, /*priority=*/9);
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.log, ElementsAre("offer 2", "chunk 2/0@0", "chunk 2/1@0", "chunk 2/1@262144",
                                      "receipt 2", "offer 1", "chunk 1/0@0", "receipt 1"));
}

TEST_F(UploaderTest, FindsAClipThatIsCommittedWhileItIsIdle) {
  Start(clock_);
  spool_->OnChange([&] { uploader_->Poke(); });
  AddClip(*spool_, {1000}, 1);
  ASSERT_TRUE(Drained());
  AddClip(*spool_, {1000}, 2);
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_EQ(cloud_.streams, 1);
}

TEST_F(UploaderTest, ContinuesEachObjectWhereTheCloudHasIt) {
  AddClip(*spool_, {5'000, 1'000'000}, 1);
  // An earlier life of the device sent the preview and half of the video.
  const auto clip = *spool_->Next({});
  ASSERT_TRUE(clip.has_value());
  FakeCloud::Clip& known = cloud_.clips[1];
  known.manifest = clip->manifest;
  ASSERT_TRUE(known.parsed.ParseFromString(clip->manifest));
  known.objects.resize(2);
  std::string block;
  for (const auto& [object, number] : {std::pair{0, 0}, {1, 0}, {1, 1}}) {
    ASSERT_TRUE(spool_->ReadBlock(*clip, object, number, &block).ok());
    known.objects[object] += block;
  }
  spool_->PutBack(clip->key);
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.log,
              ElementsAre("offer 1", "chunk 1/1@524288", "chunk 1/1@786432", "receipt 1"));
  EXPECT_EQ(stats().resent_bytes, 0u);
}

TEST_F(UploaderTest, OffersTheNextClipWhileTheReceiptOfTheFirstIsDue) {
  AddClip(*spool_, {1000}, 1);
  AddClip(*spool_, {2000}, 2);
  AddClip(*spool_, {3000}, 3);
  cloud_.answer_last_chunk = [](const v1::ClipKey&) { return v1::UploadResponse(); };  // never
  Start(clock_);
  // Two clips under way, both sent whole; the third isn't touched.
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == 2; }));
  Stop();
  EXPECT_THAT(cloud_.log, ElementsAre("offer 1", testing::AnyOf("offer 2", "chunk 1/0@0"),
                                      testing::AnyOf("offer 2", "chunk 1/0@0"), "chunk 2/0@0"));
  EXPECT_EQ(spool_->stats().pending_clips, 3u);
}

// A cut at every point of the conversation, hundreds of times: the promise that gives this room its
// shape.
void CutAtRandom(UploaderTest& test, FakeCloud& cloud, uint64_t seed) {
  (void)test;
  auto random = std::make_shared<std::mt19937_64>(seed);
  cloud.on_chunk = [random](const v1::Chunk&, int) {
    static constexpr ChunkFault::Kind kKinds[] = {
        ChunkFault::kNone, ChunkFault::kNone, ChunkFault::kCutBeforeDurable,
        ChunkFault::kCutAfterDurable, ChunkFault::kCutAfterProgress};
    return ChunkFault{.kind = kKinds[(*random)() % std::size(kKinds)]};
  };
}

TEST_F(UploaderTest, SendsAtMostOneChunkAgainAfterEachOfManyRandomCuts) {
  for (uint64_t i = 1; i <= 12; ++i) AddClip(*spool_, {1'000 * i, 1'500'000 + 7 * i}, i);
  CutAtRandom(*this, cloud_, 42);
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.breaches, IsEmpty());
  EXPECT_GE(cloud_.cuts, 50);
  EXPECT_LE(stats().cuts, static_cast<uint64_t>(cloud_.cuts));  // not those between two clips
  EXPECT_LE(stats().resent_bytes, stats().cuts * kBlockBytes);
  // Some were cut after the chunk was lost: what is sent again then is counted by the device and
  // not by the cloud.
  EXPECT_GT(stats().resent_bytes, cloud_.duplicate_bytes);
  // What reached the cloud's disk is sent again only when the stream died in between.
  EXPECT_LE(cloud_.duplicate_bytes, stats().cuts * kBlockBytes);
  for (const auto& [sequence, clip] : cloud_.clips) EXPECT_TRUE(clip.committed) << sequence;
}

TEST_F(UploaderTest, SendsAtMostItsWindowAgainAfterEachCut) {
  options_.window_chunks = 8;
  for (uint64_t i = 1; i <= 6; ++i) AddClip(*spool_, {3'000'000}, i);
  CutAtRandom(*this, cloud_, 7);
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.breaches, IsEmpty());
  EXPECT_GE(cloud_.cuts, 20);
  EXPECT_LE(stats().resent_bytes, stats().cuts * 8 * kBlockBytes);
  EXPECT_GT(stats().resent_bytes, 0u);
}

TEST_F(UploaderTest, GoesBackInAWideWindowToALowerOffsetThanWasToldBeforeARestart) {
  options_.window_chunks = 4;
  AddClip(*spool_, {9 * kBlockBytes}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int number) {
    return ChunkFault{.kind = number == 7 ? ChunkFault::kCutBeforeDurable : ChunkFault::kNone};
  };
  // A power cut took all but two blocks of what had been told to be durable.
  cloud_.on_stream = [this] {
    if (cloud_.streams == 2) cloud_.clips[1].objects[0].resize(2 * kBlockBytes);
    return grpc::Status::OK;
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.breaches, IsEmpty());
  EXPECT_EQ(cloud_.streams, 2);
  EXPECT_TRUE(cloud_.clips[1].committed);
  // Seven blocks before the cut, seven after it; beyond these at most what the window had room for.
  EXPECT_EQ(cloud_.chunks, 14);
  EXPECT_GE(stats().resent_bytes, 5 * kBlockBytes);
  EXPECT_LE(stats().resent_bytes, 7 * kBlockBytes);
}

TEST_F(UploaderTest, SaysThatMoreFollowsOnlyWhileItsWindowHasRoom) {
  options_.window_chunks = 3;
  AddClip(*spool_, {8 * kBlockBytes}, 1);
  std::vector<bool> more_follows;
  cloud_.on_chunk = [&](const v1::Chunk& chunk, int) {
    more_follows.push_back(chunk.more_follows());
    return ChunkFault{};
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.breaches, IsEmpty());
  EXPECT_THAT(more_follows, ElementsAre(true, true, false, true, true, false, true, false));
}

TEST_F(UploaderTest, NeverSaysThatMoreFollowsWhenItsCapMakesTheNextChunkWait) {
  options_.window_chunks = 3;
  options_.cap_bytes_per_s = kBlockBytes / 2;
  AddClip(*spool_, {2 * kBlockBytes}, 1);
  bool more_follows = true;
  cloud_.on_chunk = [&](const v1::Chunk& chunk, int) {
    more_follows = chunk.more_follows();
    return ChunkFault{};
  };
  Start(RealClock());
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == 1; }));
  Stop();
  EXPECT_FALSE(more_follows);
}

TEST_F(UploaderTest, NeverHasMoreThanItsWindowUnacknowledged) {
  options_.window_chunks = 3;
  AddClip(*spool_, {8 * kBlockBytes}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int) { return ChunkFault{.kind = ChunkFault::kSilence}; };
  Start(clock_);
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == 3; }));
  Stop();  // half a dozen turns of the loop later
  EXPECT_EQ(cloud_.chunks, 3);
  EXPECT_EQ(stats().sent_bytes, 3 * kBlockBytes);
}

TEST_F(UploaderTest, CountsNoStreamErrorAsDelivery) {
  AddClip(*spool_, {300'000}, 1);
  std::vector<grpc::StatusCode> codes;
  for (int code = 1; code <= 16; ++code) {
    // INVALID_ARGUMENT sets the clip aside after a while; it has a test of its own.
    if (code != 3) codes.push_back(static_cast<grpc::StatusCode>(code));
  }
  size_t next = 0;
  cloud_.on_stream = [&] {
    EXPECT_EQ(spool_->stats().pending_clips, 1u);
    return next < codes.size() ? grpc::Status(codes[next++], "no") : grpc::Status::OK;
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_EQ(next, codes.size());
  EXPECT_TRUE(cloud_.clips[1].committed);
  EXPECT_EQ(stats().quarantined, 0u);
}

TEST_F(UploaderTest, TellsTheLinkOfEachConnectionThatEnds) {
  AddClip(*spool_, {300'000}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int number) {
    return ChunkFault{.kind = number == 1 ? ChunkFault::kCutBeforeDurable : ChunkFault::kNone};
  };
  Start(RealClock());
  ASSERT_TRUE(Drained());
  EXPECT_EQ(link_->losses(), 1u);
}

TEST_F(UploaderTest, GivesASignOfLifeEachTimeItsLoopTurns) {
  std::atomic<int> signs{0};
  hooks_.alive = [&] { ++signs; };
  Start(clock_);
  for (int i = 0; i < 3; ++i) {
    const int before = signs;
    uploader_->Poke();
    EXPECT_TRUE(Eventually([&] { return signs > before; }));
  }
  Stop();
}

TEST_F(UploaderTest, SaysWhyItCantConnect) {
  AddClip(*spool_, {1000}, 1);
  cloud_.on_stream = [] { return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "who are you"); };
  Start(clock_);
  EXPECT_TRUE(Eventually([&] { return stats().state == "backing-off"; }));
  EXPECT_THAT(stats().last_error, HasSubstr("who are you"));
}

TEST_F(UploaderTest, GoesOnWhenAServerThatWasDownAtTheStartComesUp) {
  cloud_.Stop();
  AddClip(*spool_, {300'000}, 1);
  Start(RealClock());
  ASSERT_TRUE(Eventually([&] { return !stats().last_error.empty(); }));
  EXPECT_EQ(spool_->stats().pending_clips, 1u);
  EXPECT_EQ(stats().cuts, 0u);  // nothing was cut: there was nothing
  cloud_.Start();
  ASSERT_TRUE(Drained());
  EXPECT_EQ(stats().last_error, "");
}

TEST_F(UploaderTest, SurvivesARestartOfTheServerInMidClip) {
  for (uint64_t i = 1; i <= 4; ++i) AddClip(*spool_, {2'000'000}, i);
  Start(RealClock());
  for (const int at : {3, 9, 17}) {
    ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks >= at; }));
    cloud_.Stop();
    cloud_.Start();
  }
  ASSERT_TRUE(Drained());
  Stop();
  EXPECT_THAT(cloud_.breaches, IsEmpty());
  EXPECT_LE(stats().resent_bytes, stats().cuts * kBlockBytes);
}

TEST_F(UploaderTest, CutsAStreamThatMakesNoProgressAndGivesASlowOneMoreTime) {
  AddClip(*spool_, {300'000}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int number) {
    return ChunkFault{.kind = number <= 2 ? ChunkFault::kSilence : ChunkFault::kNone};
  };
  Start(clock_);
  const auto streams = [&](int n) { return cloud_.Await([&] { return cloud_.streams == n; }); };
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == 1; }));
  const auto channel = link_->Channel();
  Advance(29 * kNanosPerSecond);
  Advance(2 * kNanosPerSecond);
  ASSERT_TRUE(Eventually([&] { return stats().cuts == 1; }));
  EXPECT_THAT(stats().last_error, HasSubstr("no progress for 30 s"));
  Advance(kNanosPerSecond);  // the back-off
  ASSERT_TRUE(streams(2));
  EXPECT_NE(link_->Channel(), channel) << "over a connection of its own";
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == 2; }));
  Advance(61 * kNanosPerSecond);
  ASSERT_TRUE(Eventually([&] { return stats().cuts == 2; }));
  EXPECT_THAT(stats().last_error, HasSubstr("no progress for 60 s"));
  Advance(kNanosPerSecond);
  ASSERT_TRUE(Drained());
}

TEST_F(UploaderTest, StopsWithinTwoSecondsWhenTheServerHangs) {
  options_.shutdown_timeout_ns = UploaderOptions().shutdown_timeout_ns;
  AddClip(*spool_, {300'000}, 1);
  cloud_.on_chunk = [](const v1::Chunk&, int) { return ChunkFault{.kind = ChunkFault::kSilence}; };
  Start(RealClock());
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == 1; }));
  const int64_t start = RealClock().MonotonicNs();
  Stop();
  EXPECT_LT(RealClock().MonotonicNs() - start, 2 * kNanosPerSecond);
  // The clip is the spool's again.
  EXPECT_TRUE((*spool_->Next({})).has_value());
}

TEST_F(UploaderTest, WaitsForAnAcknowledgementOnItsWayBeforeItStops) {
  options_.shutdown_timeout_ns = 10 * kNanosPerSecond;
  AddClip(*spool_, {1'000}, 1);
  // The stop is requested while the only chunk is in the cloud's hands, before its receipt is
  // written.
  cloud_.on_chunk = [&](const v1::Chunk&, int) {
    thread_.request_stop();
    return ChunkFault{};
  };
  Start(RealClock());
  thread_.join();
  EXPECT_EQ(spool_->stats().pending_clips, 0u);
  EXPECT_EQ(stats().cuts, 0u);
}

TEST_F(UploaderTest, SaysWhenItStopsThatNothingFollowsAndWaitsForWhatIsThenDurable) {
  options_.shutdown_timeout_ns = 3'600 * kNanosPerSecond;  // no wait of the test's is as long
  options_.window_chunks = 8;
  AddClip(*spool_, {20 * kBlockBytes}, 1);
  // The chunk has promised another, which doesn't come.
  cloud_.on_chunk = [&](const v1::Chunk&, int number) {
    if (number == 2) thread_.request_stop();
    return ChunkFault{};
  };
  Start(RealClock());
  thread_.join();
  EXPECT_GE(stats().durable_bytes, 2 * kBlockBytes);
  EXPECT_EQ(stats().durable_bytes, cloud_.received_bytes);
  EXPECT_EQ(stats().cuts, 0u);
}

TEST_F(UploaderTest, KeepsToTheCapAndFollowsItsChanges) {
  options_.cap_bytes_per_s = kBlockBytes;  // a chunk a second, and a little for the fields
  AddClip(*spool_, {20 * kBlockBytes}, 1);
  Start(clock_);
  // The offer goes at once and is small; the first chunk follows within a moment of the clock.
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.log.size() == 1; }));
  Advance(kNanosPerSecond / 10);
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == 1; }));
  for (int i = 2; i <= 5; ++i) {
    Advance(kNanosPerSecond / 2);
    ASSERT_TRUE(Eventually([&] { return stats().state == "sending"; }));
    EXPECT_LT(cloud_.Locked([&] { return cloud_.chunks; }), i);
    Advance(kNanosPerSecond / 2 + kNanosPerMilli);
    ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == i; })) << i;
  }
  EXPECT_EQ(stats().cap_bytes_per_s, kBlockBytes);
  // A policy that allows more changes nothing, one that allows less does.
  uploader_->SetPolicyCap(10 * kBlockBytes);
  uploader_->SetPolicyCap(kBlockBytes / 4);
  ASSERT_TRUE(Eventually([&] { return stats().cap_bytes_per_s == kBlockBytes / 4; }));
  Advance(kNanosPerSecond);
  Advance(kNanosPerSecond);
  Advance(kNanosPerSecond);
  EXPECT_EQ(cloud_.Locked([&] { return cloud_.chunks; }), 5);
  Advance(kNanosPerSecond + 10 * kNanosPerMilli);
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.chunks == 6; }));
}

TEST_F(UploaderTest, AsksForNothingOfAWaitForTokensAsIfItWereAStall) {
  options_.cap_bytes_per_s = kBlockBytes / 100;  // 100 s a chunk
  AddClip(*spool_, {3 * kBlockBytes}, 1);
  Start(clock_);
  ASSERT_TRUE(cloud_.Await([&] { return cloud_.log.size() == 1; }));
  Advance(kNanosPerSecond);  // the offer's own bytes
  ASSERT_TRUE(Eventually([&] { return stats().durable_bytes == kBlockBytes; }));
  for (uint64_t chunk = 2; chunk <= 3; ++chunk) {
    for (int i = 0; i < 11; ++i) Advance(10 * kNanosPerSecond);
    ASSERT_TRUE(Eventually([&] { return stats().durable_bytes == chunk * kBlockBytes; }));
  }
  ASSERT_TRUE(Drained());
  EXPECT_EQ(stats().cuts, 0u);
}

}  // namespace
}  // namespace gleaner::edge
