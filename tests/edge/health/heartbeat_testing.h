// A device that says how it is to a cloud that a test holds in its hands.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "edge/health/heartbeat.h"
#include "tests/edge/upload/fake_cloud.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {

class HeartbeatRig : public testing::Test {
 protected:
  HeartbeatRig() {
    sources_.hello = [this] {
      v1::HelloRequest hello;
      hello.set_boot_id(std::string(16, '\x07'));
      hello.set_site("store-1");
      hello.add_cameras()->set_name("front");
      if (open_) hello.mutable_cameras(0)->set_codec("h264");
      return hello;
    };
    sources_.spool = [] { return SpoolStats{.quota_bytes = 100, .used_bytes = 40}; };
    sources_.upload = [this] { return UploadStats{.state = "sending", .sent_bytes = sent_bytes_}; };
    sources_.cameras = [] {
      v1::CameraHealth camera;
      camera.set_name("front");
      return std::vector<v1::CameraHealth>{camera};
    };
    sources_.problems = [] {
      v1::Problem problem;
      problem.set_part("spool");
      problem.set_text(std::string(600, '!'));
      return std::vector<v1::Problem>(20, problem);
    };
  }
  ~HeartbeatRig() override { Stop(); }

  void Start() {
    link_ = PlainLink(cloud_.address(), clock_);
    heartbeat_ =
        std::make_unique<Heartbeat>(options_, sources_, *link_, clock_, [this](const auto& policy) {
          std::lock_guard lock(mutex_);
          policies_.push_back(policy);
        });
    thread_ = std::jthread([this](std::stop_token stop) { heartbeat_->Run(stop); });
  }
  void Stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
  }
  // Heartbeats that were answered, and the answer dealt with.
  bool Heartbeats(uint64_t n) {
    return Eventually([&] {
      const HeartbeatStats stats = heartbeat_->stats();
      return stats.heartbeats >= n && stats.connected;
    });
  }
  // Moves the clock on in steps of a quarter second until the cloud has got `n` heartbeats; how
  // long that took by the clock.
  int64_t NsUntilHeartbeats(size_t n) {
    const int64_t start = clock_.MonotonicNs();
    EXPECT_TRUE(Eventually([&] {
      if (cloud_.Locked([&] { return cloud_.heartbeats.size(); }) >= n) return true;
      clock_.Advance(kNanosPerSecond / 4);
      return false;
    }));
    EXPECT_TRUE(Heartbeats(n));
    return clock_.MonotonicNs() - start;
  }
  std::vector<v1::Policy> policies() {
    std::lock_guard lock(mutex_);
    return policies_;
  }

  FakeClock clock_;
  FakeCloud cloud_;
  HeartbeatOptions options_{.seed = 1};
  HeartbeatSources sources_;
  std::atomic<uint64_t> sent_bytes_{0};
  std::atomic<bool> open_{false};  // the camera
  std::mutex mutex_;
  std::vector<v1::Policy> policies_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::jthread thread_;
};

}  // namespace gleaner::edge
