// The trigger engine: samples in, firings out. Holds the rules and the newest value of each signal.
//
// When a rule fires. Its expression is a step function of time (see expression.h); with `last` for
// the rule's last firing of either kind:
//  - It opens a clip when the expression becomes true, or is still true, at a moment not before
//    last + cooldown. Being true counts, not only becoming true: what began while the rule was
//    silent and goes on is as worth seeing as what begins now.
//  - It extends the clip that is open (until last + post) while the expression is true: at each
//    rise, at least once a second, and at each fall, so that post counts from the end of the
//    activity. An activity is one clip, until the clip is as long as max_clip.
//  - Then it is silent until last + cooldown.
//  - When its clip turns out to have ended early (OnClipGone), it is silent from then on, until
//    last + post and last + cooldown have both passed: what goes on meanwhile gets a clip of its
//    own.
//
// A rule is evaluated by the time of frames, not by when samples come: where one of its signals
// takes a while to say something of a frame (SignalSource::latency_ns), all wait until it has
// spoken of that moment too, or had the time that it takes. So its firings come later by that, and
// bear the time of the frame all the same.
//
// So one hand over the table is one clip, a conveyor that never stops is a clip of max_clip every
// cooldown, and a flickering signal can't flood the spool.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

inline constexpr size_t kMaxRules = 64;

struct RuleOptions {
  std::string name;  // see IsName()
  std::string when;  // the expression's text, see expression.h
  int64_t pre_ns = 5 * kNanosPerSecond;
  int64_t post_ns = 5 * kNanosPerSecond;
  // The rule opens no clip for this long after its last firing, extensions included.
  int64_t cooldown_ns = 10 * kNanosPerSecond;
  // A clip, pre-roll and post-roll included, is closed at this length however long the rule stays
  // true. Not below pre + post.
  int64_t max_clip_ns = 60 * kNanosPerSecond;
  uint32_t priority = 5;  // 0 to 9

  // Reads one [[rule]] table; mistakes are noted in `reader`, the expression's included, that it
  // reads what none of `signals` can be, and that it can never be true. Parts of it that decide
  // nothing are warned of.
  static RuleOptions Read(ConfigReader& reader, const std::vector<SignalSource>& signals);
};

struct Firing {
  const RuleOptions* rule = nullptr;  // lives as long as the engine
  // When the expression became true, or was still true; never before an earlier firing of the rule.
  int64_t monotonic_ns = 0;
  // Only extends the rule's open clip; where there is none the engine wants to hear of it.
  bool extends = false;
  // It comes so much later than the frame at most: what speaks of the clip's end does too.
  int64_t latency_ns = 0;
};

// Since the engine began.
struct RuleStats {
  uint64_t firings = 0;  // that opened a clip
  int64_t last_ns = 0;   // the newest firing of either kind, on the rule's time; 0 before the first
  // Samples that came after the rule had passed their time, and counted from then on.
  uint64_t late_samples = 0;
};

// Thread-safe: detectors of several cameras write to it from their own threads.
//
// Each rule has a time of its own that never goes back: a sample of one camera that comes after a
// later one of another counts from then on. Samples of signals that the engine was not told of are
// ignored, so memory is bounded by rules × signals, and the samples that wait (sample_order.h).
class TriggerEngine : public SampleSink {
 public:
  using OnFiring = std::function<void(const Firing&)>;

  // INVALID_ARGUMENT, naming rule and column, for an expression that doesn't parse or that reads a
  // signal which none of `signals` (that detectors and sensors will deliver) can be; also for two
  // rules of one name or more than kMaxRules. `on_firing` is called on a thread that writes
  // samples, without a lock held, for one firing after the other in their order.
  static absl::StatusOr<std::unique_ptr<TriggerEngine>> Create(std::vector<RuleOptions> rules,
                                                               std::vector<SignalSource> signals,
                                                               OnFiring on_firing);

  void OnSample(const SignalSample& sample) override;
  void OnTime(int64_t monotonic_ns) override;
  // The rule's extending firing of `monotonic_ns` found no clip: it has ended before its time, or
  // never came about.
  void OnClipGone(std::string_view rule, int64_t monotonic_ns);

  const std::vector<RuleOptions>& rules() const;
  // The qualified names of the signals that a rule's expression reads, for evidence; empty for an
  // unknown rule.
  std::vector<std::string> SignalsOf(std::string_view rule) const;
  // The latency of the slowest signal that any rule reads.
  int64_t latency_ns() const;
  // In the order of rules().
  std::vector<RuleStats> stats() const;

  ~TriggerEngine() override;

 private:
  TriggerEngine();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
