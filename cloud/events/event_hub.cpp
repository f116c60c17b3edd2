#include "cloud/events/event_hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <stdexcept>
#include <utility>

#include "common/log.h"

namespace gleaner::cloud {
namespace {

// How long a browser waits before it comes again.
constexpr int kRetryMs = 2000;

std::string NewRun() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

constexpr uint32_t kAllTopics = ~uint32_t{0};

uint32_t BitOf(size_t topic) { return uint32_t{1} << topic; }

}  // namespace

EventHub::EventHub(size_t kept) : kept_(kept), run_(NewRun()) {}

EventTopic EventHub::Topic(std::string_view name) {
  std::lock_guard lock(mutex_);
  const auto found = std::find(topics_.begin(), topics_.end(), name);
  if (found != topics_.end()) return static_cast<EventTopic>(found - topics_.begin());
  if (topics_.size() >= kMaxTopics) throw std::length_error("more than 32 topics of events");
  topics_.emplace_back(name);
  return static_cast<EventTopic>(topics_.size() - 1);
}

void EventHub::Publish(EventTopic topic, std::string_view json) {
  if (json.size() > kMaxJsonBytes || json.find_first_of("\r\n") != std::string_view::npos) {
    LOG_ERROR("an event of {} bytes is not told: it is one line of at most {}", json.size(),
              kMaxJsonBytes);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    const auto index = static_cast<size_t>(topic);
    Add(BitOf(index), topics_[index], json);
  }
  Tell();
}

void EventHub::Reset() {
  {
    std::lock_guard lock(mutex_);
    Add(kAllTopics, "reset", "{}");
  }
  Tell();
}

void EventHub::Add(uint32_t topics, std::string_view name, std::string_view json) {
  events_.push_back({topics, fmt::format("id: {}\nevent: {}\ndata: {}\n\n",
                                         IdOf(first_ + events_.size()), name, json)});
  if (events_.size() <= kept_) return;
  events_.pop_front();
  ++first_;
}

void EventHub::Tell() {
  std::lock_guard lock(callback_mutex_);
  if (callback_) callback_();
}

void EventHub::OnEvent(std::function<void()> callback) {
  std::lock_guard lock(callback_mutex_);
  callback_ = std::move(callback);
}

std::string EventHub::IdOf(uint64_t number) const { return fmt::format("{}-{}", run_, number); }

std::optional<uint64_t> EventHub::NumberOf(std::string_view id) const {
  if (!id.starts_with(run_ + "-")) return std::nullopt;
  id.remove_prefix(run_.size() + 1);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (error != std::errc() || end != id.data() + id.size()) return std::nullopt;
  return number;
}

std::optional<EventReader> EventHub::Read(std::string_view topics, std::string_view last_id) {
  std::lock_guard lock(mutex_);
  uint32_t wanted = topics.empty() ? kAllTopics : 0;
  while (!topics.empty()) {
    const std::string_view name = topics.substr(0, topics.find(','));
    topics.remove_prefix(std::min(topics.size(), name.size() + 1));
    const auto found = std::find(topics_.begin(), topics_.end(), name);
    if (found == topics_.end()) return std::nullopt;
    wanted |= BitOf(found - topics_.begin());
  }
  const uint64_t end = first_ + events_.size();
  if (last_id.empty()) return EventReader(*this, wanted, end, false);
  const std::optional<uint64_t> seen = NumberOf(last_id);
  if (!seen || *seen + 1 < first_ || *seen >= end) return EventReader(*this, wanted, end, true);
  return EventReader(*this, wanted, *seen + 1, false);
}

std::string EventHub::TopicNames() const {
  std::lock_guard lock(mutex_);
  return fmt::format("{}", fmt::join(topics_, ", "));
}

bool EventReader::Take(size_t max_bytes, std::string* out) {
  std::lock_guard lock(hub_->mutex_);
  if (!std::exchange(begun_, true)) {
    // An id without data makes no event, but is what the client names if it must come again.
    *out += fmt::format("retry: {}\nid: {}\n{}\n", kRetryMs, hub_->IdOf(next_ - 1),
                        reset_ ? "event: reset\ndata: {}\n" : "");
  }
  if (next_ < hub_->first_) return false;
  const uint64_t end = hub_->first_ + hub_->events_.size();
  for (; next_ < end && out->size() <= max_bytes; ++next_) {
    const EventHub::Event& event = hub_->events_[next_ - hub_->first_];
    if ((topics_ & event.topics) != 0) *out += event.text;
  }
  return true;
}

}  // namespace gleaner::cloud
