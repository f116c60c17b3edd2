#include "edge/trigger/detector/motion.h"

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/log.h>
}

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "edge/trigger/detector/registry.h"
#include "edge/trigger/stream_watcher.h"
#include "tests/data/footage.h"
#include "tests/edge/trigger/full_decode.h"
#include "tests/edge/trigger/streams.h"
#include "tests/edge/trigger/video_file.h"

namespace gleaner::edge {
namespace {

constexpr double kThreshold = 0.02;
constexpr int64_t kMs = kNanosPerMilli;

struct Samples : SampleSink {
  void OnSample(const SignalSample& sample) override { all.push_back(sample); }
  std::vector<SignalSample> all;
};

struct Watched {
  std::vector<SignalSample> samples;
  WatchStats stats;
  int64_t length_ns = 0;

  // Whether the signal was over the threshold at some moment of the span.
  bool Saw(int64_t start_ns, int64_t end_ns) const {
    for (size_t i = 0; i < samples.size(); ++i) {
      const int64_t until = i + 1 < samples.size() ? samples[i + 1].monotonic_ns : end_ns;
      if (samples[i].value.number() > kThreshold && samples[i].monotonic_ns < end_ns &&
          until > start_ns) {
        return true;
      }
    }
    return false;
  }
  // From `onset_ns` to the first sample over the threshold; a day if there is none.
  int64_t LatencyNs(int64_t onset_ns) const {
    for (const SignalSample& sample : samples) {
      if (sample.monotonic_ns >= onset_ns && sample.value.number() > kThreshold) {
        return sample.monotonic_ns - onset_ns;
      }
    }
    return 86'400 * kNanosPerSecond;
  }
  // How many times it rose over the threshold further than half a second from all of `spans`.
  int FalseRises(const std::vector<Span>& spans) const {
    int rises = 0;
    bool over = false;
    for (const SignalSample& sample : samples) {
      const bool now = sample.value.number() > kThreshold;
      if (now && !over && std::none_of(spans.begin(), spans.end(), [&](const Span& span) {
            return sample.monotonic_ns >= span.start_ns - 500 * kMs &&
                   sample.monotonic_ns <= span.end_ns + 500 * kMs;
          })) {
        ++rises;
      }
      over = now;
    }
    return rises;
  }
  double DecodedShare() const {
    return static_cast<double>(stats.decoded_frames) / static_cast<double>(stats.packets);
  }
};

StreamWatcher MotionWatcher(std::string_view camera, SampleSink& sink) {
  std::vector<std::unique_ptr<Detector>> detectors;
  detectors.push_back(*MakeDetector("motion", camera, sink));
  return StreamWatcher(std::string(camera), std::move(detectors), sink);
}

Watched Watch(const VideoFile& file) {
  Samples sink;
  StreamWatcher watcher = MotionWatcher("front", sink);
  watcher.OnFormat(file.format);
  for (const Packet& packet : file.packets) watcher.OnPacket(packet);
  return {sink.all, watcher.stats(), file.packets.back().monotonic_ns};
}

// The share of the costly way's events that the detector saw too, half a second of tolerance.
double Recall(const Watched& watched, const std::vector<Span>& events) {
  const auto seen = std::count_if(events.begin(), events.end(), [&](const Span& event) {
    return watched.Saw(event.start_ns - 500 * kMs, event.end_ns + 500 * kMs);
  });
  return static_cast<double>(seen) / static_cast<double>(events.size());
}

TEST(MotionDetector, SeesTheHandWithTheBoxFromTheFirstSecondToTheLast) {
  const VideoFile file(Stream("box-rare-360p"));
  const FullDecode peer = DecodeFully(file);
  ASSERT_EQ(peer.activity.size(), 2u);
  EXPECT_EQ(Recall(Watch(file), Events(peer.activity)), 1);
}

TEST(MotionDetector, SeesTheHandWithTheBottle) {
  const VideoFile file(Footage("cup.mp4"));
  const std::vector<Span> events = Events(DecodeFully(file).activity);
  ASSERT_GE(events.size(), 3u);
  EXPECT_EQ(Recall(Watch(file), events), 1);
}

TEST(MotionDetector, SeesThePedestrians) {
  const VideoFile file(Stream("vtest"));
  const std::vector<Span> events = Events(DecodeFully(file).activity);
  ASSERT_GE(events.size(), 30u);
  EXPECT_GE(Recall(Watch(file), events), 0.98);
}

TEST(MotionDetector, GivesAHandBetweenOneAndFiftyPercentOfThePicture) {
  const Watched watched = Watch(VideoFile(Footage("cup.mp4")));
  std::vector<double> values;
  for (const SignalSample& sample : watched.samples) values.push_back(sample.value.number());
  std::sort(values.begin(), values.end());
  EXPECT_GT(values[values.size() / 2], 0.05);
  EXPECT_LT(values.back(), 0.5);
}

TEST(MotionDetector, IsNotMoreAlarmedByFoliageThanDecodingEverythingIs) {
  const VideoFile file(Stream("tree"));
  EXPECT_EQ(Watch(file).FalseRises(DecodeFully(file).activity), 0);
}

TEST(MotionDetector, LooksAtEveryPictureUntilItKnowsTheScene) {
  const VideoFile file(Stream("quiet-360p"));
  Samples sink;
  StreamWatcher watcher = MotionWatcher("front", sink);
  watcher.OnFormat(file.format);
  for (size_t i = 0; i < 3; ++i) watcher.OnPacket(file.packets[i]);
  EXPECT_EQ(watcher.stats().decoded_frames, 3u);
}

TEST(MotionDetector, DecodesNextToNothingOfAQuietStreamAndSeesNothingInIt) {
  const VideoFile file(Stream("quiet-360p"));
  const Watched watched = Watch(file);
  EXPECT_EQ(watched.stats.packets, file.packets.size());
  EXPECT_LT(watched.DecodedShare(), 0.12);
  EXPECT_EQ(watched.FalseRises({}), 0);
}

TEST(MotionDetector, WritesOneSampleASecondWhenNothingHappens) {
  const Watched watched = Watch(VideoFile(Stream("quiet-360p")));
  ASSERT_FALSE(watched.samples.empty());
  EXPECT_LE(static_cast<int64_t>(watched.samples.size()), watched.length_ns / kNanosPerSecond + 3);
  for (size_t i = 1; i < watched.samples.size(); ++i) {
    const int64_t gap = watched.samples[i].monotonic_ns - watched.samples[i - 1].monotonic_ns;
    EXPECT_GT(gap, 0);
    EXPECT_LE(gap, 1100 * kMs);
    EXPECT_LT(gap, watched.samples[i].valid_ns);
  }
}

// What packet sizes say depends on the encoder; in every case the hand must be found, within half a
// second where the encoder spends bits freely, within a keyframe's distance where a constant bit
// rate hides it.
TEST(MotionDetector, WakesWithinHalfASecondOnEncodersOfEveryKind) {
  struct Case {
    const char* stream;
    int64_t latency_ms;
  };
  for (const Case& c : {Case{"box-rare-vbr-360p", 500}, Case{"box-rare-b-360p", 500},
                        Case{"box-rare-hevc-360p", 500}, Case{"box-rare-360p", 700},
                        Case{"box-rare-cbr-360p", 700}}) {
    SCOPED_TRACE(c.stream);
    const VideoFile file(Stream(c.stream));
    const FullDecode peer = DecodeFully(file);
    const Watched watched = Watch(file);
    ASSERT_EQ(peer.activity.size(), 2u);
    for (const Span& span : peer.activity) {
      EXPECT_LE(watched.LatencyNs(span.start_ns) / kMs, c.latency_ms);
    }
    EXPECT_EQ(watched.FalseRises(peer.activity), 0);
    EXPECT_LT(watched.DecodedShare(), 0.55);
  }
}

TEST(MotionDetector, FindsWhatPacketSizesHideByLookingAtKeyframes) {
  VideoFile file(Stream("box-rare-360p"));
  const FullDecode peer = DecodeFully(file);
  // Sizes that say nothing: the detector judges by them, the decoder by the data.
  for (Packet& packet : file.packets) packet.size_bytes = 0;
  const Watched watched = Watch(file);
  for (const Span& span : peer.activity) {
    EXPECT_LE(watched.LatencyNs(span.start_ns) / kMs, 4000);
  }
}

TEST(MotionDetector, ComparesFramesOfACameraThatIsDecodedAnyway) {
  Samples sink;
  StreamWatcher watcher = MotionWatcher("usb", sink);
  watcher.OnFormat({.codec = "rawvideo", .width = 1280, .height = 720});
  std::mt19937 random(5);
  for (int i = 0; i < 60; ++i) {
    const std::shared_ptr<AVFrame> picture(av_frame_alloc(), [](AVFrame* f) { av_frame_free(&f); });
    picture->format = AV_PIX_FMT_YUYV422;
    picture->width = 1280;
    picture->height = 720;
    av_frame_get_buffer(picture.get(), 0);
    for (int y = 0; y < 720; ++y) {
      uint8_t* row = picture->data[0] + y * picture->linesize[0];
      for (int x = 0; x < 1280; ++x) {
        // A bright square of a ninth of the picture's height moves in the second half.
        const int left = i < 30 ? 100 : 100 + (i - 30) * 20;
        const bool inside = y >= 300 && y < 460 && x >= left && x < left + 160;
        row[2 * x] = static_cast<uint8_t>((inside ? 200 : 80) + random() % 8);
        row[2 * x + 1] = 128;
      }
    }
    watcher.OnFrame({.data = picture, .pts = i, .monotonic_ns = i * kNanosPerSecond / 30});
  }
  double still = 0;
  double moving = 0;
  for (const SignalSample& sample : sink.all) {
    EXPECT_EQ(sample.name, "camera.usb.motion");
    (sample.monotonic_ns < kNanosPerSecond ? still : moving) =
        std::max(sample.monotonic_ns < kNanosPerSecond ? still : moving, sample.value.number());
  }
  EXPECT_EQ(still, 0);
  // Six frames are 120 pixels of way: 160 × 120 of 1280 × 720 uncovered, as much covered.
  EXPECT_NEAR(moving, 2 * 160.0 * 120 / (1280 * 720), 0.01);
  EXPECT_EQ(watcher.stats().decoded_frames, 0u);
  EXPECT_LE(watcher.stats().looked_at, 21u);
}

TEST(MotionDetector, SurvivesAStreamThatCanNotBeDecoded) {
  av_log_set_level(AV_LOG_QUIET);
  VideoFile file(Stream("box-rare-360p"));
  std::mt19937 random(6);
  for (size_t i = 0; i < file.packets.size(); ++i) {
    Packet& packet = file.packets[i];
    const std::shared_ptr<AVPacket> broken(av_packet_clone(packet.data.get()),
                                           [](AVPacket* p) { av_packet_free(&p); });
    av_packet_make_writable(broken.get());
    for (int j = 0; j < 20; ++j) {
      broken->data[random() % static_cast<unsigned>(broken->size)] = static_cast<uint8_t>(random());
    }
    if (i % 7 == 0) av_shrink_packet(broken.get(), broken->size / 2);
    packet.data = broken;
    packet.size_bytes = static_cast<size_t>(broken->size);
  }
  const Watched watched = Watch(file);
  EXPECT_EQ(watched.stats.packets, file.packets.size());
  av_log_set_level(AV_LOG_INFO);
}

TEST(MotionDetector, StartsAnewWithANewFormat) {
  const VideoFile first(Stream("box-rare-360p"));
  const VideoFile second(Footage("cup.mp4"));
  Samples sink;
  StreamWatcher watcher = MotionWatcher("front", sink);
  const int64_t later_ns = first.packets.back().monotonic_ns + kNanosPerSecond;
  watcher.OnFormat(first.format);
  for (size_t i = 0; i < 200; ++i) watcher.OnPacket(first.packets[i]);
  const uint64_t before = watcher.stats().decoded_frames;
  EXPECT_GT(before, 0u);
  watcher.OnFormat(second.format);
  sink.all.clear();
  for (Packet packet : second.packets) {
    packet.monotonic_ns += later_ns;
    watcher.OnPacket(packet);
  }
  EXPECT_GT(watcher.stats().decoded_frames, before);
  EXPECT_TRUE(std::any_of(sink.all.begin(), sink.all.end(), [](const SignalSample& sample) {
    return sample.value.number() > kThreshold;
  }));
}

}  // namespace
}  // namespace gleaner::edge
