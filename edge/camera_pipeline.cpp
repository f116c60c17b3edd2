#include "edge/camera_pipeline.h"

#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "common/text.h"
#include "edge/camera/camera_notes.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kRetryNs = 30 * kNanosPerSecond;

}  // namespace

CameraPipeline::CameraPipeline(size_t index, std::string name,
                               std::vector<std::unique_ptr<Detector>> detectors,
                               SampleSink& samples, std::vector<std::string> encoders,
                               Recorder& recorder, Clock& clock)
    : index_(index),
      name_(std::move(name)),
      watcher_(name_, std::move(detectors), samples),
      encoders_(std::move(encoders)),
      recorder_(recorder),
      clock_(clock) {}

void CameraPipeline::OnFormat(const VideoFormat& format) {
  Flush();
  transcoder_.reset();
  format_ = format;
  SetProblem("");
  remux_ = format.Remuxable();
  watcher_.OnFormat(format);
  if (remux_) {
    SetEncoder("remux");
    recorder_.OnFormat(index_, format, "remux");
    return;
  }
  OpenTranscoder();
}

void CameraPipeline::OpenTranscoder() {
  damaged_ = 0;
  damaged_at_ns_ = 0;
  auto transcoder = Transcoder::Open(
      format_, encoders_,
      {.on_frame =
           [this](const Frame& frame) {
             ++transcoded_frames_;
             watcher_.OnFrame(frame);
           },
       .on_format =
           [this](const VideoFormat& encoded, const std::string& encoder) {
             SetEncoder(encoder);
             SetProblem("");  // that none worked
             recorder_.OnFormat(index_, encoded, encoder);
           },
       .on_packet = [this](const Packet& packet) { recorder_.OnPacket(index_, packet); }});
  if (!transcoder.ok()) return NoteFailure(transcoder.status());
  transcoder_ = *std::move(transcoder);
}

void CameraPipeline::NoteFailure(const absl::Status& status) {
  LOG_ERROR("camera {}: {}; trying again in {} s", name_, Message(status),
            kRetryNs / kNanosPerSecond);
  SetProblem(std::string(Message(status)));
  transcoder_.reset();
  retry_ns_ = clock_.MonotonicNs() + kRetryNs;
}

void CameraPipeline::OnReconnecting() {
  awaits_keyframe_ = true;
  progress_->Made();
}

void CameraPipeline::OnPacket(const Packet& packet) {
  if (packet.keyframe) awaits_keyframe_ = false;
  if (awaits_keyframe_) {
    progress_->Made();
    return;
  }
  if (remux_) {
    // The ring first: a firing that this packet causes finds it there.
    recorder_.OnPacket(index_, packet);
    watcher_.OnPacket(packet);
  } else {
    Transcode(packet);
  }
  decoded_frames_.store(transcoded_frames_ + watcher_.stats().decoded_frames,
                        std::memory_order_relaxed);
  progress_->Made();
}

void CameraPipeline::Transcode(const Packet& packet) {
  if (transcoder_ == nullptr) {
    if (!packet.keyframe || clock_.MonotonicNs() < retry_ns_) return;
    OpenTranscoder();
    if (transcoder_ == nullptr) return;
  }
  if (absl::Status status = transcoder_->OnPacket(packet); !status.ok()) {
    NoteFailure(status);
  } else {
    NoteDamage(packet.monotonic_ns);
  }
}

void CameraPipeline::End() {
  Flush();
  watcher_.Finish();
  progress_->Retire();
}

void CameraPipeline::NoteDamage(int64_t now_ns) {
  if (transcoder_->damaged() > damaged_) {
    damaged_ = transcoder_->damaged();
    damaged_at_ns_ = now_ns;
    SetProblem(Count(damaged_, "damaged frame") + " left out");
  } else if (damaged_at_ns_ > 0 && now_ns - damaged_at_ns_ > kProblemShownNs) {
    damaged_at_ns_ = 0;
    SetProblem("");
  }
}

void CameraPipeline::Flush() {
  if (transcoder_ == nullptr) return;
  if (absl::Status status = transcoder_->Flush(); !status.ok()) {
    LOG_WARN("camera {}: the encoder's last frames are lost: {}", name_, Message(status));
  }
}

std::string CameraPipeline::encoder() const {
  std::lock_guard lock(mutex_);
  return encoder_;
}
std::string CameraPipeline::problem() const {
  std::lock_guard lock(mutex_);
  return problem_;
}
void CameraPipeline::SetNotice(std::string notice) {
  std::lock_guard lock(mutex_);
  // One line for the state, not one for each number in it: what comes while it lasts is shown.
  if (notice.empty() != notice_.empty()) {
    LOG_WARN("camera {}: the server finds that it {}", name_,
             notice.empty() ? "sends whole pictures again" : notice);
  }
  notice_ = std::move(notice);
}
std::string CameraPipeline::notice() const {
  std::lock_guard lock(mutex_);
  return notice_.empty() ? "" : "the server finds that it " + notice_;
}
void CameraPipeline::SetEncoder(const std::string& encoder) {
  std::lock_guard lock(mutex_);
  encoder_ = encoder;
}
void CameraPipeline::SetProblem(std::string problem) {
  std::lock_guard lock(mutex_);
  problem_ = std::move(problem);
}

}  // namespace gleaner::edge
