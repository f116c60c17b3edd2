#include "edge/trigger/detector/off_thread.h"

extern "C" {
#include <libavutil/frame.h>
}

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "edge/trigger/engine.h"
#include "edge/trigger/stream_watcher.h"
#include "tests/data/seed.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kFrameNs = kNanosPerSecond / 30;
constexpr int64_t kLatencyNs = 400 * kNanosPerMilli;

// A picture that says of itself what detectors are to find in it.
Frame FrameOf(int64_t number, double motion, double hand) {
  const std::shared_ptr<AVFrame> picture(av_frame_alloc(), [](AVFrame* f) { av_frame_free(&f); });
  picture->format = AV_PIX_FMT_GRAY8;
  picture->width = 16;
  picture->height = 16;
  av_frame_get_buffer(picture.get(), 0);
  picture->data[0][0] = static_cast<uint8_t>(motion * 200);
  picture->data[0][1] = static_cast<uint8_t>(hand * 200);
  return {.data = picture, .pts = number, .monotonic_ns = number * kFrameNs};
}
const VideoFormat kFormat = {.codec = "rawvideo", .width = 16, .height = 16};

// Takes all samples, and lets the test wait for those of the slow detector.
class Sink : public SampleSink {
 public:
  void OnSample(const SignalSample& sample) override {
    if (engine != nullptr) engine->OnSample(sample);
    std::lock_guard lock(mutex_);
    all_.push_back(sample);
    changed_.notify_all();
  }
  void OnTime(int64_t monotonic_ns) override {
    if (engine != nullptr) engine->OnTime(monotonic_ns);
  }
  void Await(const std::string& name, size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return Count(name) >= count; });
  }
  std::vector<SignalSample> all() {
    std::lock_guard lock(mutex_);
    return all_;
  }

  TriggerEngine* engine = nullptr;

 private:
  size_t Count(const std::string& name) const {
    return static_cast<size_t>(std::count_if(
        all_.begin(), all_.end(), [&](const SignalSample& s) { return s.name == name; }));
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SignalSample> all_;
};

class Fast : public Detector {
 public:
  explicit Fast(Sink& sink) : sink_(sink) {}
  void OnFormat(const VideoFormat&, PacketWatch&) override {}
  Need need() const override { return {.pictures = Need::Pictures::kDecoded}; }
  void OnPicture(const Picture& picture) override {
    sink_.OnSample({"camera.a.motion", picture.frame.monotonic_ns, picture.luma.row(0)[0] / 200.0});
  }

 private:
  Sink& sink_;
};

// Looks at a picture until the test lets it go.
class Gate {
 public:
  void Enter() {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return entered_ <= allowed_; });
  }
  void AwaitEntered(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_ >= count; });
  }
  void Allow(int count) {
    std::lock_guard lock(mutex_);
    allowed_ = count;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int entered_ = 0;
  int allowed_ = 0;
};

class Slow : public Detector {
 public:
  Slow(Gate& gate, Sink& sink) : gate_(gate), sink_(sink) {}
  void OnFormat(const VideoFormat&, PacketWatch&) override {}
  Need need() const override { return {.pictures = Need::Pictures::kDecoded}; }
  void OnPicture(const Picture& picture) override {
    gate_.Enter();
    sink_.OnSample({"camera.a.hand", picture.frame.monotonic_ns, picture.luma.row(0)[1] / 200.0});
  }

 private:
  Gate& gate_;
  Sink& sink_;
};

struct World {
  World() {
    std::vector<std::unique_ptr<Detector>> detectors;
    detectors.push_back(std::make_unique<Fast>(sink));
    detectors.push_back(
        std::make_unique<OffThread>("hand", std::make_unique<Slow>(gate, sink), kLatencyNs));
    watcher = std::make_unique<StreamWatcher>("a", std::move(detectors), sink);
    watcher->OnFormat(kFormat);
  }
  DetectorReport report() const { return watcher->reports().at(0); }

  Gate gate;
  Sink sink;
  std::unique_ptr<StreamWatcher> watcher;
};

TEST(OffThread, DropsTheOlderPictureAndCountsIt) {
  World world;
  world.watcher->OnFrame(FrameOf(0, 0, 0));
  world.gate.AwaitEntered(1);
  // The camera's thread is this one: it would never come further if it waited.
  for (int i = 1; i <= 5; ++i) world.watcher->OnFrame(FrameOf(i, 0, 0.5));
  EXPECT_EQ(world.report().dropped, 4u);
  EXPECT_EQ(world.report().looked_at, 0u);
  world.gate.Allow(2);
  world.watcher->Finish();
  EXPECT_EQ(world.report().dropped, 4u);
  EXPECT_EQ(world.report().looked_at, 2u);
  std::vector<int64_t> seen;
  for (const SignalSample& sample : world.sink.all()) {
    if (sample.name == "camera.a.hand") seen.push_back(sample.monotonic_ns / kFrameNs);
  }
  EXPECT_THAT(seen, ElementsAre(0, 5));
}

TEST(OffThread, ReportsItsLatencyByTheCamerasTime) {
  World world;
  world.watcher->OnFrame(FrameOf(0, 0, 0));
  world.gate.AwaitEntered(1);
  for (int i = 1; i <= 3; ++i) world.watcher->OnFrame(FrameOf(i, 0, 0));
  world.gate.Allow(1);
  world.gate.AwaitEntered(2);
  EXPECT_EQ(world.report().name, "hand");
  EXPECT_EQ(world.report().declared_ns, kLatencyNs);
  EXPECT_EQ(world.report().latency_ns, 3 * kFrameNs);
  EXPECT_EQ(world.report().late, 0u);
  for (int i = 4; i <= 20; ++i) world.watcher->OnFrame(FrameOf(i, 0, 0));
  world.gate.Allow(2);
  world.gate.AwaitEntered(3);
  EXPECT_EQ(world.report().latency_ns, 17 * kFrameNs);
  EXPECT_EQ(world.report().worst_latency_ns, 17 * kFrameNs);
  EXPECT_EQ(world.report().late, 1u);
  world.gate.Allow(100);
}

TEST(OffThread, HearsOfAFormatBeforeItsPictures) {
  struct Noting : Detector {
    void OnFormat(const VideoFormat& format, PacketWatch&) override { width = format.width; }
    Need need() const override { return {.pictures = Need::Pictures::kDecoded}; }
    void OnPicture(const Picture&) override { seen.push_back(width); }
    int width = 0;
    std::vector<int> seen;
  };
  auto noting = std::make_unique<Noting>();
  Noting& slow = *noting;
  OffThread detector("noting", std::move(noting), kLatencyNs);
  PacketWatch sizes;
  for (const int width : {16, 32}) {
    detector.OnFormat({.codec = "rawvideo", .width = width, .height = 16}, sizes);
    detector.OnPicture({.frame = FrameOf(width, 0, 0)});
    detector.Finish();
  }
  EXPECT_THAT(slow.seen, ElementsAre(16, 32));
}

constexpr const char* kRules[] = {
    "motion > 0.5 and hand > 0.5",
    "motion > 0.5 and not hand > 0.5",
    "hand > 0.5 and within(300ms, motion > 0.5)",
    "motion > 0.5 or within(200ms, hand > 0.5)",
    "within(100ms, motion > 0.5 and hand > 0.5) and hand >= 0",
};
using Fired = std::vector<std::pair<int64_t, bool>>;

std::unique_ptr<TriggerEngine> EngineOf(const std::string& when, int64_t latency_ns, Fired& fired) {
  RuleOptions rule{.name = "rule", .when = when, .pre_ns = 0};
  rule.post_ns = 200 * kNanosPerMilli;
  rule.cooldown_ns = 100 * kNanosPerMilli;
  return *TriggerEngine::Create(
      {rule}, {"camera.a.motion", SignalSource("camera.a.hand", SampleType::kNumber, latency_ns)},
      [&fired](const Firing& firing) { fired.emplace_back(firing.monotonic_ns, firing.extends); });
}

// What a detector that took no time at all would have had fired: the same samples, each at its
// frame's time.
Fired FiredAtOnce(const std::string& when, std::vector<SignalSample> samples) {
  std::stable_sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) {
    return std::pair(a.monotonic_ns, a.name == "camera.a.hand") <
           std::pair(b.monotonic_ns, b.name == "camera.a.hand");
  });
  Fired fired;
  const auto engine = EngineOf(when, 0, fired);
  for (const SignalSample& sample : samples) engine->OnSample(sample);
  return fired;
}

TEST(OffThread, ARuleThatMixesItWithMotionFiresAtTheRightFrame) {
  const uint64_t seed = Seed(20261130);
  std::mt19937_64 random(seed);
  const auto pick = [&](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(random);
  };
  size_t fired_in_all = 0, dropped = 0;
  for (int round = 0; round < 500; ++round) {
    const std::string when = kRules[round % std::size(kRules)];
    SCOPED_TRACE(fmt::format("seed {}, round {}: {}", seed, round, when));
    World world;
    Fired fired;
    const auto engine = EngineOf(when, kLatencyNs, fired);
    world.sink.engine = engine.get();
    int looked = 0, in_hand = -1, due = 0;
    double motion = 0, hand = 0;
    for (int i = 0; i < 60; ++i) {
      if (pick(0, 4) == 0) motion = pick(0, 1);
      if (pick(0, 6) == 0) hand = pick(0, 1);
      world.watcher->OnFrame(FrameOf(i, motion, hand));
      if (in_hand < 0) {
        world.gate.AwaitEntered(looked + 1);
        in_hand = i;
        due = i + pick(0, 11);
      } else if (i >= due) {
        // It answers, and takes the newest picture.
        world.gate.Allow(++looked);
        world.sink.Await("camera.a.hand", static_cast<size_t>(looked));
        world.gate.AwaitEntered(looked + 1);
        in_hand = i;
        due = i + 1 + pick(0, 10);
      }
    }
    world.gate.Allow(1000);
    world.watcher->Finish();
    const Fired expected = FiredAtOnce(when, world.sink.all());
    ASSERT_EQ(fired, expected);
    EXPECT_EQ(world.report().late, 0u);
    EXPECT_EQ(engine->stats()[0].late_samples, 0u);
    fired_in_all += fired.size();
    dropped += world.report().dropped;
    world.watcher.reset();  // before the sink loses its engine
  }
  EXPECT_GT(fired_in_all, 2'000u);
  EXPECT_GT(dropped, 5'000u);
}

}  // namespace
}  // namespace gleaner::edge
