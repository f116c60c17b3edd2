#include "edge/clip/evidence.h"

#include <algorithm>
#include <utility>

namespace gleaner::edge {

void SampleHistory::Add(const SignalSample& sample) {
  const SampleType type = sample.value.type();
  if (type != SampleType::kNumber && type != SampleType::kTruth) return;
  auto found = signals_.find(sample.name);
  if (found == signals_.end()) {
    if (signals_.size() == kMaxHistories) return;
    found = signals_.try_emplace(sample.name).first;
  }
  auto& points = found->second;
  if (!points.empty() && sample.monotonic_ns < points.back().monotonic_ns) return;
  points.push_back({sample.monotonic_ns, sample.value.number()});
  if (points.size() > kMaxSamples) points.pop_front();
}

void SampleHistory::Trim(int64_t monotonic_ns) {
  for (auto& [name, points] : signals_) {
    while (points.size() > 1 && points[1].monotonic_ns <= monotonic_ns) points.pop_front();
  }
}

SampleHistory SampleHistory::Since(int64_t monotonic_ns) const {
  SampleHistory copy(units_);
  for (const auto& [name, points] : signals_) {
    auto first =
        std::upper_bound(points.begin(), points.end(), monotonic_ns,
                         [](int64_t ns, const Point& point) { return ns < point.monotonic_ns; });
    if (first != points.begin()) --first;
    copy.signals_[name].assign(first, points.end());
  }
  return copy;
}

std::vector<std::string> SampleHistory::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, points] : signals_) names.push_back(name);
  return names;
}

v1::SignalTrace SampleHistory::Trace(const std::string& name, int64_t start_ns,
                                     int64_t end_ns) const {
  v1::SignalTrace trace;
  trace.set_name(name);
  trace.set_unit("1");
  if (units_ != nullptr) {
    if (const auto unit = units_->find(name); unit != units_->end()) trace.set_unit(unit->second);
  }
  const auto found = signals_.find(name);
  if (found == signals_.end()) return trace;
  const auto& points = found->second;
  auto by_time = [](const Point& point, int64_t ns) { return point.monotonic_ns < ns; };
  auto first = std::lower_bound(points.begin(), points.end(), start_ns, by_time);
  const auto last = std::lower_bound(first, points.end(), end_ns, by_time);
  if (first != points.begin() && (first == last || first->monotonic_ns > start_ns)) --first;
  for (; first != last; ++first) {
    trace.add_offset_us((first->monotonic_ns - start_ns) / 1000);
    trace.add_value(first->value);
  }
  return trace;
}

void Thin(size_t limit, v1::SignalTrace* trace) {
  const size_t count = static_cast<size_t>(trace->value_size());
  if (count <= limit) return;
  std::vector<size_t> kept = {0};
  const size_t parts = (limit - 2) / 2;
  const size_t inner = count - 2;
  for (size_t part = 0; part < parts; ++part) {
    const size_t begin = 1 + part * inner / parts;
    const size_t end = 1 + (part + 1) * inner / parts;
    size_t least = begin;
    size_t greatest = begin;
    for (size_t i = begin; i < end; ++i) {
      if (trace->value(static_cast<int>(i)) < trace->value(static_cast<int>(least))) least = i;
      if (trace->value(static_cast<int>(i)) > trace->value(static_cast<int>(greatest))) {
        greatest = i;
      }
    }
    kept.push_back(std::min(least, greatest));
    if (least != greatest) kept.push_back(std::max(least, greatest));
  }
  kept.push_back(count - 1);
  v1::SignalTrace thinned;
  thinned.set_name(trace->name());
  thinned.set_unit(trace->unit());
  for (size_t i : kept) {
    thinned.add_offset_us(trace->offset_us(static_cast<int>(i)));
    thinned.add_value(trace->value(static_cast<int>(i)));
  }
  *trace = std::move(thinned);
}

}  // namespace gleaner::edge
