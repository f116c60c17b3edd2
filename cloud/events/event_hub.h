// The events of this server: who publishes puts them in, each reader takes them out at its own
// pace.
//
// The newest 1,024 events are kept once for all readers, as server-sent events are written
// (https://html.spec.whatwg.org/multipage/server-sent-events.html):
//
//   id: 5f1c09a27be4d863-42
//   event: clips
//   data: {"id":"0123456789abcdef0123"}
//
// A reader is a place in them, so a slow one costs nothing until it has fallen out of what is kept:
// then it is told so, its connection is dropped, and it comes again with the id it saw last. Where
// the events after that id are not kept any more, or were another run's or server's, it gets one
// event `reset`: load anew what you show.
//
// Several servers over one database each have a hub. What changes in a transaction is announced in
// it (Sql::Announce), heard by all servers, and published by each on its own hub (relay.h). Ids
// stay each hub's own: a reader that moves to another server gets one reset.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/events/events.h"

namespace gleaner::cloud {

class EventReader;

// Thread-safe.
class EventHub : public Events {
 public:
  static constexpr size_t kMaxTopics = 32;
  static constexpr size_t kMaxJsonBytes = 1024;

  // `kept`: how many events a reader may be behind.
  explicit EventHub(size_t kept = 1024);

  EventTopic Topic(std::string_view name) override;
  void Publish(EventTopic topic, std::string_view json) override;
  void Reset() override;

  // `callback` is called after each event, on the publisher's thread; must be quick. Empty for
  // none: on return the one before is not running and never called again.
  void OnEvent(std::function<void()> callback);

  // Reads the topics in `topics` (names with commas between; empty for all) from now on, or from
  // after `last_id` where that is not empty. Nothing if a name is of no topic. The hub must outlive
  // it.
  std::optional<EventReader> Read(std::string_view topics, std::string_view last_id);

  // "clips, devices", for an error.
  std::string TopicNames() const;

 private:
  friend class EventReader;
  struct Event {
    uint32_t topics;   // a bit each: who of them gets it
    std::string text;  // as it is sent
  };
  // Under the mutex.
  void Add(uint32_t topics, std::string_view name, std::string_view json);
  void Tell();
  std::string IdOf(uint64_t number) const;
  // Events up to here have been seen by who names this id; nothing if they are none of ours.
  std::optional<uint64_t> NumberOf(std::string_view id) const;

  const size_t kept_;
  const std::string run_;  // tells our ids from those of another run
  mutable std::mutex mutex_;
  std::vector<std::string> topics_;  // by EventTopic
  std::deque<Event> events_;
  uint64_t first_ = 1;  // the number of the oldest in events_
  std::mutex callback_mutex_;
  std::function<void()> callback_;
};

// A place in the hub's events. Used by one thread at a time.
class EventReader {
 public:
  // Appends what has come since the last call, whole events, to *out; stops once that is more than
  // `max_bytes`. The first call says where it starts, or `reset`. False if events are gone that
  // were not read: for good.
  bool Take(size_t max_bytes, std::string* out);

 private:
  friend class EventHub;
  EventReader(EventHub& hub, uint32_t topics, uint64_t next, bool reset)
      : hub_(&hub), topics_(topics), next_(next), reset_(reset) {}

  EventHub* hub_;
  uint32_t topics_;  // a bit each
  uint64_t next_;    // the number of the next event to look at
  bool reset_;
  bool begun_ = false;
};

}  // namespace gleaner::cloud
