// Events over HTTP: a reader of the hub as the body of `GET /events`.
#pragma once

#include "cloud/events/event_hub.h"
#include "cloud/http/http_stream.h"
#include "common/clock.h"

namespace gleaner::cloud {

// After 15 s without an event it says a comment, so that proxies keep the connection and both sides
// notice when the other is gone. Ends when its client can't follow.
class EventStream : public HttpStream {
 public:
  // `clock` must outlive it.
  EventStream(const EventReader& reader, Clock& clock)
      : reader_(reader), clock_(clock), said_ns_(clock.MonotonicNs()) {}

  bool Poll(size_t max_bytes, std::string* out) override;

 private:
  EventReader reader_;
  Clock& clock_;
  int64_t said_ns_;
};

}  // namespace gleaner::cloud
