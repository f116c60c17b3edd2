#include "edge/trigger/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/limits.h"
#include "common/name.h"
#include "common/status.h"
#include "edge/trigger/detector/registry.h"
#include "edge/trigger/evaluator.h"
#include "edge/trigger/reach.h"
#include "edge/trigger/sample_order.h"
#include "edge/trigger/types.h"

namespace gleaner::edge {
namespace {

// How often a rule that stays true extends its clip, at most; more often where post is short.
constexpr int64_t kExtendNs = kNanosPerSecond;
constexpr int64_t kMaxPartNs = 600 * kNanosPerSecond;  // of pre-roll or post-roll

// One rule's expression and what its clip is doing.
struct ActiveRule {
  ActiveRule(const RuleOptions* options, Evaluator evaluator, int64_t latency_ns)
      : options(options),
        evaluator(std::move(evaluator)),
        latency_ns(latency_ns),
        order(this->evaluator.reads(), latency_ns) {}

  bool Waits() const { return latency_ns > 0; }

  // Takes in a sample whose turn it is.
  void Take(const SampleOrder::Sample& sample, std::vector<Firing>* firings) {
    late_samples += sample.monotonic_ns < now_ns ? 1 : 0;
    const int64_t now = std::max(sample.monotonic_ns, now_ns);
    while (evaluator.NextChangeNs() < now) StepTo(evaluator.NextChangeNs(), firings);
    evaluator.Set(sample.signal, sample.value,
                  sample.valid_ns > 0 ? now + sample.valid_ns : Evaluator::kNever);
    StepTo(now, firings);
  }
  // Of a rule that waits: takes in all that is final by now.
  void TakeFinal(std::vector<Firing>* firings) {
    while (const auto sample = order.Next()) Take(*sample, firings);
    while (evaluator.NextChangeNs() <= order.FinalNs()) StepTo(evaluator.NextChangeNs(), firings);
  }
  void StepTo(int64_t now, std::vector<Firing>* firings) {
    if (std::optional<Firing> firing = Step(now)) firings->push_back(*firing);
  }

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
    return {options, now_ns, extends, latency_ns};
  }

  const RuleOptions* options;
  Evaluator evaluator;
  int64_t latency_ns;  // of the slowest signal that it reads
  SampleOrder order;   // used only where that is more than 0
  int64_t now_ns = std::numeric_limits<int64_t>::min();
  bool is_true = false;
  bool fired = false;
  bool open = false;      // the newest clip takes extensions, as far as we have heard
  int64_t opened_ns = 0;  // first firing of the newest clip
  int64_t last_ns = 0;    // newest firing
  uint64_t openings = 0;
  uint64_t late_samples = 0;
};

// Of a signal as it is written in a rule; every number for one that no detector writes.
ValueRange RangeOfSignal(std::string_view signal) {
  const SignalKind* kind = FindSignal(signal);
  return kind == nullptr ? ValueRange() : kind->range;
}

std::vector<std::string> NamesOf(const std::vector<SignalSource>& signals) {
  std::vector<std::string> names;
  for (const SignalSource& signal : signals) names.push_back(signal.name);
  return names;
}

// The evaluator of a rule whose expression is sound and reads nothing but `sources`.
absl::StatusOr<Evaluator> Compile(const std::string& when,
                                  const std::vector<SignalSource>& sources) {
  const std::vector<std::string> signals = NamesOf(sources);
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
  RETURN_IF_ERROR(CheckTypes(expression, [&](std::string_view name) {
    const auto source = std::find_if(sources.begin(), sources.end(), [&](const SignalSource& s) {
      return SignalMatches(name, s.name);
    });
    return source == sources.end() ? SampleType::kNumber : source->type;
  }));
  Evaluator evaluator(expression, signals);
  if (const size_t reads = evaluator.reads().size(); reads > kMaxSignals) {
    return absl::InvalidArgumentError(
        fmt::format("reads {} signals; a rule may read {}", reads, kMaxSignals));
  }
  return evaluator;
}

}  // namespace

RuleOptions RuleOptions::Read(ConfigReader& reader, const std::vector<SignalSource>& signals) {
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
  std::vector<SignalSource> signals;
  OnFiring on_firing;
  absl::flat_hash_map<std::string, size_t> index;  // of signals
  int64_t latency_ns = 0;                          // of the slowest that a rule reads
  std::mutex mutex;                                // guards what follows
  std::vector<ActiveRule> rules;
  std::deque<Firing> firings;  // to be told, in order
  bool telling = false;        // by some thread

  // Tells what `rules` have fired and releases `lock`: a thread that finds another one at it leaves
  // its own to it, so that they are told in order.
  void Tell(std::vector<Firing> fired, std::unique_lock<std::mutex> lock);
};

void TriggerEngine::Impl::Tell(std::vector<Firing> fired, std::unique_lock<std::mutex> lock) {
  firings.insert(firings.end(), fired.begin(), fired.end());
  if (firings.empty() || std::exchange(telling, true)) return;
  while (!firings.empty()) {
    const Firing firing = firings.front();
    firings.pop_front();
    lock.unlock();
    on_firing(firing);
    lock.lock();
  }
  telling = false;
}

TriggerEngine::TriggerEngine() : impl_(std::make_unique<Impl>()) {}
TriggerEngine::~TriggerEngine() = default;

absl::StatusOr<std::unique_ptr<TriggerEngine>> TriggerEngine::Create(
    std::vector<RuleOptions> rules, std::vector<SignalSource> signals, OnFiring on_firing) {
  if (rules.size() > kMaxRules) {
    return absl::InvalidArgumentError(
        fmt::format("{} rules; there may be {}", rules.size(), kMaxRules));
  }
  std::unique_ptr<TriggerEngine> engine(new TriggerEngine());
  Impl& impl = *engine->impl_;
  impl.options = std::move(rules);
  impl.signals = std::move(signals);
  impl.on_firing = std::move(on_firing);
  for (size_t i = 0; i < impl.signals.size(); ++i) impl.index.emplace(impl.signals[i].name, i);
  absl::flat_hash_set<std::string> names;
  for (const RuleOptions& rule : impl.options) {
    const std::string where = fmt::format("rule {}", rule.name);
    if (!names.insert(rule.name).second) {
      return absl::InvalidArgumentError(fmt::format("{}: there are two of this name", where));
    }
    auto evaluator = Compile(rule.when, impl.signals);
    if (!evaluator.ok()) return Annotate(evaluator.status(), where);
    int64_t latency_ns = 0;
    for (const size_t i : evaluator->reads()) {
      latency_ns = std::max(latency_ns, impl.signals[i].latency_ns);
    }
    impl.latency_ns = std::max(impl.latency_ns, latency_ns);
    impl.rules.emplace_back(&rule, *std::move(evaluator), latency_ns);
  }
  return engine;
}

void TriggerEngine::OnSample(const SignalSample& sample) {
  Impl& impl = *impl_;
  const auto known = impl.index.find(sample.name);
  if (known == impl.index.end()) return;
  const SampleOrder::Sample taken{known->second, sample.monotonic_ns, sample.value,
                                  sample.valid_ns};
  std::vector<Firing> firings;
  std::unique_lock lock(impl.mutex);
  for (ActiveRule& rule : impl.rules) {
    const std::vector<size_t>& reads = rule.evaluator.reads();
    if (!std::binary_search(reads.begin(), reads.end(), taken.signal)) continue;
    if (rule.Waits()) {
      rule.order.Add(taken);
      rule.TakeFinal(&firings);
    } else {
      rule.Take(taken, &firings);
    }
  }
  impl.Tell(std::move(firings), std::move(lock));
}

void TriggerEngine::OnTime(int64_t monotonic_ns) {
  Impl& impl = *impl_;
  if (impl.latency_ns == 0) return;  // nothing waits for time to pass
  std::vector<Firing> firings;
  std::unique_lock lock(impl.mutex);
  for (ActiveRule& rule : impl.rules) {
    if (!rule.Waits()) continue;
    rule.order.Advance(monotonic_ns);
    rule.TakeFinal(&firings);
  }
  impl.Tell(std::move(firings), std::move(lock));
}

void TriggerEngine::OnClipGone(std::string_view rule, int64_t monotonic_ns) {
  std::lock_guard lock(impl_->mutex);
  for (ActiveRule& active : impl_->rules) {
    // What was fired before the newest clip was opened is about an older one.
    if (active.options->name == rule && monotonic_ns >= active.opened_ns) active.open = false;
  }
}

int64_t TriggerEngine::latency_ns() const { return impl_->latency_ns; }

std::vector<RuleStats> TriggerEngine::stats() const {
  std::vector<RuleStats> all;
  std::lock_guard lock(impl_->mutex);
  for (const ActiveRule& rule : impl_->rules) {
    all.push_back({rule.openings, rule.last_ns, rule.late_samples});
  }
  return all;
}

const std::vector<RuleOptions>& TriggerEngine::rules() const { return impl_->options; }

std::vector<std::string> TriggerEngine::SignalsOf(std::string_view rule) const {
  std::vector<std::string> names;
  for (const ActiveRule& active : impl_->rules) {
    if (active.options->name != rule) continue;
    for (const size_t i : active.evaluator.reads()) names.push_back(impl_->signals[i].name);
  }
  return names;
}

}  // namespace gleaner::edge
