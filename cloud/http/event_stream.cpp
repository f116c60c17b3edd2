#include "cloud/http/event_stream.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kHeartbeatNs = 15 * kNanosPerSecond;

}  // namespace

bool EventStream::Poll(size_t max_bytes, std::string* out) {
  if (!may_stay_() || !reader_.Take(max_bytes, out)) return false;
  const int64_t now = clock_.MonotonicNs();
  if (out->empty() && now - said_ns_ >= kHeartbeatNs) *out = ":\n\n";
  if (!out->empty()) said_ns_ = now;
  return true;
}

}  // namespace gleaner::cloud
