// A camera watched on a thread of its own, for tests that look at it from outside.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "edge/camera/camera.h"

namespace gleaner::edge {

// Polls in real time, since the network does; gives up after 30 s.
template <typename Condition>
bool Eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

inline CameraOptions LiveOptions(const std::string& url) {
  CameraOptions options;
  options.name = "door";
  options.address = *CameraAddress::Parse(url);
  options.login = {.user = options.address.user(), .password = options.address.password()};
  return options;
}

class CameraWatch : private PacketSink {
 public:
  CameraWatch(CameraOptions options, Clock& clock, LoginGuard* guard = nullptr)
      : clock_(clock),
        camera_(std::move(options), clock, *this, guard),
        thread_([this](std::stop_token stop) { static_cast<void>(camera_.Run(stop)); }) {}

  uint64_t packets() const { return packets_; }
  bool Streams(uint64_t packets = 20) {
    return Eventually([&] { return packets_ >= packets; });
  }
  bool Waits() {
    return Eventually([&] { return camera_.status().state == CameraState::kReconnecting; });
  }
  CameraStatus status() const { return camera_.status(); }
  // When it last gave a sign of life while it wasn't streaming.
  int64_t sign_ns() const { return sign_ns_; }
  // Between two such signs.
  int64_t longest_silence_ns() const { return longest_silence_ns_; }

 private:
  void OnFormat(const VideoFormat&) override {}
  void OnPacket(const Packet&) override { ++packets_; }
  void OnReconnecting() override {
    const int64_t now_ns = clock_.MonotonicNs();
    const int64_t last_ns = sign_ns_.exchange(now_ns);
    if (last_ns > 0) longest_silence_ns_ = std::max(longest_silence_ns_.load(), now_ns - last_ns);
  }

  Clock& clock_;
  std::atomic<uint64_t> packets_{0};
  std::atomic<int64_t> sign_ns_{0};
  std::atomic<int64_t> longest_silence_ns_{0};
  Camera camera_;
  std::jthread thread_;
};

}  // namespace gleaner::edge
