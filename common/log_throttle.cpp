#include "common/log_throttle.h"

#include <fmt/format.h>

#include <utility>

#include "common/log.h"

namespace gleaner {
namespace {

// What shares one kind for want of room.
constexpr std::string_view kShared = "lines of many kinds";

// "4,999", whatever the locale.
std::string Grouped(uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace

LogThrottle::~LogThrottle() {
  for (const auto& [name, kind] : kinds_) Tell(name, kind.left_out);
}

void LogThrottle::Tell(const std::string& kind, uint64_t left_out) {
  if (left_out > 0) LOG_WARN("{}: {} more were not written one by one", kind, Grouped(left_out));
}

std::vector<LogThrottle::Kinds::node_type> LogThrottle::TakeOver(std::string_view kind,
                                                                 int64_t now) {
  std::vector<Kinds::node_type> over;
  if (now < look_ns_) return over;
  look_ns_ = now + options_.span_ns;
  for (auto it = kinds_.begin(); it != kinds_.end();) {
    const auto next = std::next(it);
    if (it->first != kind && now - it->second.since_ns >= options_.span_ns) {
      over.push_back(kinds_.extract(it));
    }
    it = next;
  }
  return over;
}

std::optional<std::string> LogThrottle::Admit(std::string_view kind) {
  std::vector<Kinds::node_type> over;
  std::optional<std::string> end;
  {
    std::lock_guard lock(mutex_);
    const int64_t now = clock_.MonotonicNs();
    over = TakeOver(kind, now);
    auto found = kinds_.find(kind);
    if (found == kinds_.end()) {
      found = kinds_.try_emplace(std::string(kinds_.size() < kMaxKinds ? kind : kShared)).first;
    }
    Kind& known = found->second;
    if (known.lines == 0 || now - known.since_ns >= options_.span_ns) {
      known.since_ns = now;
      known.lines = 0;
    }
    if (known.lines < options_.lines) {
      ++known.lines;
      const uint64_t left_out = std::exchange(known.left_out, 0);
      end = left_out == 0 ? "" : fmt::format(" (and {} more like it)", Grouped(left_out));
    } else {
      ++known.left_out;
    }
  }
  for (const auto& gone : over) Tell(gone.key(), gone.mapped().left_out);
  return end;
}

}  // namespace gleaner
