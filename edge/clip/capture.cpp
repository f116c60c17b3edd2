#include "edge/clip/capture.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/log.h"
#include "common/status.h"
#include "common/text.h"
#include "common/version.h"
#include "edge/clip/preview.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxFirings = 256;
constexpr size_t kMaxTracePoints = 512;    // in the manifest
constexpr size_t kMaxSamplePoints = 4096;  // in the samples object
// The manifest's share for frame times and checksums; what is left is for evidence.
constexpr uint64_t kMaxTracksBytes = 160 << 10;
constexpr int64_t kSilentNs = 10 * kNanosPerSecond;

double Seconds(int64_t ns) { return static_cast<double>(ns) / kNanosPerSecond; }

// The camera of a qualified signal, "camera.<camera>.<detector>"; its place in `cameras`, or
// nullopt.
std::optional<size_t> CameraOf(const std::string& signal, const std::vector<std::string>& cameras) {
  for (size_t i = 0; i < cameras.size(); ++i) {
    if (signal.starts_with("camera." + cameras[i] + ".")) return i;
  }
  return std::nullopt;
}

void AddTo(std::string* sentence, const std::string& clause) {
  if (!sentence->empty()) *sentence += "; ";
  *sentence += clause;
}

}  // namespace

Capture::Capture(CaptureOptions options, ClipKey key, std::unique_ptr<ClipWriter> writer,
                 int64_t opened_ns)
    : options_(std::move(options)),
      key_(key),
      writer_(std::move(writer)),
      opened_ns_(opened_ns),
      start_ns_(std::max<int64_t>(0, options_.fired_at.monotonic_ns() - options_.rule.pre_ns)),
      end_ns_(std::min(options_.fired_at.monotonic_ns() + options_.rule.post_ns, limit_ns())),
      firings_{options_.fired_at.monotonic_ns()},
      ended_(options_.cameras.size(), false),
      newest_ns_(options_.cameras.size(), INT64_MIN) {
  for (const std::string& camera : options_.cameras) {
    tracks_.emplace_back(camera, start_ns_, end_ns_, firings_.front(), options_.after_max_bytes,
                         *writer_);
  }
  for (const std::string& signal : options_.signals) {
    if (const auto camera = CameraOf(signal, options_.cameras)) {
      preview_camera_ = *camera;
      break;
    }
  }
}

absl::StatusOr<bool> Capture::Extend(int64_t firing_ns) {
  const bool overlaps = firing_ns - options_.rule.pre_ns < end_ns_;
  if (!overlaps || firing_ns >= limit_ns()) return false;
  const int64_t newest_ns = std::max(firing_ns, firings_.back());
  if (firings_.size() == kMaxFirings) firings_.pop_back();  // the list is bounded, not the clip
  firings_.push_back(newest_ns);
  end_ns_ = std::max(end_ns_, std::min(firing_ns + options_.rule.post_ns, limit_ns()));
  for (Track& track : tracks_) RETURN_IF_ERROR(track.Extend(end_ns_));
  return true;
}

absl::Status Capture::Feed(size_t camera, const StreamPacket& packet) {
  newest_ns_[camera] = std::max(newest_ns_[camera], packet.packet.monotonic_ns);
  RETURN_IF_ERROR(tracks_[camera].Feed(packet));
  if (!preview_tried_) MakePreviewIfReady(/*last_chance=*/false);
  return absl::OkStatus();
}

void Capture::EndCamera(size_t camera) { ended_[camera] = true; }

bool Capture::full() const {
  uint64_t bytes = 0;
  for (const Track& track : tracks_) {
    if (track.full()) return true;
    bytes += track.manifest_bytes();
  }
  return bytes > kMaxTracksBytes;
}

bool Capture::Passed(size_t camera) const {
  if (!tracks_[camera].complete()) return false;
  // A clip that can't grow any more waits for nothing.
  return options_.latency_ns == 0 || end_ns_ == limit_ns() ||
         newest_ns_[camera] >= end_ns_ + options_.latency_ns;
}

bool Capture::Done() const {
  for (size_t i = 0; i < tracks_.size(); ++i) {
    if (!Passed(i) && !ended_[i]) return full();
  }
  return true;
}

bool Capture::DoneWithoutTheSilent(int64_t now_ns,
                                   const std::vector<int64_t>& last_arrival_ns) const {
  // When the end comes on the clock, which a file that is read fast is ahead of.
  const int64_t end_ns = opened_ns_ + end_ns_ - firings_.front();
  for (size_t i = 0; i < tracks_.size(); ++i) {
    const bool silent = now_ns - std::max(end_ns, last_arrival_ns[i]) > kSilentNs;
    if (!Passed(i) && !ended_[i] && !silent) return full();
  }
  return true;
}

void Capture::MakePreviewIfReady(bool last_chance) {
  Track* source = &tracks_[preview_camera_];
  if (last_chance && !source->has_preview()) {
    for (Track& track : tracks_) {
      if (track.has_preview()) source = &track;
    }
  }
  if (!source->has_preview() || (!last_chance && !source->preview_ready())) return;
  preview_tried_ = true;
  auto jpeg = MakePreview(source->preview(), firings_.front());
  if (jpeg.ok()) {
    preview_ = *std::move(jpeg);
  } else {
    LOG_WARN("clip {}: no preview: {}", ToString(key_), Message(jpeg.status()));
  }
  for (Track& track : tracks_) track.DropPreview();
}

std::string Capture::Shortfall() const {
  std::string sentence;
  const int64_t fired_ns = firings_.front();
  for (size_t i = 0; i < tracks_.size(); ++i) {
    const Track& track = tracks_[i];
    if (track.empty() && track.without_keyframe() > 0) {
      AddTo(&sentence, fmt::format("camera {}: no keyframe came with {}, and {}", track.camera(),
                                   Count(track.without_keyframe(), "frame"),
                                   options_.had_keyframe[i]
                                       ? "the last one is longer ago than the pre-roll ring holds"
                                       : "it has sent none yet"));
      continue;
    }
    if (track.empty()) {
      AddTo(&sentence, fmt::format("camera {} delivered no frame{}{}", track.camera(),
                                   track.cut().empty() ? "" : ": ", track.cut()));
      continue;
    }
    if (track.first_ns() > fired_ns) {
      AddTo(&sentence, fmt::format("camera {}: the first frame is {:.1f} s after the firing",
                                   track.camera(), Seconds(track.first_ns() - fired_ns)));
    } else if (track.first_ns() > start_ns_) {
      AddTo(&sentence,
            fmt::format("camera {}: pre-roll ring held {:.1f} s of {:.3g} s", track.camera(),
                        Seconds(fired_ns - track.first_ns()), Seconds(options_.rule.pre_ns)));
    }
    if (const std::string note = track.start_note(); !note.empty()) {
      AddTo(&sentence, fmt::format("camera {}: {}", track.camera(), note));
    }
    if (!track.cut().empty() && track.end_ns() < end_ns_) {
      AddTo(&sentence, fmt::format("camera {}: {}, {:.1f} s before the end", track.camera(),
                                   track.cut(), Seconds(end_ns_ - track.end_ns())));
    }
    if (track.same_time() > 0) {
      AddTo(&sentence, fmt::format("camera {}: {} left out, shown at the same time as others",
                                   track.camera(), Count(track.same_time(), "frame")));
    }
  }
  return sentence;
}

v1::ClipManifest Capture::Describe(const SampleHistory& history, Cut cut) const {
  v1::ClipManifest manifest;
  manifest.set_device(options_.device);
  manifest.set_site(options_.site);
  manifest.mutable_key()->set_boot_id(std::string(AsBytes(key_.boot_id)));
  manifest.mutable_key()->set_sequence(key_.sequence);
  *manifest.mutable_fired_at() = options_.fired_at;
  manifest.mutable_requested()->set_start_monotonic_ns(start_ns_);
  manifest.mutable_requested()->set_end_monotonic_ns(end_ns_);
  int64_t first_ns = INT64_MAX;
  int64_t last_ns = INT64_MIN;
  for (const Track& track : tracks_) {
    if (track.empty()) continue;
    first_ns = std::min(first_ns, track.first_ns());
    last_ns = std::max(last_ns, track.end_ns());
    *manifest.add_video() = track.Describe();
  }
  manifest.mutable_delivered()->set_start_monotonic_ns(first_ns);
  manifest.mutable_delivered()->set_end_monotonic_ns(last_ns);
  manifest.set_shortfall(Shortfall());
  manifest.set_policy_version(options_.policy_version);
  manifest.set_software_version(std::string(Version()));
  manifest.set_truncated(cut == Cut::kStopped);

  v1::TriggerEvidence& trigger = *manifest.mutable_trigger();
  trigger.set_rule(options_.rule.name);
  trigger.set_expression(options_.rule.when);
  trigger.set_priority(options_.rule.priority);
  for (int64_t firing_ns : firings_) trigger.add_firing_monotonic_ns(firing_ns);
  for (const std::string& signal : options_.signals) {
    if (static_cast<size_t>(trigger.signals_size()) == kMaxSignals) break;
    v1::SignalTrace trace = history.Trace(signal, first_ns, last_ns);
    Thin(kMaxTracePoints, &trace);
    *trigger.add_signals() = std::move(trace);
  }
  return manifest;
}

absl::Status Capture::AddObject(v1::ClipObject::Kind kind, const char* content_type,
                                const std::string& bytes) {
  auto writer = writer_->NewObject();
  RETURN_IF_ERROR(writer->Append({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
  RETURN_IF_ERROR(writer->Finish());
  objects_.push_back({kind, content_type, std::move(writer)});
  return absl::OkStatus();
}

absl::Status Capture::Commit(const SampleHistory& history, Cut cut) {
  const bool was_full = full();
  for (size_t i = 0; i < tracks_.size(); ++i) {
    const char* reason = cut == Cut::kStopped             ? "the daemon was stopped"
                         : cut == Cut::kStorageFellBehind ? "storage could not follow the cameras"
                         : was_full                       ? "a clip's greatest size was reached"
                         : ended_[i]                      ? "the camera ended"
                                                          : "the camera fell silent";
    RETURN_IF_ERROR(tracks_[i].Finish(reason));
  }
  if (std::all_of(tracks_.begin(), tracks_.end(), [](const Track& t) { return t.empty(); })) {
    return absl::UnavailableError(fmt::format("nothing to keep: {}", Shortfall()));
  }
  if (!preview_tried_) MakePreviewIfReady(/*last_chance=*/true);
  if (!preview_.empty()) {
    RETURN_IF_ERROR(AddObject(v1::ClipObject::KIND_PREVIEW, "image/jpeg", preview_));
  }

  v1::ClipManifest manifest = Describe(history, cut);
  v1::SampleSeries samples;
  for (const std::string& name : history.Names()) {
    if (static_cast<size_t>(samples.signals_size()) == kMaxSignals) break;
    v1::SignalTrace trace = history.Trace(name, manifest.delivered().start_monotonic_ns(),
                                          manifest.delivered().end_monotonic_ns());
    Thin(kMaxSamplePoints, &trace);
    if (trace.value_size() > 0) *samples.add_signals() = std::move(trace);
  }
  if (samples.signals_size() > 0) {
    RETURN_IF_ERROR(AddObject(v1::ClipObject::KIND_SAMPLES, "application/x-protobuf",
                              samples.SerializeAsString()));
  }
  for (Track& track : tracks_) {
    if (track.empty()) continue;
    objects_.push_back({v1::ClipObject::KIND_VIDEO, "video/mp4", track.TakeObject()});
  }

  std::vector<std::unique_ptr<ObjectWriter>> writers;
  for (Object& object : objects_) {
    v1::ClipObject& described = *manifest.add_objects();
    described.set_kind(object.kind);
    described.set_content_type(object.content_type);
    described.set_size_bytes(object.writer->size_bytes());
    described.set_sha256(std::string(AsBytes(object.writer->sha256())));
    for (uint64_t hash : object.writer->block_xxh3()) described.add_block_xxh3(hash);
    writers.push_back(std::move(object.writer));
  }
  // Evidence gives way where it and the frames don't fit together.
  for (size_t limit = kMaxTracePoints / 2;
       manifest.ByteSizeLong() > kMaxManifestBytes && limit >= 4; limit /= 2) {
    for (v1::SignalTrace& trace : *manifest.mutable_trigger()->mutable_signals()) {
      Thin(limit, &trace);
    }
  }
  return writer_->Commit(manifest.SerializeAsString(), std::move(writers));
}

}  // namespace gleaner::edge
