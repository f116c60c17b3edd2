// Rules, and footage that is played through a recorder as a camera would deliver it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "edge/clip/recorder.h"
#include "edge/trigger/engine.h"
#include "tests/edge/clip/clip_rig.h"

namespace gleaner::edge {

inline constexpr int64_t kS = kNanosPerSecond;
inline const std::vector<std::string> kSignals = {"camera.front.motion"};

inline RuleOptions Rule(int64_t pre_ns, int64_t post_ns) {
  RuleOptions rule;
  rule.name = "hand";
  rule.when = "motion > 0.02";
  rule.pre_ns = pre_ns;
  rule.post_ns = post_ns;
  rule.priority = 7;
  return rule;
}

// Feeds a camera's packets; fires `rule` right after the first packet at or after each moment.
inline void Play(Recorder& recorder, size_t camera, const Recording& footage,
                 const RuleOptions& rule, std::vector<int64_t> firings_ns) {
  recorder.OnFormat(camera, footage.format, "remux");
  size_t next = 0;
  for (const Packet& packet : footage.packets) {
    recorder.OnPacket(camera, packet);
    recorder.OnSample(
        {"camera.front.motion", packet.monotonic_ns, static_cast<double>(packet.pts % 7) / 100});
    if (next < firings_ns.size() && packet.monotonic_ns >= firings_ns[next]) {
      recorder.OnFiring({&rule, packet.monotonic_ns, next > 0}, kSignals);
      ++next;
    }
  }
}

class RecorderRig : public ClipRig {
 protected:
  // What comes of the footage of one camera with a ring that is as long as the rule's pre-roll.
  auto Record(const Recording& footage, const RuleOptions& rule, std::vector<int64_t> firings_ns) {
    Recorder recorder(Options({"front"}, rule.pre_ns), *spool_, clock_);
    Play(recorder, 0, footage, rule, std::move(firings_ns));
    recorder.Finish();
    return TakeAll();
  }
};

}  // namespace gleaner::edge
