#include "cloud/events/relay.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace gleaner::cloud {

void Relay(Database& database, std::string_view announcement, Events& events,
           std::string_view topic, std::string key) {
  database.Listen(std::string(announcement), [&events, topic = events.Topic(topic),
                                              key = std::move(key)](const std::string& text) {
    if (text.empty()) return events.Reset();
    events.Publish(topic, nlohmann::json{{key, text}}.dump());
  });
}

}  // namespace gleaner::cloud
