// What rooms tell the people who look on, as it happens: "clip 1a2b… came", "cart-1 has news".
//
// An event is a hint: it names what changed, and who wants to know more asks the API. So it is
// small, may come twice, and after a gap its readers start anew (see EventHub) rather than miss it.
#pragma once

#include <cstdint>
#include <string_view>

namespace gleaner::cloud {

// A topic that Events::Topic gave out.
enum class EventTopic : uint32_t {};

class Events {
 public:
  virtual ~Events() = default;

  // The topic of this name (lower-case letters), new or known already. Each room names its own when
  // it is made; at most 32 together.
  virtual EventTopic Topic(std::string_view name) = 0;
  // `json` is one object on one line, at most 1 KiB: {"id":"…"}. On any thread; never blocks for
  // long.
  virtual void Publish(EventTopic topic, std::string_view json) = 0;
  // Anything may have happened: every reader starts anew.
  virtual void Reset() = 0;
};

}  // namespace gleaner::cloud
