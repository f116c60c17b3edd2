#include "edge/clip/losses.h"

#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "common/text.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

// Longer than the longest interval of heartbeats, so that one of them tells of it.
constexpr int64_t kUnnumberedShownNs = 3700 * kNanosPerSecond;

}  // namespace

void Losses::ClipFailed(const ClipKey& key, const absl::Status& why) {
  std::string sentence = fmt::format("clip {} failed: {}", ToString(key), Message(why));
  LOG_ERROR("{}", sentence);
  std::lock_guard lock(mutex_);
  failed_ = std::move(sentence);
}

void Losses::ClipCommitted() {
  std::lock_guard lock(mutex_);
  failed_.clear();
}

void Losses::ClipsCut(uint64_t clips, const std::string& why) {
  std::string sentence = fmt::format("{}: {} cut short", why, Count(clips, "clip"));
  LOG_WARN("{}", sentence);
  std::lock_guard lock(mutex_);
  failed_ = std::move(sentence);
}

void Losses::NoNumber(const std::string& rule, const absl::Status& why) {
  LOG_ERROR("rule {} fired but the spool gives no number: {}", rule, Message(why));
  std::lock_guard lock(mutex_);
  unnumbered_ns_ = clock_.MonotonicNs();
  no_number_ = fmt::format("{} lost, the last of rule {}: the spool gives no number: {}",
                           Count(++unnumbered_, "firing"), rule, Message(why));
}

std::string Losses::Problem() const {
  std::lock_guard lock(mutex_);
  const bool shown = clock_.MonotonicNs() - unnumbered_ns_ <= kUnnumberedShownNs;
  return unnumbered_ > 0 && shown ? no_number_ : failed_;
}

}  // namespace gleaner::edge
