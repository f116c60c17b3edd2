#include "edge/camera_pipeline.h"

#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {

CameraPipeline::CameraPipeline(size_t index, std::string name,
                               std::vector<std::unique_ptr<Detector>> detectors,
                               std::vector<std::string> encoders, Recorder& recorder)
    : index_(index),
      name_(std::move(name)),
      detectors_(std::move(detectors)),
      encoders_(std::move(encoders)),
      recorder_(recorder) {}

void CameraPipeline::OnFormat(const VideoFormat& format) {
  Flush();
  transcoder_.reset();
  damaged_ = 0;
  damaged_at_ns_ = 0;
  SetProblem("");
  remux_ = format.Remuxable();
  for (const auto& detector : detectors_) detector->OnFormat(format);
  if (remux_) {
    SetEncoder("remux");
    recorder_.OnFormat(index_, format, "remux");
    return;
  }
  auto transcoder = Transcoder::Open(
      format, encoders_,
      {.on_frame =
           [this](const Frame& frame) {
             ++transcoded_frames_;
             for (const auto& detector : detectors_) detector->OnFrame(frame);
           },
       .on_format =
           [this](const VideoFormat& encoded, const std::string& encoder) {
             SetEncoder(encoder);
             recorder_.OnFormat(index_, encoded, encoder);
           },
       .on_packet = [this](const Packet& packet) { recorder_.OnPacket(index_, packet); }});
  if (!transcoder.ok()) {
    LOG_ERROR("camera {}: {}", name_, Message(transcoder.status()));
    SetProblem(std::string(Message(transcoder.status())));
    return;
  }
  transcoder_ = *std::move(transcoder);
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
    for (const auto& detector : detectors_) detector->OnPacket(packet);
  } else if (transcoder_ != nullptr) {
    if (absl::Status status = transcoder_->OnPacket(packet); !status.ok()) {
      LOG_ERROR("camera {}: {}", name_, Message(status));
      SetProblem(std::string(Message(status)));
      transcoder_.reset();
    } else {
      NoteDamage(packet.monotonic_ns);
    }
  }
  uint64_t decoded = transcoded_frames_;
  for (const auto& detector : detectors_) decoded += detector->stats().decoded_frames;
  decoded_frames_.store(decoded, std::memory_order_relaxed);
  progress_->Made();
}

void CameraPipeline::End() {
  Flush();
  progress_->Retire();
}

void CameraPipeline::NoteDamage(int64_t now_ns) {
  if (transcoder_->damaged() > damaged_) {
    damaged_ = transcoder_->damaged();
    damaged_at_ns_ = now_ns;
    SetProblem(fmt::format("{} damaged frames were left out", damaged_));
  } else if (damaged_at_ns_ > 0 && now_ns - damaged_at_ns_ > kDropShownNs) {
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
void CameraPipeline::SetEncoder(const std::string& encoder) {
  std::lock_guard lock(mutex_);
  encoder_ = encoder;
}
void CameraPipeline::SetProblem(std::string problem) {
  std::lock_guard lock(mutex_);
  problem_ = std::move(problem);
}

}  // namespace gleaner::edge
