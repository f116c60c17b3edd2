// gleaner-media: decodes one uploaded video and says whether it is what its manifest claims.
//
// Started by gleaner-cloud for each clip, never by hand. It reads its request, gives up every right
// it has (sandbox.h), and only then looks at the video.
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/media/worker/packets.h"
#include "cloud/media/worker/picture.h"
#include "cloud/media/worker/sandbox.h"
#include "cloud/media/worker/video_check.h"
#include "cloud/media/worker_protocol.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/status.h"
#include "common/version.h"

namespace gleaner::cloud::media {
namespace {

constexpr int kNiceness = 10;

// A decoder holds up to 20 pictures with about as much beside each as it has samples (motion, block
// types): so many bytes a pixel. What else it needs doesn't depend on the picture.
constexpr uint64_t kHeapBytesAPixel = 44;
constexpr uint64_t kHeapBytesAtLeast = uint64_t{320} << 20;

// What making a picture of a frame takes beside it.
constexpr uint64_t kPictureBytesAPixel = 12;

struct Request {
  RequestHead head;
  v1::VideoTrack track;
  std::vector<int64_t> times;
};

uint64_t HeapFor(const Request& request) {
  const uint64_t pixels = uint64_t{request.track.width()} * request.track.height();
  const uint64_t a_pixel =
      kHeapBytesAPixel + (request.head.task == Task::kPicture ? kPictureBytesAPixel : 0);
  return std::max(kHeapBytesAtLeast,
                  std::min(pixels, kMaxPicturePixels) * a_pixel + (uint64_t{160} << 20));
}

absl::StatusOr<Request> ReadRequest() {
  Request request;
  RETURN_IF_ERROR(ReadAt(kRequestFd, &request.head, sizeof(request.head), 0));
  if (request.head.magic != kRequestMagic || request.head.track_bytes > kMaxTrackBytes ||
      request.head.frames > kMaxChosenFrames || request.head.keyframes > kMaxChosenFrames) {
    return absl::InvalidArgumentError("not a request");
  }
  std::string track(request.head.track_bytes, '\0');
  RETURN_IF_ERROR(ReadAt(kRequestFd, track.data(), track.size(), sizeof(request.head)));
  if (!request.track.ParseFromString(track)) {
    return absl::InvalidArgumentError("the request's track can't be parsed");
  }
  request.times.resize(request.head.frames);
  RETURN_IF_ERROR(ReadAt(kRequestFd, request.times.data(), request.times.size() * sizeof(int64_t),
                         sizeof(request.head) + track.size()));
  return request;
}

bool Write(FrameKind kind, std::string_view payload) {
  const FrameHead head{kind, static_cast<uint32_t>(payload.size())};
  std::string frame(reinterpret_cast<const char*>(&head), sizeof(head));
  frame.append(payload);
  size_t done = 0;
  while (done < frame.size()) {
    const ssize_t wrote = ::write(kAnswerFd, frame.data() + done, frame.size() - done);
    if (wrote < 0 && errno != EINTR) return false;
    if (wrote > 0) done += static_cast<size_t>(wrote);
  }
  return true;
}

int Check(Request request) {
  FrameWish wish{.times = std::move(request.times),
                 .keyframes = request.head.keyframes,
                 .gap_ticks = request.head.gap_ticks};
  const VideoFindings findings = CheckVideo(request.track, request.head.thumbnails, std::move(wish),
                                            request.head.cpu_seconds * kNanosPerSecond);
  bool written = true;
  for (const std::string& jpeg : findings.thumbnails) {
    written = written && Write(FrameKind::kThumbnail, jpeg);
  }
  for (const PickedFrame& frame : findings.frames) {
    const std::string_view head(reinterpret_cast<const char*>(&frame.head), sizeof(frame.head));
    written = written && Write(FrameKind::kChosen, std::string(head) + frame.thumbnail);
  }
  written = written && Write(FrameKind::kVerdict, findings.verdict.SerializeAsString());
  return written ? 0 : 1;
}

bool WriteFault(const Fault& fault) {
  v1::MediaCheck verdict;
  verdict.set_state(v1::MediaCheck::STATE_FAILED);
  verdict.set_reason(fault.reason);
  verdict.set_problem(fault.problem);
  return Write(FrameKind::kVerdict, verdict.SerializeAsString());
}

int Picture(const Request& request) {
  std::string jpeg;
  const auto fault = request.times.empty()
                         ? Fault{v1::MediaCheck::REASON_MISMATCH, "no frame was asked for"}
                         : DecodePicture(request.track, request.times[0], &jpeg);
  return (fault ? WriteFault(*fault) : Write(FrameKind::kPicture, jpeg)) ? 0 : 1;
}

int Packets(const Request& request) {
  const auto fault = ReadPackets(request.track, [](const PacketHead& head, std::string_view bytes) {
    const std::string_view text(reinterpret_cast<const char*>(&head), sizeof(head));
    return Write(FrameKind::kPacket, std::string(text).append(bytes));
  });
  if (fault) return WriteFault(*fault) ? 0 : 1;
  v1::MediaCheck verdict;
  verdict.set_state(v1::MediaCheck::STATE_OK);
  return Write(FrameKind::kVerdict, verdict.SerializeAsString()) ? 0 : 1;
}

int Work() {
  // Taking clips in and serving them come first.
  (void)!::nice(kNiceness);
  auto request = ReadRequest();
  absl::Status begun = request.status();
  if (begun.ok()) {
    begun =
        EnterSandbox({.cpu_seconds = request->head.cpu_seconds, .heap_bytes = HeapFor(*request)});
  }
  if (!begun.ok()) {
    Write(FrameKind::kTrouble, Message(begun));
    return 1;
  }
  switch (request->head.task) {
    case Task::kPicture:
      return Picture(*request);
    case Task::kPackets:
      return Packets(*request);
    default:
      return Check(*std::move(request));
  }
}

}  // namespace
}  // namespace gleaner::cloud::media

int main(int argc, char** argv) {
  CLI::App app{"gleaner-media: decodes one uploaded video in a sandbox. gleaner-cloud starts it."};
  app.set_version_flag("--version", std::string(gleaner::Version()));
  bool self_test = false;
  app.add_flag("--self-test-sandbox", self_test,
               "Try what the sandbox must stop, print the result, exit 0 if it holds");
  CLI11_PARSE(app, argc, argv);
  if (self_test) return gleaner::cloud::media::TestSandbox() ? 0 : 1;
  // No destructors, no atexit handlers: they may want what the sandbox forbids, and there is
  // nothing left to do.
  _exit(gleaner::cloud::media::Work());
}
