// Events over HTTP: a reader of the hub as the body of `GET /events`.
#pragma once

#include <functional>
#include <utility>

#include "cloud/events/event_hub.h"
#include "cloud/http/http_stream.h"
#include "common/clock.h"

namespace gleaner::cloud {

// After 15 s without an event it says a comment, so that proxies keep the connection and both sides
// notice when the other is gone. Ends when its client can't follow, or may not any more.
class EventStream : public HttpStream {
 public:
  // `clock` must outlive it. `may_stay`, asked at least once a second, doesn't block; a client that
  // must go comes again, and is looked at anew.
  EventStream(
      const EventReader& reader, Clock& clock, std::function<bool()> may_stay = [] { return true; })
      : reader_(reader),
        clock_(clock),
        may_stay_(std::move(may_stay)),
        said_ns_(clock.MonotonicNs()) {}

  bool Poll(size_t max_bytes, std::string* out) override;

 private:
  EventReader reader_;
  Clock& clock_;
  const std::function<bool()> may_stay_;
  int64_t said_ns_;
};

}  // namespace gleaner::cloud
