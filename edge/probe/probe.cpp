#include "edge/probe/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "common/status.h"
#include "common/text.h"
#include "edge/camera/camera_opener.h"
#include "edge/camera/login_guard.h"
#include "edge/camera/source.h"
#include "edge/health/process_usage.h"
#include "edge/probe/camera_table.h"
#include "edge/probe/stream_study.h"
#include "edge/probe/watch_cost.h"

extern "C" {
#include <libavutil/display.h>
}

namespace gleaner::edge {
namespace {

// TCP, then UDP: a camera that sends nothing over the one may send over the other.
constexpr int kOpenings = 2;
// For the first keyframe: some cameras send one a minute.
constexpr int64_t kMaxOpeningNs = 120 * kNanosPerSecond;

// One look at one camera.
class Look {
 public:
  Look(const CameraOptions& options, Clock& clock, std::stop_token stop)
      : options_(options),
        clock_(clock),
        stop_(std::move(stop)),
        live_(options.Kind() != SourceKind::kFile),
        guard_(clock),
        opener_(options, guard_, clock) {}

  absl::Status Open() {
    const int64_t began_ns = clock_.MonotonicNs();
    const SourceHooks hooks = {
        .interrupted =
            [this] {
              return stop_.stop_requested() ||
                     (live_ && clock_.MonotonicNs() - sign_ns_ > options_.stall_timeout_ns);
            },
        .before_keyframe =
            [this, began_ns] {
              const int64_t now_ns = clock_.MonotonicNs();
              if (now_ns - began_ns < kMaxOpeningNs) sign_ns_ = now_ns;
            }};
    for (int opening = 1;; ++opening) {
      sign_ns_ = clock_.MonotonicNs();
      auto source = opener_.Open(hooks);
      if (source.ok()) {
        source_ = *std::move(source);
        return absl::OkStatus();
      }
      if (stop_.stop_requested() || !hooks.interrupted()) return source.status();
      if (opening == kOpenings || options_.Kind() != SourceKind::kRtsp) {
        return absl::UnavailableError(
            fmt::format("{} gave no picture for {} s: is it switched on, and the port right?",
                        options_.address.shown(), options_.stall_timeout_ns / kNanosPerSecond));
      }
    }
  }

  // Reads until it has seen enough; why not, if it hasn't.
  std::string Read(int64_t duration_ns, const std::function<void()>& read, StreamStudy& study) {
    const int64_t began_ns = clock_.MonotonicNs();
    int64_t first_ns = AV_NOPTS_VALUE;  // PTS of a file
    for (int64_t passed_ns = 0;
         passed_ns < duration_ns && !study.full() && !stop_.stop_requested();) {
      sign_ns_ = clock_.MonotonicNs();
      auto packet = source_->Read();
      if (stop_.stop_requested()) break;
      if (absl::IsCancelled(packet.status())) {
        return fmt::format("no packet for {} s", options_.stall_timeout_ns / kNanosPerSecond);
      }
      if (!packet.ok()) return std::string(Message(packet.status()));
      if (*packet == nullptr) break;
      read();
      const int64_t now_ns = clock_.MonotonicNs();
      passed_ns = now_ns - began_ns;
      if (!live_ && (*packet)->pts != AV_NOPTS_VALUE) {
        const int64_t pts_ns = TicksToNs((*packet)->pts, source_->format().time_base);
        if (first_ns == AV_NOPTS_VALUE) first_ns = pts_ns;
        passed_ns = std::max(passed_ns, pts_ns - first_ns);
      }
      study.Add(*std::move(packet), now_ns);
    }
    return "";
  }

  const Source& source() const { return *source_; }
  bool live() const { return live_; }

 private:
  const CameraOptions& options_;
  Clock& clock_;
  const std::stop_token stop_;
  const bool live_;
  LoginGuard guard_;
  CameraOpener opener_;
  int64_t sign_ns_ = 0;  // when it last gave a sign of life
  std::unique_ptr<Source> source_;
};

// Clockwise, 0 to 359.
int TurnOf(const VideoFormat& format) {
  if (format.display_matrix == nullptr) return 0;
  const double counterclockwise = av_display_rotation_get(format.display_matrix->data());
  if (std::isnan(counterclockwise)) return 0;
  return (360 - static_cast<int>(std::lround(counterclockwise)) % 360) % 360;
}

void SayWhatItIs(const Source& source, v1::CameraProbe* probe) {
  probe->set_has_audio(source.has_audio());
  probe->set_turn_degrees(TurnOf(source.format()));
  probe->set_damaged(source.damaged());
  const RtspSession* session = source.session();
  if (session == nullptr) return;
  probe->set_server(ValidUtf8(session->server()));
  if (session->login()) probe->set_login(std::string(ToString(*session->login())));
  probe->set_transport(std::string(ToString(session->transport())));
  probe->set_other_videos(static_cast<uint32_t>(session->description().other_videos));
  probe->set_sets_announced(session->description().video.find("sprop-") != std::string::npos);
}

void SayWhatItSends(const StreamFindings& found, v1::CameraProbe* probe) {
  v1::CameraDescription* description = probe->mutable_description();
  description->set_codec(found.codec);
  description->set_width(static_cast<uint32_t>(found.width));
  description->set_height(static_cast<uint32_t>(found.height));
  description->set_frames_per_s(found.declared_frames_per_s);
  probe->set_profile(found.profile);
  probe->set_pixel_format(found.pixel_format);
  probe->set_colours(found.colours);
  probe->set_frames(found.frames);
  probe->set_frames_per_s(found.frames_per_s);
  probe->set_bits_per_s(found.bits_per_s);
  probe->set_keyframes(found.keyframes);
  probe->set_clean_keyframes(found.clean_keyframes);
  probe->set_gradual_keyframes(found.gradual_keyframes);
  probe->set_shortest_gop(found.shortest_gop);
  probe->set_longest_gop(found.longest_gop);
  probe->set_reorder_depth(static_cast<uint32_t>(found.reorder_depth));
  probe->set_sets_in_stream(found.sets_in_stream);
  probe->set_sets_at_all_keyframes(found.sets_at_all_keyframes);
  probe->set_missing_stamps(found.missing_stamps);
  probe->set_usual_step_ms(found.usual_step_ms);
  probe->set_step_spread_ms(found.step_spread_ms);
  probe->set_lateness_ms(found.lateness_ms);
  probe->set_clock_rate(found.clock_rate);
  probe->set_glitches(found.stamps.glitches);
  probe->set_jumps(found.stamps.jumps);
  probe->set_stamps_useless(found.stamps.by_arrival);
}

void SayWhatItCosts(const VideoFormat& format, const std::vector<Packet>& packets,
                    const std::vector<std::string>& encoders, v1::CameraProbe* probe) {
  v1::WatchCost* watching = probe->mutable_watching();
  const auto cost = MeasureWatchCost(format, packets, encoders, ProcessCpuNs);
  if (!cost.ok()) {
    watching->set_problem(ValidUtf8(Message(cost.status())));
    return;
  }
  watching->set_cheap(format.Remuxable() && !cost->SizesFail());
  watching->set_frames(cost->frames);
  watching->set_decoded_frames(cost->decoded_frames);
  watching->set_moved(cost->moved);
  watching->set_cpu_ms_per_frame(cost->cpu_ms_a_frame);
  watching->set_core_percent(cost->cpu_ms_a_frame * probe->frames_per_s() / 10);
  watching->set_encoder(cost->encoder);
}

}  // namespace

absl::StatusOr<v1::CameraProbe> ProbeCamera(const ProbeTarget& target, int64_t duration_ns,
                                            Clock& clock, std::stop_token stop,
                                            const std::function<void()>& read) {
  const CameraOptions& camera = target.camera;
  Look look(camera, clock, std::move(stop));
  RETURN_IF_ERROR(look.Open());
  v1::CameraProbe probe;
  probe.set_address(ValidUtf8(camera.address.shown()));
  probe.mutable_description()->set_name(camera.name);
  probe.mutable_description()->set_source(std::string(ToString(camera.Kind())));
  // After the source, for packets may lie in its driver's memory.
  StreamStudy study(look.source().format(), look.live());
  probe.set_problem(ValidUtf8(look.Read(duration_ns, read, study)));
  SayWhatItIs(look.source(), &probe);
  SayWhatItSends(study.Finish(), &probe);
  SayWhatItCosts(look.source().format(), study.packets(), target.encoders, &probe);
  probe.set_table(ValidUtf8(CameraTable(target, probe)));
  return probe;
}

}  // namespace gleaner::edge
