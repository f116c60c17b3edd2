// The recorder between cameras, rules and the disk: pause, stop, losses, storage that hangs.
#include "edge/clip/recorder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "edge/trigger/engine.h"
#include "tests/edge/clip/recorder_testing.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

class RecorderTest : public RecorderRig {};

TEST_F(RecorderTest, KeepsWhatThereIsWhenTheDaemonStops) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const auto clips = Record(cup, Rule(1 * kS, 60 * kS), {kStart + 4 * kS});
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_TRUE(clips[0].manifest.truncated());
  EXPECT_THAT(clips[0].manifest.shortfall(),
              HasSubstr("camera front: the daemon was stopped, 54.9 s before the end"));
  CheckVideo(clips[0]);
}

TEST_F(RecorderTest, SuppressesFiringsWhilePaused) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  recorder.SetPaused(true, "paused by policy p-4");
  Play(recorder, 0, cup, rule, {kStart + 4 * kS});
  recorder.Finish();
  EXPECT_TRUE(TakeAll().empty());
  EXPECT_EQ(spool_->stats().suppressed_total, 1u);
}

TEST_F(RecorderTest, SaysForAnHourHowManyFiringsGotNoNumber) {
  OpenSpool(8ull << 20);
  // Fills the ledger with what the cloud has not acknowledged.
  std::vector<ClipKey> keys;
  for (;;) {
    const auto key = spool_->TakeSuppressed(std::string(100'000, 'r'), "paused");
    if (!key.ok()) break;
    keys.push_back(*key);
  }
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  recorder.OnFiring({&rule, kStart}, kSignals);
  recorder.SetPaused(true, "paused by policy p-4");
  recorder.OnFiring({&rule, kStart}, kSignals);
  recorder.SetPaused(false, "");
  while (!recorder.problem().starts_with("2 firings lost")) std::this_thread::yield();
  EXPECT_THAT(recorder.problem(), HasSubstr("rule hand: the spool gives no number"));

  ASSERT_TRUE(spool_->AcknowledgeTombstones(keys).ok());
  Play(recorder, 0, cup, rule, {kStart + 4 * kS});
  recorder.Finish();
  EXPECT_EQ(TakeAll().size(), 1u);
  EXPECT_THAT(recorder.problem(), HasSubstr("2 firings lost")) << "a clip makes up for none";
  clock_.Advance(3701 * kS);
  EXPECT_EQ(recorder.problem(), "");
}

TEST_F(RecorderTest, GivesSignsOfLifeAndHoldsNoPacketForAClipThatCanOnlyFail) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  RecorderOptions options = Options({"front"}, 1 * kS);
  options.ring_max_bytes = 300'000;
  Recorder recorder(options, *spool_, clock_);
  std::atomic<int> alive = 0;
  recorder.SetAlive([&] { ++alive; });
  // Storage that hangs: the recorder's thread comes back from its first commit when it is let go.
  std::promise<void> let_go;
  std::shared_future<void> hang = let_go.get_future();
  spool_->OnChange([hang] { hang.wait(); });
  RuleOptions rule = Rule(1 * kS, 1 * kS);
  RuleOptions later = Rule(1 * kS, 1 * kS);
  later.name = "later";
  recorder.OnFormat(0, cup.format, "remux");
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    if (i == 30) recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, kSignals);
  }
  const auto& newest = cup.packets.back().data;
  const long holders = newest.use_count();
  for (int i = 0; i < 5; ++i) {
    recorder.OnFiring({&later, cup.packets.back().monotonic_ns}, kSignals);
  }
  EXPECT_EQ(newest.use_count(), holders);
  EXPECT_GT(alive, 0);
  spool_->OnChange({});
  let_go.set_value();
  recorder.Finish();
  EXPECT_EQ(TakeAll().size(), 1u);
  EXPECT_GT(spool_->stats().failed_total, 0u);
  EXPECT_THAT(recorder.problem(), HasSubstr("storage could not follow the cameras"));
}

// Storage that hangs in a commit, while another clip is open and its camera goes on.
TEST_F(RecorderTest, EndsAClipWhereStorageFellBehindInsteadOfLosingIt) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  RecorderOptions options = Options({"front"}, 1 * kS);
  options.ring_max_bytes = 300'000;
  Recorder recorder(options, *spool_, clock_);
  std::promise<void> let_go;
  std::shared_future<void> hang = let_go.get_future();
  spool_->OnChange([hang] { hang.wait(); });
  RuleOptions quick = Rule(1 * kS, 1 * kS);
  RuleOptions slow = Rule(1 * kS, 60 * kS);
  slow.name = "slow";
  recorder.OnFormat(0, cup.format, "remux");
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    if (i == 30) recorder.OnFiring({&slow, cup.packets[i].monotonic_ns}, kSignals);
    if (i == 31) recorder.OnFiring({&quick, cup.packets[i].monotonic_ns}, kSignals);
  }
  spool_->OnChange({});
  let_go.set_value();
  while (recorder.open_clips() > 0) std::this_thread::yield();
  EXPECT_EQ(recorder.problem(), "storage could not follow the cameras: 1 clip cut short");
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 2u);
  const auto& cut = clips[0].manifest.trigger().rule() == "slow" ? clips[0] : clips[1];
  EXPECT_THAT(cut.manifest.shortfall(), HasSubstr("storage could not follow the cameras"));
  EXPECT_FALSE(cut.manifest.truncated()) << "the daemon was not stopped";
  CheckVideo(cut);
  // From the keyframe before its pre-roll, frame by frame, up to where it was cut.
  const std::vector<int64_t> pts = PtsOf(cut.manifest.video(0));
  EXPECT_LT(pts.size(), cup.packets.size());
  for (size_t i = 0; i < pts.size(); ++i) ASSERT_EQ(pts[i], cup.packets[i].pts) << i;
}

TEST_F(RecorderTest, StoresEveryClipInHandAtAStopAndMovesWithEach) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  std::atomic<int> alive = 0;
  recorder.SetAlive([&] { ++alive; });
  std::vector<RuleOptions> rules(3, Rule(1 * kS, 60 * kS));
  recorder.OnFormat(0, cup.format, "remux");
  for (size_t i = 0; i < rules.size(); ++i) rules[i].name = fmt::format("rule-{}", i);
  for (size_t i = 0; i < 90; ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    if (i < rules.size()) recorder.OnFiring({&rules[i], cup.packets[i].monotonic_ns}, kSignals);
  }
  while (recorder.open_clips() < rules.size()) std::this_thread::yield();
  // A disk that takes its time for each clip: as long as the test looks at it.
  std::mutex mutex;
  std::condition_variable changed;
  int stored = 0, seen = 0;
  spool_->OnChange([&] {
    std::unique_lock lock(mutex);
    ++stored;
    changed.notify_all();
    changed.wait(lock, [&] { return seen >= stored; });
  });
  std::thread stopping([&] { recorder.Finish(); });
  int before = alive;
  for (int clip = 1; clip <= 3; ++clip) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return stored == clip; });
    EXPECT_GT(alive, before) << "nothing moved before clip " << clip;
    before = alive;
    seen = clip;
    changed.notify_all();
  }
  stopping.join();
  EXPECT_GT(alive, before);
  spool_->OnChange({});
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 3u);
  for (const auto& clip : clips) {
    EXPECT_TRUE(clip.manifest.truncated());
    EXPECT_THAT(clip.manifest.shortfall(), HasSubstr("the daemon was stopped"));
    CheckVideo(clip);
  }
}

// A rule that is true all the time, with the engine and the recorder wired as in the daemon.
class TrueRule : public ClipRig {
 protected:
  void SetUp() override {
    ClipRig::SetUp();
    RuleOptions rule = Rule(1 * kS, 1 * kS);
    rule.cooldown_ns = 3 * kS;
    rule.max_clip_ns = 60 * kS;
    const std::vector<SignalSource> signals(kSignals.begin(), kSignals.end());
    engine_ = *TriggerEngine::Create({rule}, signals, [this](const Firing& firing) {
      if (!firing.extends) opened_ns_.push_back(firing.monotonic_ns);
      last_ns_ = firing.monotonic_ns;
      recorder_->OnFiring(firing, kSignals);
    });
    recorder_ = std::make_unique<Recorder>(Options({"front"}, 1 * kS), *spool_, clock_);
    recorder_->SetClipGone([this](const std::string& name, int64_t monotonic_ns) {
      engine_->OnClipGone(name, monotonic_ns);
      ++gone_;
    });
  }
  void Feed(const Packet& packet) {
    recorder_->OnPacket(0, packet);
    engine_->OnSample({kSignals[0], packet.monotonic_ns, 1});
  }
  // Until the rule tries to extend a clip that isn't there, and hears of it.
  void FeedUntilGone(const std::vector<Packet>& packets, size_t* next) {
    for (const int64_t before_ns = last_ns_; last_ns_ == before_ns; ++*next) Feed(packets[*next]);
    while (gone_ == 0) std::this_thread::yield();
  }

  std::unique_ptr<TriggerEngine> engine_;
  std::unique_ptr<Recorder> recorder_;
  std::vector<int64_t> opened_ns_;
  int64_t last_ns_ = 0;
  std::atomic<int> gone_ = 0;
};

TEST_F(TrueRule, OpensTheNextClipAfterItsCooldownWhenTheFormatCutTheFirst) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const Recording box = ReadFootage(Footage("box.mp4"), kStart + 5 * kS);
  recorder_->OnFormat(0, cup.format, "remux");
  for (size_t i = 0; i < 130; ++i) Feed(cup.packets[i]);
  recorder_->OnFormat(0, box.format, "remux");
  recorder_->OnPacket(0, box.packets[0]);
  WaitForCommits(1);
  while (recorder_->open_clips() > 0) std::this_thread::yield();
  size_t next = 1;
  FeedUntilGone(box.packets, &next);
  const int64_t cut_ns = last_ns_;
  while (next < box.packets.size() && box.packets[next].monotonic_ns < cut_ns + 4 * kS) {
    Feed(box.packets[next++]);
  }
  recorder_->Finish();
  ASSERT_EQ(opened_ns_.size(), 2u);
  EXPECT_NEAR(opened_ns_[1], cut_ns + 3 * kS, 0.1 * kS);
  EXPECT_EQ(TakeAll().size(), 2u);
}

TEST_F(TrueRule, OpensAClipAfterItsCooldownWhenAPauseIsLifted) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  recorder_->OnFormat(0, cup.format, "remux");
  recorder_->SetPaused(true, "paused by policy p-4");
  size_t next = 0;
  while (next < 60) Feed(cup.packets[next++]);
  while (spool_->stats().suppressed_total == 0) std::this_thread::yield();
  EXPECT_EQ(opened_ns_.size(), 1u) << "one activity, one number";
  recorder_->SetPaused(false, "");
  FeedUntilGone(cup.packets, &next);
  const int64_t heard_ns = last_ns_;
  while (next < cup.packets.size()) Feed(cup.packets[next++]);
  recorder_->Finish();
  ASSERT_EQ(opened_ns_.size(), 2u);
  EXPECT_NEAR(opened_ns_[1], heard_ns + 3 * kS, 0.1 * kS);
  EXPECT_EQ(TakeAll().size(), 1u);
  EXPECT_EQ(spool_->stats().suppressed_total, 1u);
}

}  // namespace
}  // namespace gleaner::edge
