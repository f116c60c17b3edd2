#include "edge/trigger/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "common/status.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kMs = kNanosPerMilli;

// An engine with one rule, and what it fired: positive milliseconds open a clip, negative ones
// extend it.
struct World {
  explicit World(RuleOptions options) {
    options.name = "rule";
    engine = *TriggerEngine::Create({options}, {"camera.a.motion", "camera.b.motion"},
                                    [this](const Firing& firing) {
                                      const int64_t ms = firing.monotonic_ns / kMs;
                                      fired.push_back(firing.extends ? -ms : ms);
                                    });
  }
  void At(int64_t ms, double value, const char* signal = "camera.a.motion", int64_t valid_ns = 0) {
    engine->OnSample({signal, ms * kMs, value, valid_ns});
  }

  std::unique_ptr<TriggerEngine> engine;
  std::vector<int64_t> fired;
};

RuleOptions Rule(std::string when) {
  return {.when = std::move(when),
          .pre_ns = 1000 * kMs,
          .post_ns = 2000 * kMs,
          .cooldown_ns = 5000 * kMs,
          .max_clip_ns = 8000 * kMs};
}

TEST(TriggerEngine, FiresOnceWhenTheRuleBecomesTrueAndExtendsToItsEnd) {
  World world(Rule("motion > 0.5"));
  world.At(0, 0);
  world.At(100, 0.9);
  world.At(200, 0.8);
  world.At(300, 0.1);
  world.At(400, 0.1);
  EXPECT_THAT(world.fired, ElementsAre(100, -300));
}

TEST(TriggerEngine, MakesOneClipOfAContinuingActivityUpToTheLongestClip) {
  World world(Rule("motion > 0.5"));
  for (int64_t ms = 0; ms <= 12'000; ms += 100) world.At(ms, 1);
  // post / 4 apart. The clip began at -1000 and is full at 7000; the last extension that adds to it
  // is at 5000. Silent until 10000, then it is still true.
  EXPECT_THAT(world.fired, ElementsAre(0, -500, -1000, -1500, -2000, -2500, -3000, -3500, -4000,
                                       -4500, -5000, 10000, -10500, -11000, -11500, -12000));
}

TEST(TriggerEngine, ExtendsTheOpenClipWhenTheActivityResumes) {
  World world(Rule("motion > 0.5"));
  world.At(0, 1);
  world.At(300, 0);
  world.At(1900, 1);
  world.At(2000, 0);
  EXPECT_THAT(world.fired, ElementsAre(0, -300, -1900, -2000));
}

TEST(TriggerEngine, OpensTheNextClipAfterTheCooldownWhenTheFirstIsGone) {
  World world(Rule("motion > 0.5"));
  for (int64_t ms = 0; ms <= 7000; ms += 500) {
    world.At(ms, 1);
    if (ms == 500) world.engine->OnClipGone("rule", 500 * kMs);
  }
  EXPECT_THAT(world.fired, ElementsAre(0, -500, 5500, -6000, -6500, -7000));
}

TEST(TriggerEngine, OpensNoClipBeforePostHasPassedHoweverShortTheCooldownIs) {
  RuleOptions options = Rule("motion > 0.5");
  options.cooldown_ns = 0;
  World world(options);
  for (int64_t ms = 0; ms <= 2000; ms += 100) {
    world.At(ms, 1);
    if (ms == 0) world.engine->OnClipGone("rule", 0);
  }
  EXPECT_THAT(world.fired, ElementsAre(0, 2000));
}

TEST(TriggerEngine, HearsOfAnOlderClipTooLateToMissTheNewest) {
  World world(Rule("motion > 0.5"));
  world.At(0, 1);
  world.At(100, 0);
  world.At(6000, 1);
  world.engine->OnClipGone("rule", 100 * kMs);
  world.At(6500, 1);
  EXPECT_THAT(world.fired, ElementsAre(0, -100, 6000, -6500));
}

TEST(TriggerEngine, IsSilentInTheCooldownAndFiresAfterItIfStillTrue) {
  World world(Rule("motion > 0.5"));
  world.At(0, 1);
  world.At(100, 0);   // the clip ends at 2100, the cooldown at 5100
  world.At(3000, 1);  // silent
  world.At(3500, 0);
  world.At(4900, 1);  // silent, but goes on
  world.At(5000, 1);
  world.At(5100, 1);
  EXPECT_THAT(world.fired, ElementsAre(0, -100, 5100));
}

TEST(TriggerEngine, FiresAtTheMomentAWindowRunsOut) {
  World world(Rule("motion >= 0 and not within(2s, motion > 0.5)"));
  world.At(0, 1);
  world.At(100, 0);
  world.At(5000, 0);
  EXPECT_THAT(world.fired, ElementsAre(2100));
}

TEST(TriggerEngine, HoldsNothingTrueForACameraThatWasLost) {
  RuleOptions options = Rule("motion > 0.5");
  options.cooldown_ns = 0;
  World world(options);
  world.At(0, 1, "camera.a.motion", 3000 * kMs);
  for (int64_t ms = 100; ms <= 20'000; ms += 1000) world.At(ms, 0, "camera.b.motion");
  ASSERT_THAT(world.fired, Not(IsEmpty()));
  EXPECT_EQ(world.fired.back(), -3000);
}

TEST(TriggerEngine, NeverLetsTimeOfARuleGoBack) {
  World world(Rule("camera.a.motion > 0.5 and camera.b.motion > 0.5"));
  world.At(1000, 1, "camera.a.motion");
  world.At(900, 1, "camera.b.motion");
  EXPECT_THAT(world.fired, ElementsAre(1000));
}

TEST(TriggerEngine, IgnoresSignalsThatItWasNotToldOf) {
  World world(Rule("motion > 0.5"));
  world.At(0, 1, "camera.z.motion");
  EXPECT_THAT(world.fired, IsEmpty());
}

TEST(TriggerEngine, SaysWhichSignalsARuleReads) {
  World world(Rule("motion > 0.5"));
  EXPECT_THAT(world.engine->SignalsOf("rule"), ElementsAre("camera.a.motion", "camera.b.motion"));
  EXPECT_THAT(world.engine->SignalsOf("other"), IsEmpty());
}

TEST(TriggerEngine, RefusesWhatItCanNotRun) {
  const auto error = [](std::vector<RuleOptions> rules) {
    auto engine =
        TriggerEngine::Create(std::move(rules), {"camera.a.motion"}, [](const Firing&) {});
    return engine.ok() ? "" : std::string(Message(engine.status()));
  };
  EXPECT_EQ(error({{.name = "door", .when = "motion >"}}),
            "rule door: column 9: found the end; expected a number or a signal");
  EXPECT_EQ(error({{.name = "door", .when = "weight > 1"}}),
            "rule door: no signal is called weight; there are: camera.a.motion");
  EXPECT_EQ(error({{.name = "door", .when = "motion > 1"}, {.name = "door", .when = "motion > 2"}}),
            "rule door: there are two of this name");
  EXPECT_THAT(error(std::vector<RuleOptions>(65, {.name = "x", .when = "motion > 1"})),
              HasSubstr("there may be 64"));
}

TEST(TriggerEngine, ReadsARuleAndPointsAtItsMistakes) {
  const std::string text = R"(
[[rule]]
name = "hand"
when = "motion > 0.02"
pre = "2s"
post = "1s"
cooldown = "0s"
max_clip = "30s"
priority = 7
[[rule]]
name = "Door!"
when = "motion >> 1"
pre = "1h"
max_clip = "2s"
priority = 12
[[rule]]
name = "scale"
when = "weight > 1"
)";
  ConfigReader reader = *ConfigReader::Parse(text, "edge.toml");
  std::vector<RuleOptions> rules;
  for (ConfigReader& table : reader.Tables("rule"))
    rules.push_back(RuleOptions::Read(table, {"camera.a.motion"}));
  EXPECT_EQ(rules[0].pre_ns, 2000 * kMs);
  EXPECT_EQ(rules[0].post_ns, 1000 * kMs);
  EXPECT_EQ(rules[0].cooldown_ns, 0);
  EXPECT_EQ(rules[0].max_clip_ns, 30'000 * kMs);
  EXPECT_EQ(rules[0].priority, 7u);
  const std::string errors(Message(reader.Finish()));
  EXPECT_THAT(errors, HasSubstr("edge.toml:11:"));
  EXPECT_THAT(errors, HasSubstr("column 8: found \">>\""));
  EXPECT_THAT(errors, HasSubstr("pre"));
  EXPECT_THAT(errors, HasSubstr("must not be shorter than pre and post together"));
  EXPECT_THAT(errors, HasSubstr("priority"));
  EXPECT_THAT(errors, HasSubstr("edge.toml:18:"));
  EXPECT_THAT(errors, HasSubstr("no signal is called weight; there are: camera.a.motion"));
}

TEST(TriggerEngine, TakesSamplesFromManyThreads) {
  std::atomic<int> opened = 0;
  RuleOptions options = Rule("camera.a.motion > 0.5");
  options.name = "a";
  RuleOptions both = Rule("motion > 0.5");
  both.name = "both";
  TriggerEngine* running = nullptr;
  auto engine = *TriggerEngine::Create(
      {options, both}, {"camera.a.motion", "camera.b.motion"}, [&](const Firing& firing) {
        // No lock is held: asking back must not deadlock.
        EXPECT_FALSE(running->SignalsOf(firing.rule->name).empty());
        if (!firing.extends) ++opened;
      });
  running = engine.get();
  const auto feed = [&](const char* signal) {
    for (int64_t ms = 0; ms < 20'000; ms += 10) {
      engine->OnSample({signal, ms * kMs, ms % 10'000 < 1000 ? 1.0 : 0.0});
    }
  };
  {
    std::jthread a(feed, "camera.a.motion");
    std::jthread b(feed, "camera.b.motion");
  }
  // Rule "a" reads one thread's signal alone: exactly its two bursts. "both" depends on how they
  // interleave, but fires.
  EXPECT_GE(opened, 3);
}

}  // namespace
}  // namespace gleaner::edge
