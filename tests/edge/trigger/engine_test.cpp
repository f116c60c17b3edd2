#include "edge/trigger/engine.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/limits.h"
#include "common/status.h"
#include "tests/data/seed.h"

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

// When a rule fires, in the words of engine.h, for one signal: what it is compared with below.
class FiringModel {
 public:
  explicit FiringModel(RuleOptions rule) : rule_(std::move(rule)) {}

  // What the rule does at `now`, when its expression has become or stayed `truth`: 'o' opens a
  // clip, 'e' extends it, 0 is silent.
  char At(int64_t now, bool truth) {
    const bool edge = truth != truth_;
    truth_ = truth;
    if (!fired_) return truth ? Open(now) : 0;
    const int64_t longest = opened_ - rule_.pre_ns + rule_.max_clip_ns;
    const bool clip_goes_on = now < last_ + rule_.post_ns && now < longest;
    if (!clip_goes_on) return truth && now >= last_ + rule_.cooldown_ns ? Open(now) : 0;
    if (gone_ || last_ + rule_.post_ns >= longest) return 0;
    const bool due = truth && now - last_ >= std::min(kNanosPerSecond, rule_.post_ns / 4);
    if (!due && !(edge && now > last_)) return 0;
    last_ = now;
    return 'e';
  }
  void ClipGone(int64_t firing) { gone_ = gone_ || firing >= opened_; }
  RuleStats stats() const { return {firings_, last_}; }

 private:
  char Open(int64_t now) {
    fired_ = true;
    gone_ = false;
    opened_ = last_ = now;
    ++firings_;
    return 'o';
  }

  const RuleOptions rule_;
  bool truth_ = false, fired_ = false, gone_ = false;
  int64_t opened_ = 0, last_ = 0;
  uint64_t firings_ = 0;
};

TEST(TriggerEngine, FiresAsItsDescriptionSaysOnRandomRulesAndSamples) {
  const uint64_t seed = Seed(20261130);
  std::mt19937_64 random(seed);
  // Everything on one coarse grid, so that moments often fall together.
  const auto pick = [&](int64_t from, int64_t to) {
    return std::uniform_int_distribution<int64_t>(from, to)(random) * 100 * kMs;
  };
  int opened = 0, extended = 0;
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
    RuleOptions rule{.name = "rule", .when = "motion > 0.5"};
    rule.pre_ns = pick(0, 10);
    rule.post_ns = pick(0, 60);
    rule.cooldown_ns = pick(0, 80);
    rule.max_clip_ns = std::max(rule.pre_ns + rule.post_ns, pick(10, 100));
    FiringModel model(rule);
    std::vector<std::pair<int64_t, char>> fired, expected;
    const auto engine = *TriggerEngine::Create({rule}, {"motion"}, [&](const Firing& firing) {
      EXPECT_EQ(firing.rule->name, "rule");
      fired.emplace_back(firing.monotonic_ns, firing.extends ? 'e' : 'o');
    });
    const auto step = [&](int64_t at, bool truth) {
      if (const char what = model.At(at, truth)) expected.emplace_back(at, what);
    };
    int64_t now = 1'000 * kNanosPerSecond, stale = INT64_MAX;
    bool truth = false;
    for (int i = 0; i < 150; ++i) {
      now += pick(0, 4);
      if (stale < now) step(stale, truth = false);  // found out with the next sample
      truth = random() % 8 == 0 ? !truth : truth;
      const int64_t valid = random() % 5 == 0 ? pick(1, 8) : 0;
      stale = valid == 0 ? INT64_MAX : now + valid;
      engine->OnSample({"motion", now, truth ? 0.9 : 0.1, valid});
      step(now, truth);
      if (random() % 30 == 0 && !expected.empty()) {
        const int64_t firing = random() % 2 == 0 ? now : now - pick(0, 50);
        const bool own = random() % 4 != 0;
        engine->OnClipGone(own ? "rule" : "another rule", firing);
        if (own) model.ClipGone(firing);
      }
      ASSERT_EQ(fired, expected) << "sample " << i;
    }
    EXPECT_EQ(engine->stats()[0].firings, model.stats().firings);
    EXPECT_EQ(engine->stats()[0].last_ns, model.stats().last_ns);
    for (const auto& [at, what] : fired) ++(what == 'o' ? opened : extended);
  }
  EXPECT_GT(opened, 500);
  EXPECT_GT(extended, 1'000);
}

TEST(TriggerEngine, CountsTheFiringsOfEachRule) {
  RuleOptions a = Rule("camera.a.motion > 0.5"), b = Rule("camera.b.motion > 0.5");
  a.name = "a";
  b.name = "b";
  const auto engine =
      *TriggerEngine::Create({a, b}, {"camera.a.motion", "camera.b.motion"}, [](const Firing&) {});
  EXPECT_EQ(engine->stats()[0].firings, 0u);
  EXPECT_EQ(engine->stats()[0].last_ns, 0);
  engine->OnSample({"camera.b.motion", 100 * kMs, 1});
  engine->OnSample({"camera.b.motion", 1100 * kMs, 1});
  EXPECT_EQ(engine->stats()[0].firings, 0u);
  EXPECT_EQ(engine->stats()[1].firings, 1u) << "an extension opens nothing";
  EXPECT_EQ(engine->stats()[1].last_ns, 1100 * kMs);
}

TEST(TriggerEngine, HearsOfTheClipsOfEachRuleApart) {
  std::vector<std::string> fired;
  RuleOptions a = Rule("motion > 0.5"), b = a;
  a.name = "a";
  b.name = "b";
  const auto engine = *TriggerEngine::Create({a, b}, {"motion"}, [&](const Firing& firing) {
    fired.push_back(firing.rule->name + (firing.extends ? " extends" : " opens"));
  });
  engine->OnSample({"motion", 0, 1});
  engine->OnClipGone("a", 0);
  engine->OnSample({"motion", 1000 * kMs, 1});
  EXPECT_THAT(fired, ElementsAre("a opens", "b opens", "b extends"));
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
            "rule door: column 9: found the end; expected a number, a text in quotes or a signal");
  EXPECT_EQ(error({{.name = "door", .when = "weight > 1"}}),
            "rule door: no signal is called weight; there are: camera.a.motion");
  EXPECT_EQ(error({{.name = "door", .when = "motion > 1"}, {.name = "door", .when = "motion > 2"}}),
            "rule door: there are two of this name");
  EXPECT_THAT(error(std::vector<RuleOptions>(65, {.name = "x", .when = "motion > 1"})),
              HasSubstr("there may be 64"));
  std::vector<RuleOptions> many(64, {.when = "motion > 1"});
  for (size_t i = 0; i < many.size(); ++i) many[i].name = fmt::format("rule-{}", i);
  EXPECT_EQ(error(many), "");
}

TEST(TriggerEngine, ReadsAsManySignalsInARuleAsThereMayBe) {
  std::vector<SignalSource> signals;
  for (size_t i = 0; i <= kMaxSignals; ++i) {
    signals.emplace_back(fmt::format("camera.c{}.motion", i));
  }
  const auto error = [&](const std::string& when) {
    const auto engine =
        TriggerEngine::Create({{.name = "door", .when = when}}, signals, [](const Firing&) {});
    return engine.ok() ? "" : std::string(Message(engine.status()));
  };
  EXPECT_EQ(error("motion > 0.5"), fmt::format("rule door: reads {} signals; a rule may read {}",
                                               kMaxSignals + 1, kMaxSignals));
  signals.pop_back();
  EXPECT_EQ(error("motion > 0.5"), "");
  signals.clear();
  EXPECT_EQ(error("motion > 0.5"), "rule door: no signal is called motion: there is no camera");
}

// One [[rule]] of these lines: what is wrong with it, or what it became.
std::string ErrorsOf(const std::string& lines, RuleOptions* rule = nullptr) {
  ConfigReader reader = *ConfigReader::Parse("[[rule]]\n" + lines, "edge.toml");
  RuleOptions read;
  for (ConfigReader& table : reader.Tables("rule")) {
    read = RuleOptions::Read(table, {"camera.a.motion"});
  }
  if (rule != nullptr) *rule = read;
  const absl::Status status = reader.Finish();
  std::string all(Message(status));
  for (const std::string& warning : reader.warnings()) all += warning;
  return status.ok() && reader.warnings().empty() ? "" : all;
}

TEST(TriggerEngine, TakesEachSettingOfARuleUpToItsBounds) {
  const std::string rule = "name = \"a\"\nwhen = \"motion > 0.5\"\n";
  for (const char* fine :
       {"", "pre = \"10min\"", "pre = \"0s\"", "post = \"10min\"", "post = \"0s\"",
        "cooldown = \"24h\"", "cooldown = \"0s\"", "pre = \"0s\"\npost = \"1s\"\nmax_clip = \"1s\"",
        "max_clip = \"1h\"", "max_clip = \"10s\"", "priority = 0", "priority = 9"}) {
    EXPECT_EQ(ErrorsOf(rule + fine), "") << fine;
  }
  for (const char* beyond :
       {"pre = \"601s\"", "post = \"601s\"", "cooldown = \"24.1h\"",
        "pre = \"0s\"\npost = \"0s\"\nmax_clip = \"0.9s\"", "max_clip = \"61min\"",
        "max_clip = \"9s\"", "priority = 10", "priority = -1"}) {
    EXPECT_NE(ErrorsOf(rule + beyond), "") << beyond;
  }
  EXPECT_THAT(ErrorsOf("when = \"motion > 0.5\""), HasSubstr("name: is required"));
  EXPECT_THAT(ErrorsOf("name = \"a\""), HasSubstr("when: is required"));
}

TEST(TriggerEngine, AClipIsAMinuteOrAsLongAsPreAndPost) {
  RuleOptions rule;
  const std::string head = "name = \"a\"\nwhen = \"motion > 0.5\"\n";
  EXPECT_EQ(ErrorsOf(head, &rule), "");
  EXPECT_EQ(rule.pre_ns, 5'000 * kMs);
  EXPECT_EQ(rule.post_ns, 5'000 * kMs);
  EXPECT_EQ(rule.cooldown_ns, 10'000 * kMs);
  EXPECT_EQ(rule.max_clip_ns, 60'000 * kMs);
  EXPECT_EQ(rule.priority, 5u);
  EXPECT_EQ(ErrorsOf(head + "pre = \"50s\"\npost = \"40s\"", &rule), "");
  EXPECT_EQ(rule.max_clip_ns, 90'000 * kMs);
}

TEST(TriggerEngine, SaysOfARuleWhatItsDetectorsCanNeverReach) {
  const std::string name = "name = \"a\"\n";
  EXPECT_THAT(ErrorsOf(name + "when = \"motion > 2\""), HasSubstr("can never hold"));
  EXPECT_THAT(ErrorsOf(name + "when = \"motion > 0.5 or motion > 2\""), HasSubstr("warning: "));
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
