#include "edge/trigger/detector/off_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace gleaner::edge {
namespace {

// At a camera's end.
constexpr std::chrono::seconds kMaxFinish(5);

}  // namespace

OffThread::OffThread(std::string name, std::unique_ptr<Detector> slow, int64_t latency_ns)
    : slow_(std::move(slow)),
      need_(slow_->need()),
      latency_ns_(latency_ns),
      report_{.name = std::move(name), .declared_ns = latency_ns},
      worker_([this](std::stop_token stop) { Work(stop); }) {}

OffThread::~OffThread() {
  worker_.request_stop();
  worker_.join();
}

void OffThread::OnFormat(const VideoFormat& format, PacketWatch& /*sizes*/) {
  {
    std::lock_guard lock(mutex_);
    format_ = format;
    slot_.reset();  // of the old one
  }
  wake_.notify_one();
}

void OffThread::OnPicture(const Picture& picture) {
  {
    std::lock_guard lock(mutex_);
    Advance(picture.frame.monotonic_ns);
    report_.dropped += slot_.has_value() ? 1 : 0;
    slot_ = picture;
  }
  wake_.notify_one();
}

void OffThread::OnPacketDone(int64_t now_ns) {
  std::lock_guard lock(mutex_);
  Advance(now_ns);
}

void OffThread::Advance(int64_t now_ns) { newest_ns_ = std::max(newest_ns_, now_ns); }

void OffThread::Finish() {
  std::unique_lock lock(mutex_);
  idle_.wait_for(lock, kMaxFinish, [this] { return !busy_ && !slot_.has_value(); });
}

std::optional<DetectorReport> OffThread::report() const {
  std::lock_guard lock(mutex_);
  return report_;
}

void OffThread::Work(std::stop_token stop) {
  for (std::unique_lock lock(mutex_);;) {
    busy_ = false;
    idle_.notify_all();
    if (!wake_.wait(lock, stop, [this] { return format_.has_value() || slot_.has_value(); })) {
      return;
    }
    busy_ = true;
    const std::optional<VideoFormat> format = std::exchange(format_, std::nullopt);
    std::optional<Picture> picture = std::exchange(slot_, std::nullopt);
    lock.unlock();
    if (format.has_value()) slow_->OnFormat(*format, untaught_);
    if (picture.has_value()) slow_->OnPicture(*picture);
    lock.lock();
    if (!picture.has_value()) continue;
    // By the camera's own time: what rules wait by.
    report_.latency_ns = newest_ns_ - picture->frame.monotonic_ns;
    report_.worst_latency_ns = std::max(report_.worst_latency_ns, report_.latency_ns);
    report_.late += report_.latency_ns > latency_ns_ ? 1 : 0;
    ++report_.looked_at;
    // Not held while there is nothing to do: a decoder waits for its pictures' memory.
    lock.unlock();
    picture.reset();
    lock.lock();
  }
}

}  // namespace gleaner::edge
