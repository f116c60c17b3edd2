#include "edge/trigger/stream_watcher.h"

extern "C" {
#include <libavutil/frame.h>
}

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "tests/edge/trigger/streams.h"
#include "tests/edge/trigger/video_file.h"

namespace gleaner::edge {
namespace {

using ::testing::IsEmpty;
using Pictures = Need::Pictures;

// Needs what it is told to and notes what it gets.
struct Seen {
  Need need;
  std::vector<Picture> pictures;
  uint64_t packets = 0;
  std::function<void(const Picture&, Need&)> then = [](const Picture&, Need&) {};
};

class Taker : public Detector {
 public:
  explicit Taker(Seen& seen) : seen_(seen) {}
  void OnFormat(const VideoFormat&, PacketWatch&) override {}
  void OnPacket(const WatchedPacket&) override { ++seen_.packets; }
  Need need() const override { return seen_.need; }
  void OnPicture(const Picture& picture) override {
    seen_.pictures.push_back(picture);
    seen_.then(picture, seen_.need);
  }

 private:
  Seen& seen_;
};

struct Times : SampleSink {
  void OnSample(const SignalSample&) override {}
};

StreamWatcher WatcherOf(std::vector<Seen>& all) {
  std::vector<std::unique_ptr<Detector>> detectors;
  for (Seen& seen : all) detectors.push_back(std::make_unique<Taker>(seen));
  static Times times;
  return StreamWatcher("front", std::move(detectors), times);
}

// What detectors with these needs get of a stream with a keyframe a second.
struct Watched {
  explicit Watched(std::vector<Need> needs, size_t most_packets = SIZE_MAX) {
    for (const Need& need : needs) seen.push_back({.need = need});
    StreamWatcher watcher = WatcherOf(seen);
    watcher.OnFormat(file.format);
    packets = std::min(most_packets, file.packets.size());
    for (size_t i = 0; i < packets; ++i) watcher.OnPacket(file.packets[i]);
    stats = watcher.stats();
  }

  const VideoFile file{Stream("box-rare-360p")};
  std::vector<Seen> seen;
  size_t packets = 0;
  WatchStats stats;
};

uint64_t Keyframes(const VideoFile& file) {
  return static_cast<uint64_t>(std::count_if(file.packets.begin(), file.packets.end(),
                                             [](const Packet& packet) { return packet.keyframe; }));
}

TEST(StreamWatcher, DecodesNothingThatNobodyNeeds) {
  const Watched watched({{.pictures = Pictures::kNone}, {.pictures = Pictures::kDecoded}}, 250);
  EXPECT_EQ(watched.stats.packets, 250u);
  EXPECT_EQ(watched.stats.decoded_frames, 0u);
  for (const Seen& seen : watched.seen) {
    EXPECT_EQ(seen.packets, 250u);
    EXPECT_THAT(seen.pictures, IsEmpty());
  }
}

TEST(StreamWatcher, DecodesOnceForAllThatNeedEveryPicture) {
  const Watched one({{.pictures = Pictures::kEvery}}, 200);
  const Watched ten(std::vector<Need>(10, {.pictures = Pictures::kEvery, .size = {320, 180}}), 200);
  EXPECT_EQ(ten.stats.decoded_frames, one.stats.decoded_frames);
  EXPECT_EQ(ten.stats.looked_at, one.stats.looked_at);
  ASSERT_GT(one.stats.decoded_frames, 100u);
  for (size_t i = 0; i < ten.seen[0].pictures.size(); ++i) {
    std::set<const AVFrame*> frames;
    std::set<const uint8_t*> lumas;
    for (const Seen& seen : ten.seen) {
      ASSERT_EQ(seen.pictures.size(), one.stats.decoded_frames);
      frames.insert(seen.pictures[i].frame.data.get());
      lumas.insert(seen.pictures[i].luma.cells.get());
    }
    ASSERT_EQ(frames.size(), 1u) << "all share the frame";
    ASSERT_EQ(lumas.size(), 1u) << "and what is reduced to one size";
  }
}

TEST(StreamWatcher, GivesWhatIsDecodedForOneToThoseThatTakeIt) {
  const Watched watched({{.pictures = Pictures::kEvery},
                         {.pictures = Pictures::kDecoded},
                         {.pictures = Pictures::kKeyframes},
                         {.pictures = Pictures::kNone}},
                        200);
  EXPECT_EQ(watched.seen[1].pictures.size(), watched.seen[0].pictures.size());
  EXPECT_EQ(watched.seen[2].pictures.size(), watched.seen[0].pictures.size());
  EXPECT_THAT(watched.seen[3].pictures, IsEmpty());
}

TEST(StreamWatcher, DecodesKeyframesByThemselves) {
  const Watched watched({{.pictures = Pictures::kKeyframes}, {.pictures = Pictures::kDecoded}});
  EXPECT_EQ(watched.stats.decoded_frames, Keyframes(watched.file));
  ASSERT_EQ(watched.seen[0].pictures.size(), Keyframes(watched.file));
  EXPECT_EQ(watched.seen[1].pictures.size(), Keyframes(watched.file));
  for (const Picture& picture : watched.seen[0].pictures) EXPECT_TRUE(picture.alone);
}

TEST(StreamWatcher, DecodesNoKeyframeThatComesBeforeItsTime) {
  const Watched watched({{.pictures = Pictures::kKeyframes, .interval_ns = 3 * kNanosPerSecond}});
  EXPECT_EQ(watched.stats.decoded_frames, watched.seen[0].pictures.size());
  EXPECT_NEAR(static_cast<double>(watched.stats.decoded_frames),
              static_cast<double>(Keyframes(watched.file)) / 3, 1);
}

TEST(StreamWatcher, GivesEachDetectorItsOwnSizeAndPace) {
  const Watched watched(
      {{.pictures = Pictures::kEvery},
       {.pictures = Pictures::kEvery, .interval_ns = kNanosPerSecond / 5, .size = {160, 160}}});
  for (const Picture& whole : watched.seen[0].pictures) {
    EXPECT_EQ(whole.luma.cells.get(), whole.frame.data->data[0]);
  }
  int64_t before_ns = -kNanosPerSecond;
  for (const Picture& picture : watched.seen[1].pictures) {
    EXPECT_EQ(picture.luma.width, 160);
    EXPECT_EQ(picture.luma.height, 90);
    EXPECT_GE(picture.frame.monotonic_ns - before_ns, kNanosPerSecond / 5);
    before_ns = picture.frame.monotonic_ns;
  }
  EXPECT_LT(watched.seen[1].pictures.size() * 5, watched.seen[0].pictures.size());
}

TEST(StreamWatcher, CatchesUpWithWhatCameSinceTheKeyframe) {
  const VideoFile file(Stream("box-rare-360p"));
  std::vector<Seen> seen(1);
  StreamWatcher watcher = WatcherOf(seen);
  watcher.OnFormat(file.format);
  size_t i = 0;
  for (; i < 200 || !file.packets[i].keyframe; ++i) watcher.OnPacket(file.packets[i]);
  const size_t keyframe = i;
  for (; i < keyframe + 10; ++i) watcher.OnPacket(file.packets[i]);
  seen[0].need.pictures = Pictures::kEvery;
  watcher.OnPacket(file.packets[i]);
  ASSERT_EQ(seen[0].pictures.size(), 11u);
  EXPECT_EQ(seen[0].pictures.front().frame.monotonic_ns, file.packets[keyframe].monotonic_ns);
  EXPECT_EQ(seen[0].pictures.back().frame.monotonic_ns, file.packets[i].monotonic_ns);
  // Until nobody needs more and a keyframe has come.
  seen[0].need.pictures = Pictures::kNone;
  for (; i < file.packets.size(); ++i) watcher.OnPacket(file.packets[i]);
  EXPECT_EQ(watcher.stats().decoded_frames, 11u);
}

TEST(StreamWatcher, GoesOnFromAKeyframeThatShowedSomething) {
  const VideoFile file(Stream("box-rare-360p"));
  std::vector<Seen> seen(1);
  seen[0].need.pictures = Pictures::kKeyframes;
  seen[0].then = [](const Picture& picture, Need& need) {
    if (picture.alone) need.pictures = Pictures::kEvery;
  };
  StreamWatcher watcher = WatcherOf(seen);
  watcher.OnFormat(file.format);
  for (size_t i = 0; i < 5; ++i) watcher.OnPacket(file.packets[i]);
  ASSERT_EQ(seen[0].pictures.size(), 6u);
  EXPECT_TRUE(seen[0].pictures[0].alone);
  for (size_t i = 1; i < 6; ++i) {
    EXPECT_FALSE(seen[0].pictures[i].alone);
    EXPECT_EQ(seen[0].pictures[i].frame.monotonic_ns, file.packets[i - 1].monotonic_ns);
  }
}

TEST(StreamWatcher, HoldsABoundedNumberOfPacketsOfACameraWithoutKeyframes) {
  VideoFile file(Stream("quiet-360p"));
  std::vector<Seen> seen(1);
  StreamWatcher watcher = WatcherOf(seen);
  watcher.OnFormat(file.format);
  for (size_t i = 0; i < 1000; ++i) {
    file.packets[i].keyframe = i == 0;
    watcher.OnPacket(file.packets[i]);
    EXPECT_GE(watcher.stats().decoded_frames + 301, i) << "what isn't decoded is held";
  }
}

TEST(StreamWatcher, GivesNobodyADamagedPicture) {
  const std::shared_ptr<AVFrame> picture(av_frame_alloc(), [](AVFrame* f) { av_frame_free(&f); });
  picture->format = AV_PIX_FMT_GRAY8;
  picture->width = 64;
  picture->height = 64;
  ASSERT_EQ(av_frame_get_buffer(picture.get(), 0), 0);
  std::vector<Seen> seen(1);
  seen[0].need.pictures = Pictures::kDecoded;
  StreamWatcher watcher = WatcherOf(seen);
  watcher.OnFormat({.codec = "rawvideo", .width = 64, .height = 64});
  watcher.OnFrame({.data = picture});
  EXPECT_EQ(seen[0].pictures.size(), 1u);
  picture->flags = AV_FRAME_FLAG_CORRUPT;
  watcher.OnFrame({.data = picture, .monotonic_ns = kNanosPerSecond});
  picture->flags = 0;
  picture->decode_error_flags = FF_DECODE_ERROR_MISSING_REFERENCE;
  watcher.OnFrame({.data = picture, .monotonic_ns = 2 * kNanosPerSecond});
  EXPECT_EQ(seen[0].pictures.size(), 1u);
}

}  // namespace
}  // namespace gleaner::edge
