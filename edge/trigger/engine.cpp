#include "edge/trigger/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/limits.h"
#include "common/name.h"
#include "common/status.h"
#include "edge/trigger/detector/detector.h"
#include "edge/trigger/evaluator.h"
#include "edge/trigger/reach.h"

namespace gleaner::edge {
namespace {

// How often a rule that stays true extends its clip, at most; more often where post is short.
constexpr int64_t kExtendNs = kNanosPerSecond;
constexpr int64_t kMaxPartNs = 600 * kNanosPerSecond;  // of pre-roll or post-roll

// One rule's expression and what its clip is doing.
struct ActiveRule {
  ActiveRule(const RuleOptions* options, Evaluator evaluator)
      : options(options), evaluator(std::move(evaluator)) {}

  // The truth at `now_ns`, and the firing that follows from it.
  std::optional<Firing> Step(int64_t now) {
    now_ns = now;
    const bool was_true = std::exchange(is_true, evaluator.EvaluateAt(now));
    if (!is_true && !was_true) return std::nullopt;
    if (fired) {
      const int64_t limit_ns = opened_ns - options->pre_ns + options->max_clip_ns;
      const int64_t end_ns = std::min(last_ns + options->post_ns, limit_ns);
      if (now < end_ns) {
        if (!open) return std::nullopt;
        const bool edge = is_true != was_true;
        const int64_t wait_ns = edge ? 1 : std::min(kExtendNs, options->post_ns / 4);
        if (end_ns == limit_ns || now < last_ns + wait_ns) return std::nullopt;
        return Fire(/*extends=*/true);
      }
      if (now < last_ns + options->cooldown_ns) return std::nullopt;
    }
    if (!is_true) return std::nullopt;
    opened_ns = now;
    open = true;
    return Fire(/*extends=*/false);
  }

  Firing Fire(bool extends) {
    fired = true;
    openings += extends ? 0 : 1;
    last_ns = now_ns;
    return {options, now_ns, extends};
  }

  const RuleOptions* options;
  Evaluator evaluator;
  int64_t now_ns = std::numeric_limits<int64_t>::min();
  bool is_true = false;
  bool fired = false;
  bool open = false;      // the newest clip takes extensions, as far as we have heard
  int64_t opened_ns = 0;  // first firing of the newest clip
  int64_t last_ns = 0;    // newest firing
  uint64_t openings = 0;
};

// Of a signal as it is written in a rule: its last part is the detector's name.
ValueRange RangeOfSignal(std::string_view signal) {
  return DetectorRange(signal.substr(signal.rfind('.') + 1));
}

// The evaluator of a rule whose expression is sound and reads nothing but `signals`.
absl::StatusOr<Evaluator> Compile(const std::string& when,
                                  const std::vector<std::string>& signals) {
  ASSIGN_OR_RETURN(const Expression expression, ParseExpression(when));
  for (const std::string& name : SignalNames(expression)) {
    if (std::none_of(signals.begin(), signals.end(),
                     [&](const std::string& known) { return SignalMatches(name, known); })) {
      return absl::InvalidArgumentError(
          signals.empty() ? fmt::format("no signal is called {}: there is no camera", name)
                          : fmt::format("no signal is called {}; there are: {}", name,
                                        fmt::join(signals, ", ")));
    }
  }
  Evaluator evaluator(expression, signals);
  if (const size_t reads = evaluator.reads().size(); reads > kMaxSignals) {
    return absl::InvalidArgumentError(
        fmt::format("reads {} signals; a rule may read {}", reads, kMaxSignals));
  }
  return evaluator;
}

}  // namespace

RuleOptions RuleOptions::Read(ConfigReader& reader, const std::vector<std::string>& signals) {
  RuleOptions rule;
  rule.name = reader.RequiredString("name");
  if (!rule.name.empty() && !IsName(rule.name)) {
    reader.Error("name", NotAName(rule.name));
  }
  rule.when = reader.RequiredString("when");
  if (!rule.when.empty()) {
    if (auto evaluator = Compile(rule.when, signals); !evaluator.ok()) {
      reader.Error("when", Message(evaluator.status()));
    } else {
      const Reach reach = JudgeReach(*ParseExpression(rule.when), RangeOfSignal);
      if (!reach.never.empty()) reader.Error("when", reach.never);
      for (const std::string& idle : reach.idle) reader.Warn("when", idle);
    }
  }
  rule.pre_ns = reader.DurationNs("pre", rule.pre_ns, {0, kMaxPartNs});
  rule.post_ns = reader.DurationNs("post", rule.post_ns, {0, kMaxPartNs});
  rule.cooldown_ns = reader.DurationNs("cooldown", rule.cooldown_ns, {0, 24 * 6 * kMaxPartNs});
  rule.max_clip_ns =
      reader.DurationNs("max_clip", std::max(rule.max_clip_ns, rule.pre_ns + rule.post_ns),
                        {kNanosPerSecond, 6 * kMaxPartNs});
  if (rule.max_clip_ns < rule.pre_ns + rule.post_ns) {
    reader.Error("max_clip", "must not be shorter than pre and post together");
  }
  rule.priority = static_cast<uint32_t>(reader.Int("priority", rule.priority, {0, kMaxPriority}));
  return rule;
}

class TriggerEngine::Impl {
 public:
  std::vector<RuleOptions> options;
  std::vector<std::string> signals;
  OnFiring on_firing;
  absl::flat_hash_map<std::string, size_t> index;  // of signals
  std::mutex mutex;
  std::vector<ActiveRule> rules;  // guarded by mutex
};

TriggerEngine::TriggerEngine() : impl_(std::make_unique<Impl>()) {}
TriggerEngine::~TriggerEngine() = default;

absl::StatusOr<std::unique_ptr<TriggerEngine>> TriggerEngine::Create(
    std::vector<RuleOptions> rules, std::vector<std::string> signals, OnFiring on_firing) {
  if (rules.size() > kMaxRules) {
    return absl::InvalidArgumentError(
        fmt::format("{} rules; there may be {}", rules.size(), kMaxRules));
  }
  std::unique_ptr<TriggerEngine> engine(new TriggerEngine());
  Impl& impl = *engine->impl_;
  impl.options = std::move(rules);
  impl.signals = std::move(signals);
  impl.on_firing = std::move(on_firing);
  for (size_t i = 0; i < impl.signals.size(); ++i) impl.index.emplace(impl.signals[i], i);
  absl::flat_hash_set<std::string> names;
  for (const RuleOptions& rule : impl.options) {
    const std::string where = fmt::format("rule {}", rule.name);
    if (!names.insert(rule.name).second) {
      return absl::InvalidArgumentError(fmt::format("{}: there are two of this name", where));
    }
    auto evaluator = Compile(rule.when, impl.signals);
    if (!evaluator.ok()) return Annotate(evaluator.status(), where);
    impl.rules.emplace_back(&rule, *std::move(evaluator));
  }
  return engine;
}

void TriggerEngine::OnSample(const SignalSample& sample) {
  Impl& impl = *impl_;
  const auto known = impl.index.find(sample.name);
  if (known == impl.index.end()) return;
  const size_t signal = known->second;
  std::vector<Firing> firings;
  {
    std::lock_guard lock(impl.mutex);
    for (ActiveRule& rule : impl.rules) {
      const std::vector<size_t>& reads = rule.evaluator.reads();
      if (!std::binary_search(reads.begin(), reads.end(), signal)) continue;
      const int64_t now = std::max(sample.monotonic_ns, rule.now_ns);
      const auto step = [&](int64_t at_ns) {
        if (std::optional<Firing> firing = rule.Step(at_ns)) firings.push_back(*firing);
      };
      while (rule.evaluator.NextChangeNs() < now) step(rule.evaluator.NextChangeNs());
      rule.evaluator.Set(signal, sample.value,
                         sample.valid_ns > 0 ? now + sample.valid_ns : Evaluator::kNever);
      step(now);
    }
  }
  for (const Firing& firing : firings) impl.on_firing(firing);
}

void TriggerEngine::OnClipGone(std::string_view rule, int64_t monotonic_ns) {
  std::lock_guard lock(impl_->mutex);
  for (ActiveRule& active : impl_->rules) {
    // What was fired before the newest clip was opened is about an older one.
    if (active.options->name == rule && monotonic_ns >= active.opened_ns) active.open = false;
  }
}

std::vector<RuleStats> TriggerEngine::stats() const {
  std::vector<RuleStats> all;
  std::lock_guard lock(impl_->mutex);
  for (const ActiveRule& rule : impl_->rules) all.push_back({rule.openings, rule.last_ns});
  return all;
}

const std::vector<RuleOptions>& TriggerEngine::rules() const { return impl_->options; }

std::vector<std::string> TriggerEngine::SignalsOf(std::string_view rule) const {
  std::vector<std::string> names;
  for (const ActiveRule& active : impl_->rules) {
    if (active.options->name != rule) continue;
    for (const size_t i : active.evaluator.reads()) names.push_back(impl_->signals[i]);
  }
  return names;
}

}  // namespace gleaner::edge
