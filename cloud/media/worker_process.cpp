#include "cloud/media/worker_process.h"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cloud/media/worker_protocol.h"
#include "cloud/sandbox/process.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

using End = sandbox::Outcome::End;
using Listener = std::function<absl::Status(std::string_view piece)>;

template <typename T>
std::string_view AsText(const T& values, size_t bytes) {
  return {reinterpret_cast<const char*>(values), bytes};
}

absl::StatusOr<sandbox::Outcome> Run(const std::string& program, int video_fd, Task task,
                                     const Question& question, size_t max_answer_bytes,
                                     int64_t cpu_ns, const std::stop_token& stop,
                                     uint32_t max_side = 0, const Listener& listen = {}) {
  const std::string track = question.track.SerializeAsString();
  std::vector<int64_t> times;
  for (const PlannedFrame& frame : question.frames.frames) times.push_back(frame.pts);
  const RequestHead head{.magic = kRequestMagic,
                         .task = task,
                         .thumbnails = static_cast<uint32_t>(question.thumbnails),
                         .cpu_seconds = sandbox::CpuSeconds(cpu_ns),
                         .track_bytes = static_cast<uint32_t>(track.size()),
                         .frames = static_cast<uint32_t>(times.size()),
                         .keyframes = question.frames.keyframes,
                         .max_side = max_side,
                         .gap_ticks = question.frames.gap_ticks};
  ASSIGN_OR_RETURN(const Fd request,
                   sandbox::MakeRequest({AsText(&head, sizeof(head)), track,
                                         AsText(times.data(), times.size() * sizeof(int64_t))}));
  return sandbox::Run({.program = program,
                       .input_fd = video_fd,
                       .request = request,
                       .max_answer_bytes = max_answer_bytes,
                       .listen = listen,
                       .cpu_ns = cpu_ns,
                       .called = "the media worker",
                       .worker = "the decoder",
                       .doing = "decoding",
                       .payer = "a clip"},
                      stop);
}

WorkerAnswer Died(std::string problem) {
  return Failed(v1::MediaCheck::REASON_WORKER_DIED, std::move(problem));
}

absl::Status NoPicture(std::string_view why) {
  return absl::FailedPreconditionError(fmt::format("the picture can't be had: {}", why));
}

}  // namespace

absl::StatusOr<WorkerAnswer> RunWorker(const std::string& program, int video_fd,
                                       const Question& question, int64_t cpu_ns,
                                       const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const sandbox::Outcome outcome, Run(program, video_fd, Task::kCheck, question,
                                                       MaxAnswerBytes(question), cpu_ns, stop));
  if (outcome.end == End::kStopped) {
    return outcome.used_up ? Failed(v1::MediaCheck::REASON_TOO_LARGE, outcome.how)
                           : Died(outcome.how);
  }
  auto parsed = ParseAnswer(outcome.said, question);
  if (parsed.ok() && outcome.end == End::kWell) return parsed;
  if (absl::IsUnavailable(parsed.status())) return parsed.status();
  return Died(outcome.end == End::kWell ? std::string(Message(parsed.status())) : outcome.how);
}

absl::StatusOr<std::string> RunForPicture(const std::string& program, int video_fd,
                                          const v1::VideoTrack& track, int64_t pts, int64_t cpu_ns,
                                          const std::stop_token& stop) {
  const Question question{.track = track, .frames = {.frames = {{.pts = pts}}}};
  ASSIGN_OR_RETURN(const sandbox::Outcome outcome,
                   Run(program, video_fd, Task::kPicture, question,
                       sizeof(FrameHead) + kMaxPictureBytes, cpu_ns, stop));
  if (outcome.end == End::kStopped) return NoPicture(outcome.how);
  auto picture = ParsePicture(outcome.said, track);
  if (picture.ok() && outcome.end == End::kWell) return picture;
  if (absl::IsUnavailable(picture.status())) return picture.status();
  return NoPicture(outcome.end == End::kWell ? Message(picture.status()) : outcome.how);
}

absl::StatusOr<std::vector<FoundPicture>> RunForPictures(const std::string& program, int video_fd,
                                                         const v1::VideoTrack& track,
                                                         const std::vector<int64_t>& times,
                                                         uint32_t max_side, int64_t cpu_ns,
                                                         const std::stop_token& stop) {
  Question question{.track = track};
  for (const int64_t pts : times) question.frames.frames.push_back({.pts = pts});
  const size_t most = times.size() * (sizeof(FrameHead) + sizeof(int64_t) + kMaxSmallPictureBytes) +
                      sizeof(FrameHead) + kMaxVerdictBytes;
  ASSIGN_OR_RETURN(const sandbox::Outcome outcome,
                   Run(program, video_fd, Task::kPictures, question, most, cpu_ns, stop, max_side));
  if (outcome.end == End::kStopped) return NoPicture(outcome.how);
  auto pictures = ParsePictures(outcome.said, track, times, max_side);
  if (pictures.ok() && outcome.end == End::kWell) return pictures;
  if (absl::IsUnavailable(pictures.status())) return pictures.status();
  return NoPicture(outcome.end == End::kWell ? Message(pictures.status()) : outcome.how);
}

absl::Status RunForPackets(const std::string& program, int video_fd, const v1::VideoTrack& track,
                           uint64_t video_bytes, int64_t cpu_ns, const std::stop_token& stop,
                           const std::function<absl::Status(const Packet&)>& each) {
  const Question question{.track = track};
  absl::Status refused;  // by `each`
  PacketReader packets(track, video_bytes, [&](const Packet& packet) {
    refused = each(packet);
    return refused;
  });
  ASSIGN_OR_RETURN(const sandbox::Outcome outcome,
                   Run(program, video_fd, Task::kPackets, question, 0, cpu_ns, stop, 0,
                       [&](std::string_view piece) { return packets.Take(piece); }));
  if (!refused.ok()) return refused;
  if (outcome.too_late) return absl::DeadlineExceededError(outcome.how);
  const auto no_packets = [](std::string_view why) {
    return absl::FailedPreconditionError(fmt::format("the video's packets can't be had: {}", why));
  };
  if (outcome.end == End::kStopped) return no_packets(outcome.how);
  const absl::Status ended = packets.End();
  if (absl::IsUnavailable(ended)) return ended;
  if (outcome.end != End::kWell) return no_packets(outcome.how);
  return ended.ok() ? ended : no_packets(Message(ended));
}

}  // namespace gleaner::cloud::media
