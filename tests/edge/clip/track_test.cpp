// One camera's part of a clip, fed packet by packet.
#include "edge/clip/track.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/edge/clip/clip_rig.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kS = kNanosPerSecond;

class TrackTest : public ClipRig {
 protected:
  void SetUp() override {
    ClipRig::SetUp();
    film_ = ReadFootage(Footage("cup.mp4"), kStart);  // a keyframe every 30 frames
    stream_ = std::make_shared<StreamInfo>(StreamInfo{film_.format, "remux"});
    clip_ = *spool_->NewClip(*spool_->TakeNumber("hand", 5));
  }
  void TearDown() override {
    clip_.reset();
    ClipRig::TearDown();
  }
  std::unique_ptr<Track> Open(size_t first, size_t end, size_t fired = 0,
                              uint64_t after_max_bytes = 1 << 20) {
    return std::make_unique<Track>("front", At(first), At(end), At(fired), after_max_bytes, *clip_);
  }
  // When the i-th frame is shown.
  int64_t At(size_t i) const { return film_.packets[i].monotonic_ns; }
  StreamPacket PacketOf(size_t i) const { return {film_.packets[i], stream_}; }
  void Feed(Track& track, size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) ASSERT_TRUE(track.Feed(PacketOf(i)).ok()) << i;
  }
  uint64_t BytesOf(size_t from, size_t to) const {
    uint64_t sum = 0;
    for (size_t i = from; i < to; ++i) sum += film_.packets[i].size_bytes;
    return sum;
  }
  static size_t FramesOf(const Track& track) {
    return track.empty() ? 0 : track.Describe().frame_count();
  }

  Recording film_;
  std::shared_ptr<StreamInfo> stream_;
  std::unique_ptr<ClipWriter> clip_;
};

TEST_F(TrackTest, HoldsTheFramesFromTheKeyframeBeforeTheWindowToItsExactEnd) {
  const auto track = Open(40, 100);
  Feed(*track, 0, 100);
  EXPECT_FALSE(track->complete());
  Feed(*track, 100, 120);
  EXPECT_TRUE(track->complete());
  ASSERT_TRUE(track->Finish("the daemon stops").ok());
  EXPECT_EQ(track->cut(), "") << "the window was passed before that";
  const v1::VideoTrack described = track->Describe();
  EXPECT_EQ(described.camera(), "front");
  EXPECT_EQ(described.encoder(), "remux");
  EXPECT_EQ(described.frame_count(), 70u);
  EXPECT_EQ(described.first_frame_monotonic_ns(), At(30));
  EXPECT_EQ(described.last_frame_monotonic_ns(), At(99));
  EXPECT_EQ(track->first_ns(), At(30));
  EXPECT_NEAR(static_cast<double>(track->end_ns()), static_cast<double>(At(100)), 1e6);
  EXPECT_EQ(track->start_note(), "");
}

TEST_F(TrackTest, SaysWhyItEndedBeforeItsWindowDid) {
  const auto track = Open(40, 100);
  Feed(*track, 0, 80);
  EXPECT_FALSE(track->complete());
  ASSERT_TRUE(track->Finish("the daemon stops").ok());
  EXPECT_EQ(track->cut(), "the daemon stops");
  EXPECT_EQ(FramesOf(*track), 50u);
  Feed(*track, 80, 90);
  EXPECT_EQ(FramesOf(*track), 50u) << "nothing after the end";
}

TEST_F(TrackTest, GrowsAsOftenAsItIsToldThoughItHoldsLittleOfWhatComes) {
  // Room for twelve frames past the end; the end moves on by ten, again and again.
  uint64_t room = 0;
  for (size_t i = 0; i + 12 < 200; ++i) room = std::max(room, BytesOf(i, i + 12));
  const auto track = Open(0, 40, 0, room);
  Feed(*track, 0, 50);
  for (size_t end = 50; end <= 200; end += 10) {
    EXPECT_TRUE(track->complete());
    ASSERT_TRUE(track->Extend(At(end)).ok());
    EXPECT_FALSE(track->complete());
    EXPECT_EQ(FramesOf(*track), end) << "what had come meanwhile is written at once";
    Feed(*track, end, end + 10);
  }
  ASSERT_TRUE(track->Extend(At(100)).ok()) << "never back";
  EXPECT_EQ(FramesOf(*track), 200u);
  EXPECT_EQ(track->cut(), "");
}

TEST_F(TrackTest, IsCutWhereMoreCameThanItHolds) {
  const auto track = Open(0, 40, 0, BytesOf(40, 58));
  Feed(*track, 0, 70);
  ASSERT_TRUE(track->Extend(At(65)).ok());
  EXPECT_EQ(FramesOf(*track), 58u);
  EXPECT_EQ(track->cut(), "the clip grew later than its packets could be held");
  EXPECT_TRUE(track->complete());
}

TEST_F(TrackTest, IsNotCutWhereAllThatIsWantedWasHeld) {
  const auto track = Open(0, 40, 0, BytesOf(40, 58));
  Feed(*track, 0, 70);
  ASSERT_TRUE(track->Extend(At(57)).ok());
  EXPECT_EQ(FramesOf(*track), 57u);
  EXPECT_EQ(track->cut(), "");
}

TEST_F(TrackTest, EndsWhereTheCamerasClockJumps) {
  const auto track = Open(0, 100);
  Feed(*track, 0, 50);
  StreamPacket jumped = PacketOf(50);
  ++jumped.packet.run;
  ASSERT_TRUE(track->Feed(jumped).ok());
  EXPECT_EQ(track->cut(), "the camera's clock jumped");
  EXPECT_TRUE(track->complete());
  Feed(*track, 51, 60);
  EXPECT_EQ(FramesOf(*track), 50u);
}

TEST_F(TrackTest, LeavesOutTheSecondOfTwoFramesAtOneTime) {
  const auto track = Open(0, 40);
  Feed(*track, 0, 20);
  StreamPacket again = PacketOf(20);
  again.packet.pts = film_.packets[15].pts;
  ASSERT_TRUE(track->Feed(again).ok());
  Feed(*track, 21, 41);
  EXPECT_EQ(track->same_time(), 1u);
  EXPECT_EQ(FramesOf(*track), 39u);
}

TEST_F(TrackTest, CountsWhatCameInVainWithoutAKeyframe) {
  const auto track = Open(35, 50);
  Feed(*track, 31, 50);
  EXPECT_TRUE(track->empty());
  EXPECT_FALSE(track->complete());
  Feed(*track, 50, 52);
  EXPECT_TRUE(track->complete()) << "a keyframe that comes now is too late";
  // Those before the window might have been of use with a keyframe before them.
  EXPECT_EQ(track->without_keyframe(), 15u);
  EXPECT_EQ(track->manifest_bytes(), 0u);
  EXPECT_TRUE(track->Finish("").ok());
}

TEST_F(TrackTest, StartsAtTheFirstKeyframeOfACameraThatHadNoneBefore) {
  const auto track = Open(35, 100);
  Feed(*track, 31, 101);
  ASSERT_FALSE(track->empty());
  EXPECT_EQ(track->first_ns(), At(60));
  EXPECT_EQ(FramesOf(*track), 40u);
  EXPECT_EQ(track->without_keyframe(), 0u) << "no longer of interest";
}

TEST_F(TrackTest, IsEmptyWhenItsCameraBeginsAfterTheWindowAndNotOnceThatHasGrown) {
  const auto track = Open(0, 40);
  Feed(*track, 60, 80);
  EXPECT_TRUE(track->complete());
  EXPECT_TRUE(track->empty());
  ASSERT_TRUE(track->Extend(At(70)).ok());
  EXPECT_EQ(track->first_ns(), At(60));
  EXPECT_EQ(FramesOf(*track), 10u);
}

TEST_F(TrackTest, KeepsThePacketsForThePreviewAndNoMore) {
  const auto track = Open(0, 200, /*fired=*/45);
  Feed(*track, 0, 45);
  EXPECT_TRUE(track->has_preview());
  EXPECT_FALSE(track->preview_ready());
  Feed(*track, 45, 48);
  EXPECT_TRUE(track->preview_ready());
  const auto preview = track->preview();
  ASSERT_FALSE(preview.empty());
  EXPECT_TRUE(preview.front().packet.keyframe);
  EXPECT_EQ(preview.back().packet.monotonic_ns, At(45));
  Feed(*track, 48, 100);
  EXPECT_EQ(track->preview().size(), preview.size());
  track->DropPreview();
  EXPECT_FALSE(track->has_preview());
  EXPECT_TRUE(track->preview_ready());
  Feed(*track, 100, 110);
  EXPECT_FALSE(track->has_preview());
}

TEST_F(TrackTest, KnowsHowLargeItsPartOfTheManifestMayBecome) {
  const auto track = Open(0, film_.packets.size() - 1);
  Feed(*track, 0, film_.packets.size() - 1);
  const v1::VideoTrack described = track->Describe();
  v1::VideoTrack deltas;
  *deltas.mutable_pts_delta() = described.pts_delta();
  EXPECT_GE(track->manifest_bytes(), deltas.ByteSizeLong() - 4);
  EXPECT_LE(track->manifest_bytes(), deltas.ByteSizeLong() + 100);
}

// Which streams can stand in one file.
class ContinuesTest : public TrackTest {
 protected:
  bool After(const std::function<void(StreamInfo&)>& change, const char* encoder = "remux") {
    StreamInfo after = *stream_;
    after.encoder = encoder;
    change(after);
    return Continues(*stream_, after);
  }
};

TEST_F(ContinuesTest, WhatIsEncodedAlikeAndNothingElse) {
  EXPECT_TRUE(After([](StreamInfo&) {}));
  EXPECT_FALSE(After([](StreamInfo& s) { s.format.codec = "hevc"; }));
  EXPECT_FALSE(After([](StreamInfo& s) { ++s.format.width; }));
  EXPECT_FALSE(After([](StreamInfo& s) { ++s.format.height; }));
  EXPECT_FALSE(After([](StreamInfo& s) { ++s.format.time_base.numerator; }));
  EXPECT_FALSE(After([](StreamInfo& s) { ++s.format.time_base.denominator; }));
  EXPECT_FALSE(After([](StreamInfo& s) {
    s.format.display_matrix = std::make_shared<std::array<int32_t, 9>>(
        std::array<int32_t, 9>{0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30});
  })) << "turned another way";
}

TEST_F(ContinuesTest, OtherParameterSetsOnlyWhereTheyStandBeforeEachKeyframe) {
  const auto other_sets = [](StreamInfo& stream) {
    std::shared_ptr<AVCodecParameters> parameters(avcodec_parameters_alloc(), AvDeleter());
    avcodec_parameters_copy(parameters.get(), stream.format.parameters.get());
    ++parameters->extradata[parameters->extradata_size - 1];
    stream.format.parameters = parameters;
  };
  EXPECT_FALSE(After(other_sets));
  EXPECT_FALSE(After(other_sets, "openh264")) << "a camera's may not";
  stream_->encoder = "libx264";
  EXPECT_TRUE(After(other_sets, "openh264")) << "our encoders' do";
  EXPECT_FALSE(After(other_sets, "remux"));
}

}  // namespace
}  // namespace gleaner::edge
