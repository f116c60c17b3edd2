#include "edge/health/heartbeat.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <random>
#include <utility>

#include "common/backoff.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/log_throttle.h"
#include "common/name.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/text.h"
#include "common/version.h"
#include "edge/health/process_usage.h"
#include "edge/upload/trouble.h"
#include "edge/upload/unary.h"
#include "edge/upload/waker.h"
#include "gleaner/v1/fleet.grpc.pb.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxVersionBytes = 64;
constexpr int kMaxProblems = 16;
constexpr size_t kMaxPartBytes = 96;
constexpr size_t kMaxProblemBytes = 512;
constexpr size_t kMaxNoticeBytes = 256;
constexpr uint32_t kMaxIntervalS = 3600;
// 2020 and 2200: a server's clock is between them.
constexpr int64_t kEarliestNs = 1'577'836'800 * kNanosPerSecond;
constexpr int64_t kLatestNs = 7'258'118'400 * kNanosPerSecond;
constexpr int64_t kClockOffWorthALineNs = 5 * kNanosPerSecond;

void FillNow(Clock& clock, v1::Instant* now) {
  now->set_monotonic_ns(clock.MonotonicNs());
  now->set_wall_unix_ns(clock.WallNs());
  now->set_wall_uncertainty_ns(clock.WallUncertaintyNs());
}

void Fill(const SpoolStats& stats, v1::SpoolHealth* health) {
  health->set_quota_bytes(stats.quota_bytes);
  health->set_used_bytes(stats.used_bytes);
  health->set_pending_clips(stats.pending_clips);
  health->set_pending_bytes(stats.pending_bytes);
  health->set_oldest_pending_s(stats.oldest_pending_s);
  health->set_committed_total(stats.committed_total);
  health->set_evicted_total(stats.evicted_total);
  health->set_expired_total(stats.expired_total);
  health->set_suppressed_total(stats.suppressed_total);
  health->set_failed_total(stats.failed_total);
  health->set_quarantined(stats.quarantined);
}

void Fill(const std::vector<v1::Problem>& problems, v1::HeartbeatRequest* request) {
  for (const v1::Problem& problem : problems) {
    if (request->problems_size() == kMaxProblems) break;
    v1::Problem* told = request->add_problems();
    told->set_part(Shorten(problem.part(), kMaxPartBytes));
    told->set_text(Shorten(problem.text(), kMaxProblemBytes));
  }
  // For a server that doesn't know the list.
  if (!request->problems().empty()) request->set_problem(request->problems(0).text());
}

// The server's words for people, as it may say them; what is too much is left out.
std::vector<v1::CameraNotice> Notices(const v1::HeartbeatResponse& response) {
  std::vector<v1::CameraNotice> notices;
  for (const v1::CameraNotice& said : response.notices()) {
    if (notices.size() == kMaxCameras) break;
    if (!IsName(said.camera())) continue;
    v1::CameraNotice& notice = notices.emplace_back(said);
    notice.set_text(Shorten(said.text(), kMaxNoticeBytes));
    for (char& c : *notice.mutable_text()) {
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
    }
  }
  return notices;
}

}  // namespace

v1::UploadHealth ToHealth(const UploadStats& stats, uint64_t rate_bytes_per_s) {
  v1::UploadHealth health;
  health.set_state(stats.state);
  health.set_sent_bytes_total(stats.sent_bytes);
  health.set_resent_bytes_total(stats.resent_bytes);
  health.set_cuts_total(stats.cuts);
  health.set_rate_bytes_per_s(rate_bytes_per_s);
  health.set_cap_bytes_per_s(stats.cap_bytes_per_s);
  return health;
}

HeartbeatOptions HeartbeatOptions::Read(ConfigReader& reader) {
  HeartbeatOptions options;
  options.interval_ns = reader.DurationNs("interval", options.interval_ns,
                                          {kNanosPerSecond, kMaxIntervalS * kNanosPerSecond});
  return options;
}

class Heartbeat::Impl {
 public:
  Impl(HeartbeatOptions options, HeartbeatSources sources, Link& link, Clock& clock,
       std::function<void(const v1::Policy&)> apply)
      : options_(options),
        sources_(std::move(sources)),
        link_(link),
        clock_(clock),
        apply_(std::move(apply)),
        meter_(clock),
        interval_ns_(options.interval_ns) {}

  void Run(std::stop_token stop);
  void Poke() { waker_.Poke(); }
  HeartbeatStats stats() const {
    std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  absl::Status Hello(const std::stop_token& stop);
  absl::Status Beat(const std::stop_token& stop);
  v1::HeartbeatRequest Collect();
  // Whether a connection may have come and gone since the last hello, or it says what is no longer
  // so.
  bool HelloDue();
  void Follow(const v1::Policy& policy);
  void NoteServerTime(int64_t server_unix_ns, int64_t sent_ns);
  void NoteResult(const absl::Status& status);
  template <typename F>
  void Change(F change) {
    std::lock_guard lock(mutex_);
    change(stats_);
  }

  const HeartbeatOptions options_;
  const HeartbeatSources sources_;
  Link& link_;
  Clock& clock_;
  const std::function<void(const v1::Policy&)> apply_;
  Waker waker_;

  // Of the loop's thread alone.
  ProcessMeter meter_;
  std::shared_ptr<grpc::Channel> channel_;  // that the last hello went over
  uint64_t losses_ = 0;                     // of the link, at the last hello
  std::string told_;                        // that hello, serialized
  int64_t interval_ns_;
  std::string policy_;  // the last one seen, serialized
  uint64_t last_sent_bytes_ = 0;
  int64_t last_collect_ns_ = 0;
  bool clock_warned_ = false;
  LogThrottle log_throttle_{clock_};

  mutable std::mutex mutex_;
  HeartbeatStats stats_;
};

void Heartbeat::Impl::Run(std::stop_token stop) {
  Backoff backoff(options_.backoff_base_ns, options_.backoff_cap_ns,
                  options_.seed != 0 ? options_.seed : std::random_device()());
  while (!stop.stop_requested()) {
    absl::Status status = HelloDue() ? Hello(stop) : absl::OkStatus();
    if (status.ok()) status = Beat(stop);
    if (stop.stop_requested()) return;
    NoteResult(status);
    if (status.ok()) {
      backoff.Reset();
      waker_.Wait(clock_, stop, interval_ns_);
    } else {
      if (absl::IsDeadlineExceeded(status)) link_.Forget();
      channel_ = nullptr;
      clock_.Sleep(stop, backoff.NextNs());
    }
  }
}

bool Heartbeat::Impl::HelloDue() {
  const std::shared_ptr<grpc::Channel> channel = link_.Channel();
  return channel_ != channel || losses_ != link_.losses() ||
         channel->GetState(false) != GRPC_CHANNEL_READY ||
         sources_.hello().SerializeAsString() != told_;
}

absl::Status Heartbeat::Impl::Hello(const std::stop_token& stop) {
  const uint64_t losses = link_.losses();
  const std::shared_ptr<grpc::Channel> channel = link_.Channel();
  v1::HelloRequest request = sources_.hello();
  std::string told = request.SerializeAsString();
  request.set_software_version(std::string(Version()));
  FillNow(clock_, request.mutable_now());
  v1::HelloResponse response;
  const int64_t sent_ns = request.now().monotonic_ns();
  const auto stub = v1::FleetService::NewStub(channel);
  RETURN_IF_ERROR(CallUnary(link_, stop, options_.deadline_ns, [&](grpc::ClientContext* context) {
    return stub->Hello(context, request, &response);
  }));
  channel_ = channel;
  losses_ = losses;
  told_ = std::move(told);
  Change([](HeartbeatStats& stats) { ++stats.hellos; });
  NoteServerTime(response.server_unix_ns(), sent_ns);
  if (response.has_policy()) Follow(response.policy());
  return absl::OkStatus();
}

absl::Status Heartbeat::Impl::Beat(const std::stop_token& stop) {
  const v1::HeartbeatRequest request = Collect();
  v1::HeartbeatResponse response;
  const int64_t sent_ns = request.now().monotonic_ns();
  const auto stub = v1::FleetService::NewStub(channel_);
  RETURN_IF_ERROR(CallUnary(link_, stop, options_.deadline_ns, [&](grpc::ClientContext* context) {
    return stub->Heartbeat(context, request, &response);
  }));
  Change([](HeartbeatStats& stats) { ++stats.heartbeats; });
  NoteServerTime(response.server_unix_ns(), sent_ns);
  if (response.has_policy()) Follow(response.policy());
  if (sources_.notices) sources_.notices(Notices(response));
  return absl::OkStatus();
}

v1::HeartbeatRequest Heartbeat::Impl::Collect() {
  const int64_t now = clock_.MonotonicNs();
  v1::HeartbeatRequest request;
  request.set_boot_id(sources_.hello().boot_id());
  FillNow(clock_, request.mutable_now());
  request.set_policy_version(stats().policy_version);
  if (sources_.spool) Fill(sources_.spool(), request.mutable_spool());
  if (sources_.upload) {
    const UploadStats upload = sources_.upload();
    uint64_t rate = 0;
    if (last_collect_ns_ > 0 && now > last_collect_ns_) {
      rate = static_cast<uint64_t>(static_cast<double>(upload.sent_bytes - last_sent_bytes_) * 1e9 /
                                   static_cast<double>(now - last_collect_ns_));
    }
    last_sent_bytes_ = upload.sent_bytes;
    *request.mutable_upload() = ToHealth(upload, rate);
    Change([rate](HeartbeatStats& stats) { stats.upload_rate_bytes_per_s = rate; });
  }
  last_collect_ns_ = now;
  const ProcessUsage usage = meter_.Read();
  request.mutable_process()->set_uptime_s(usage.uptime_s);
  request.mutable_process()->set_cpu_percent(usage.cpu_percent);
  request.mutable_process()->set_rss_bytes(usage.rss_bytes);
  if (sources_.cameras) {
    for (v1::CameraHealth& camera : sources_.cameras()) *request.add_cameras() = std::move(camera);
  }
  if (sources_.problems) Fill(sources_.problems(), &request);
  return request;
}

void Heartbeat::Impl::Follow(const v1::Policy& policy) {
  std::string bytes = policy.SerializeAsString();
  if (bytes == policy_) return;
  policy_ = std::move(bytes);
  if (policy.version().size() > kMaxVersionBytes ||
      Printable(policy.version()) != policy.version() ||
      policy.heartbeat_interval_s() > kMaxIntervalS) {
    if (const auto more = log_throttle_.Admit("policies out of bounds")) {
      LOG_WARN("policy \"{}\" is out of bounds and not followed: heartbeat_interval_s = {}{}",
               Shorten(policy.version(), kMaxVersionBytes), policy.heartbeat_interval_s(), *more);
    }
    return;
  }
  interval_ns_ = policy.heartbeat_interval_s() > 0 ? policy.heartbeat_interval_s() * kNanosPerSecond
                                                   : options_.interval_ns;
  // A server that can't make up its mind fills no log.
  if (const auto more = log_throttle_.Admit("policies in force")) {
    const uint64_t cap = policy.upload_cap_bytes_per_s();
    LOG_INFO("policy {} is in force: {}, capture {}{}", policy.version(),
             cap == 0 ? "no upload cap" : fmt::format("upload cap {}/s", HumanBytes(cap)),
             policy.capture_paused() ? "paused" : "on", *more);
  }
  if (apply_) apply_(policy);
  Change([&](HeartbeatStats& stats) { stats.policy_version = policy.version(); });
}

void Heartbeat::Impl::NoteServerTime(int64_t server_unix_ns, int64_t sent_ns) {
  if (server_unix_ns == 0) return;
  if (server_unix_ns < kEarliestNs || server_unix_ns > kLatestNs) {
    if (const auto more = log_throttle_.Admit("times of the server that can't be")) {
      LOG_WARN("the server's clock says {} s since 1970: not believed{}",
               server_unix_ns / kNanosPerSecond, *more);
    }
    return;
  }
  if (sources_.server_time) sources_.server_time(server_unix_ns, sent_ns, clock_.MonotonicNs());
  const int64_t ahead_ns = server_unix_ns - clock_.WallNs();
  Change([&](HeartbeatStats& stats) { stats.server_ahead_ns = ahead_ns; });
  const bool off = ahead_ns > kClockOffWorthALineNs || ahead_ns < -kClockOffWorthALineNs;
  if (off && !clock_warned_) {
    LOG_WARN("this device's clock is {:.1f} s {} the server's", std::abs(ahead_ns / 1e9),
             ahead_ns > 0 ? "behind" : "ahead of");
  }
  clock_warned_ = off;
}

void Heartbeat::Impl::NoteResult(const absl::Status& status) {
  const std::string problem(status.ok() ? "" : Message(status));
  bool was_connected = false;
  bool news = false;
  Change([&](HeartbeatStats& stats) {
    was_connected = std::exchange(stats.connected, status.ok());
    if (!status.ok()) stats.upload_rate_bytes_per_s = 0;
    news = std::exchange(stats.problem, problem) != problem;
  });
  if (news && !status.ok() && !IsUnreachable(status)) LOG_WARN("heartbeat: {}", problem);
  if (status.ok() && !was_connected) LOG_INFO("connected to the server");
}

Heartbeat::Heartbeat(HeartbeatOptions options, HeartbeatSources sources, Link& link, Clock& clock,
                     std::function<void(const v1::Policy&)> apply)
    : impl_(std::make_unique<Impl>(options, std::move(sources), link, clock, std::move(apply))) {}
Heartbeat::~Heartbeat() = default;

void Heartbeat::Run(std::stop_token stop) { impl_->Run(std::move(stop)); }
void Heartbeat::Poke() { impl_->Poke(); }
HeartbeatStats Heartbeat::stats() const { return impl_->stats(); }

}  // namespace gleaner::edge
