#include "edge/trigger/sample_order.h"

#include <algorithm>
#include <utility>

namespace gleaner::edge {

SampleOrder::SampleOrder(const std::vector<size_t>& signals, int64_t latency_ns)
    : latency_ns_(latency_ns) {
  for (const size_t signal : signals) heard_.push_back({signal, kLongAgo});
}

void SampleOrder::Add(Sample sample) {
  for (Heard& heard : heard_) {
    if (heard.signal == sample.signal) {
      heard.newest_ns = std::max(heard.newest_ns, sample.monotonic_ns);
    }
  }
  Advance(sample.monotonic_ns);
  const auto place =
      std::upper_bound(waiting_.begin(), waiting_.end(), sample.monotonic_ns,
                       [](int64_t ns, const Sample& other) { return ns < other.monotonic_ns; });
  waiting_.insert(place, std::move(sample));
  if (waiting_.size() > kMaxWaiting) {
    forced_ns_ = std::max(forced_ns_, waiting_.front().monotonic_ns);
  }
}

void SampleOrder::Advance(int64_t now_ns) { now_ns_ = std::max(now_ns_, now_ns); }

int64_t SampleOrder::FinalNs() const {
  int64_t all_spoke_ns = std::numeric_limits<int64_t>::max();
  for (const Heard& heard : heard_) all_spoke_ns = std::min(all_spoke_ns, heard.newest_ns);
  // At just that age it may still come.
  const int64_t overdue_ns =
      now_ns_ < kLongAgo + latency_ns_ + 1 ? kLongAgo : now_ns_ - latency_ns_ - 1;
  return std::max({all_spoke_ns, overdue_ns, forced_ns_});
}

std::optional<SampleOrder::Sample> SampleOrder::Next() {
  if (waiting_.empty() || waiting_.front().monotonic_ns > FinalNs()) return std::nullopt;
  Sample next = std::move(waiting_.front());
  waiting_.pop_front();
  return next;
}

}  // namespace gleaner::edge
