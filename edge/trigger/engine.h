// The trigger engine: samples in, firings out. Holds the rules, the newest value of each signal and enough of its past for `within`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/config.h"
#include "edge/trigger/expression.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

struct RuleOptions {
  std::string name;  // see IsName()
  std::string when;  // the expression's text, see expression.h
  int64_t pre_ns = 5 * kNanosPerSecond;
  int64_t post_ns = 5 * kNanosPerSecond;
  // After a firing the rule is silent this long; a firing that comes while a clip of the rule is still being captured extends it.
  int64_t cooldown_ns = 10 * kNanosPerSecond;
  // A clip is closed at this length however often the rule goes on firing.
  int64_t max_clip_ns = 60 * kNanosPerSecond;
  uint32_t priority = 5;  // 0 to 9

  // Reads one [[rule]] table; mistakes, the expression's included, are noted in `reader`.
  static RuleOptions Read(ConfigReader& reader);
};

struct Firing {
  const RuleOptions* rule = nullptr;  // lives as long as the engine
  int64_t monotonic_ns = 0;           // of the sample that made the expression true
};

// Thread-safe: detectors of several cameras write to it from their own threads.
class TriggerEngine : public SampleSink {
 public:
  using OnFiring = std::function<void(const Firing&)>;

  // INVALID_ARGUMENT, naming rule and column, for an expression that doesn't parse or that reads a signal which none of `signals` (qualified names that
  // detectors and sensors will deliver) can be. `on_firing` is called on the thread that wrote the sample, without a lock held.
  static absl::StatusOr<std::unique_ptr<TriggerEngine>> Create(std::vector<RuleOptions> rules,
                                                               std::vector<std::string> signals,
                                                               OnFiring on_firing);

  void OnSample(const SignalSample& sample) override;

  const std::vector<RuleOptions>& rules() const;
  // The qualified names of the signals that a rule's expression reads, for evidence.
  std::vector<std::string> SignalsOf(std::string_view rule) const;

  ~TriggerEngine() override;

 private:
  TriggerEngine();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
