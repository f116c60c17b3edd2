#include "edge/trigger/evaluator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace gleaner::edge {
namespace {

struct Event {
  int64_t ns;
  size_t signal;
  SampleValue value;
};

// The truth as a list of the moments at which it changes, beginning with false.
std::vector<int64_t> Changes(const std::string& text, const std::vector<Event>& events,
                             int64_t end_ns, int64_t valid_ns = 0) {
  const std::vector<std::string> signals = {"camera.a.motion", "camera.b.motion"};
  Evaluator evaluator(*ParseExpression(text), signals);
  std::vector<int64_t> changes;
  bool truth = false;
  const auto step = [&](int64_t ns) {
    if (evaluator.EvaluateAt(ns) == truth) return;
    truth = !truth;
    changes.push_back(ns);
  };
  for (const Event& event : events) {
    while (evaluator.NextChangeNs() < event.ns) step(evaluator.NextChangeNs());
    evaluator.Set(event.signal, event.value,
                  valid_ns == 0 ? Evaluator::kNever : event.ns + valid_ns);
    step(event.ns);
  }
  while (evaluator.NextChangeNs() <= end_ns) step(evaluator.NextChangeNs());
  return changes;
}

constexpr int64_t kMs = 1'000'000;
std::vector<int64_t> Ms(std::vector<int64_t> times) {
  for (int64_t& time : times) time *= kMs;
  return times;
}

TEST(Evaluator, SeesAPulseBetweenTwoOtherSamplesForTheWholeWindow) {
  const std::vector<Event> pulse = {{0, 0, 0}, {100 * kMs, 0, 1}, {101 * kMs, 0, 0}};
  EXPECT_EQ(Changes("motion > 0.5", pulse, 9000 * kMs), Ms({100, 101}));
  EXPECT_EQ(Changes("within(2s, motion > 0.5)", pulse, 9000 * kMs), Ms({100, 2101}));
  EXPECT_EQ(Changes("not within(2s, motion > 0.5)", pulse, 9000 * kMs), Ms({0, 100, 2101}));
}

TEST(Evaluator, SeesAPulseOfNoLength) {
  const std::vector<Event> pulse = {{0, 0, 0}, {100 * kMs, 0, 1}, {100 * kMs, 0, 0}};
  EXPECT_EQ(Changes("within(1s, motion > 0.5)", pulse, 9000 * kMs), Ms({100, 1100}));
}

TEST(Evaluator, KeepsWatchInTheBranchThatDoesNotDecide) {
  // At 100 ms the first operand decides alone; the pulse in the second must count later.
  const std::vector<Event> events = {
      {0, 0, 1}, {0, 1, 0}, {100 * kMs, 1, 1}, {110 * kMs, 1, 0}, {500 * kMs, 0, 0}};
  EXPECT_EQ(
      Changes("camera.a.motion > 0.5 or within(1s, camera.b.motion > 0.5)", events, 9000 * kMs),
      Ms({0, 1110}));
}

TEST(Evaluator, NestsWindows) {
  const std::vector<Event> pulse = {{0, 0, 0}, {1000 * kMs, 0, 1}, {1010 * kMs, 0, 0}};
  // Quiet for a second, at some moment of the last half second.
  EXPECT_EQ(Changes("within(500ms, not within(1s, motion > 0.5))", pulse, 9000 * kMs),
            Ms({0, 1500, 2010}));
}

TEST(Evaluator, HoldsNoComparisonWithAMissingSignal) {
  EXPECT_EQ(Changes("camera.b.motion != 0", {{0, 0, 5}}, 9000), std::vector<int64_t>());
  EXPECT_EQ(Changes("camera.b.motion < 1", {{0, 0, 0}}, 9000), std::vector<int64_t>());
  EXPECT_EQ(Changes("motion != 0", {{0, 0, std::nan("")}}, 9000), std::vector<int64_t>());
  EXPECT_EQ(Changes("motion != 0", {{0, 0, std::nan("")}, {5, 1, 2}}, 9000),
            std::vector<int64_t>({5}));
}

TEST(Evaluator, TakesTheGreatestOverTheCamerasForAShortName) {
  const std::vector<Event> events = {{0, 0, 0.1}, {10, 1, 0.4}, {20, 0, 0.2}, {30, 1, 0.0}};
  EXPECT_EQ(Changes("motion > 0.3", events, 9000), std::vector<int64_t>({10, 30}));
  EXPECT_EQ(Changes("motion < 0.3", events, 9000), std::vector<int64_t>({0, 10, 30}));
}

TEST(Evaluator, LetsAValueGoStale) {
  EXPECT_EQ(Changes("motion > 0.5", {{0, 0, 1}}, 9000, 100), std::vector<int64_t>({0, 100}));
  EXPECT_EQ(Changes("motion > 0.5", {{0, 0, 1}, {90, 0, 1}}, 9000, 100),
            std::vector<int64_t>({0, 190}));
}

TEST(Evaluator, SeesARiseForAMomentAndNoMore) {
  const std::vector<Event> events = {
      {0, 0, 0}, {100 * kMs, 0, 1}, {150 * kMs, 0, 0.9}, {200 * kMs, 0, 0}, {300 * kMs, 0, 1}};
  EXPECT_EQ(Changes("rising(motion > 0.5)", events, 9000 * kMs),
            std::vector<int64_t>({100 * kMs, 100 * kMs + 1, 300 * kMs, 300 * kMs + 1}));
  EXPECT_EQ(Changes("within(50ms, rising(motion > 0.5))", events, 9000 * kMs),
            std::vector<int64_t>({100 * kMs, 150 * kMs + 1, 300 * kMs, 350 * kMs + 1}));
  EXPECT_EQ(Changes("rising(motion > 0.5)", {{5, 0, 1}}, 9000), std::vector<int64_t>({5, 6}))
      << "true from the first";
}

TEST(Evaluator, SeesNoRiseInWhatFallsAtTheSameMoment) {
  EXPECT_EQ(Changes("rising(motion > 0.5)", {{0, 0, 0}, {100, 0, 1}, {100, 0, 0}}, 9000),
            std::vector<int64_t>({100, 100}));
}

TEST(Evaluator, MeasuresADifferenceOverItsWindow) {
  const std::vector<Event> events = {
      {0, 0, 1}, {500 * kMs, 0, 4}, {3000 * kMs, 0, 4.5}, {3100 * kMs, 0, 1}};
  // 3 from 2000 (there is nothing to compare with before) to 2500, 0.5 from 3000, -3 from 3100 on.
  EXPECT_EQ(Changes("delta(motion, 2s) > 2", events, 9000 * kMs), Ms({2000, 2500}));
  EXPECT_EQ(Changes("delta(motion, 2s) <= 0", events, 9000 * kMs), Ms({2500, 3000, 3100}));
  EXPECT_EQ(Changes("delta(motion, 2s) < -3.2", events, 9000 * kMs), Ms({5000, 5100}));
}

TEST(Evaluator, HasNoDifferenceWithWhatHadNoValue) {
  EXPECT_EQ(Changes("delta(motion, 2ms) >= 0 or delta(motion, 2ms) < 0",
                    {{0, 0, 1}, {1 * kMs, 0, std::nan("")}, {4 * kMs, 0, 2}}, 9000 * kMs),
            Ms({6}));
}

TEST(Evaluator, ComparesTextsOfAnyCamera) {
  const std::vector<Event> events = {{0, 0, ""}, {10, 0, "4006"}, {20, 1, "72"}, {30, 0, ""}};
  EXPECT_EQ(Changes("motion == \"4006\"", events, 9000), std::vector<int64_t>({10, 30}));
  EXPECT_EQ(Changes("motion != \"\"", events, 9000), std::vector<int64_t>({10}));
  EXPECT_EQ(Changes("motion in (\"1\", \"72\")", events, 9000), std::vector<int64_t>({20}));
  EXPECT_EQ(Changes("camera.a.motion == camera.b.motion", events, 9000), std::vector<int64_t>());
  EXPECT_EQ(Changes("camera.a.motion != camera.b.motion", events, 9000),
            std::vector<int64_t>({20}));
  EXPECT_EQ(Changes("motion == \"4006\"", {{10, 0, "4006"}}, 9000, 100),
            std::vector<int64_t>({10, 110}));
  EXPECT_EQ(Changes("motion > 1", events, 9000), std::vector<int64_t>()) << "not a number";
}

TEST(Evaluator, TakesATruthForOneOrZero) {
  EXPECT_EQ(Changes("motion == 1", {{0, 0, false}, {10, 0, true}, {20, 0, false}}, 9000),
            std::vector<int64_t>({10, 20}));
}

// Brute force: every expression's truth at every tick of a small world, from the definition.
class Oracle {
 public:
  Oracle(std::map<int64_t, std::map<size_t, double>> samples) : samples_(std::move(samples)) {}

  bool Truth(const Expression& e, int64_t t) const {
    switch (e.kind) {
      case Expression::Kind::kCompare: {
        const double a = Number(e.operands[0], t);
        const double b = Number(e.operands[1], t);
        if (std::isnan(a) || std::isnan(b)) return false;
        return e.comparison == Expression::Comparison::kGreater ? a > b : a <= b;
      }
      case Expression::Kind::kNot:
        return !Truth(e.operands[0], t);
      case Expression::Kind::kAnd:
        for (const Expression& operand : e.operands) {
          if (!Truth(operand, t)) return false;
        }
        return true;
      case Expression::Kind::kOr:
        for (const Expression& operand : e.operands) {
          if (Truth(operand, t)) return true;
        }
        return false;
      case Expression::Kind::kWithin:
        // What is true at a tick is true up to the next one, so (t − w, t] touches tick t − w too.
        // Nothing was true before the first sample.
        for (int64_t s = t; s >= t - e.window_ns / kMs && s >= samples_.begin()->first; --s) {
          if (Truth(e.operands[0], s)) return true;
        }
        return false;
      default:
        return false;
    }
  }

 private:
  double Number(const Expression& e, int64_t t) const {
    if (e.kind == Expression::Kind::kNumber) return e.number;
    double greatest = std::nan("");
    for (size_t signal = 0; signal < 2; ++signal) {
      const std::string name = signal == 0 ? "camera.a.motion" : "camera.b.motion";
      if (!SignalMatches(e.signal, name)) continue;
      for (auto at = samples_.upper_bound(t); at != samples_.begin();) {
        --at;
        if (const auto found = at->second.find(signal); found != at->second.end()) {
          greatest = std::fmax(greatest, found->second);
          break;
        }
      }
    }
    return greatest;
  }

  std::map<int64_t, std::map<size_t, double>> samples_;  // time in ms
};

TEST(Evaluator, AgreesWithTheDefinitionOnRandomRulesAndSamples) {
  static constexpr const char* kRules[] = {
      "within(7ms, camera.a.motion > 0.5)",
      "within(5ms, camera.a.motion > 0.5) and not within(9ms, camera.b.motion > 0.5)",
      "within(20ms, camera.a.motion > 0.5 and within(6ms, camera.b.motion > 0.5))",
      "not within(4ms, not within(11ms, motion > 0.5))",
      "camera.a.motion > camera.b.motion or within(3ms, camera.b.motion <= 0.2)",
  };
  std::mt19937 random(3);
  for (int round = 0; round < 400; ++round) {
    const Expression rule = *ParseExpression(kRules[round % std::size(kRules)]);
    std::map<int64_t, std::map<size_t, double>> samples;
    for (int i = 0; i < 30; ++i) {
      samples[static_cast<int64_t>(random() % 120)][random() % 2] = (random() % 10) / 10.0;
    }
    const Oracle oracle(samples);
    const std::vector<std::string> signals = {"camera.a.motion", "camera.b.motion"};
    Evaluator evaluator(rule, signals);
    std::map<int64_t, bool> changes;
    for (const auto& [ms, values] : samples) {
      while (evaluator.NextChangeNs() < ms * kMs) {
        const int64_t at = evaluator.NextChangeNs();
        ASSERT_EQ(at % kMs, 0);
        changes[at / kMs] = evaluator.EvaluateAt(at);
      }
      for (const auto& [signal, value] : values) evaluator.Set(signal, value, Evaluator::kNever);
      changes[ms] = evaluator.EvaluateAt(ms * kMs);
    }
    while (evaluator.NextChangeNs() != Evaluator::kNever) {
      const int64_t at = evaluator.NextChangeNs();
      changes[at / kMs] = evaluator.EvaluateAt(at);
    }
    for (int64_t ms = samples.begin()->first; ms < 160; ++ms) {
      const bool ours = std::prev(changes.upper_bound(ms))->second;
      ASSERT_EQ(ours, oracle.Truth(rule, ms))
          << ToText(rule) << " at " << ms << ", round " << round;
    }
  }
}

}  // namespace
}  // namespace gleaner::edge
