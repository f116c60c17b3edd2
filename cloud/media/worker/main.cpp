// gleaner-media: decodes one uploaded video and says whether it is what its manifest claims.
//
// Started by gleaner-cloud for each clip, never by hand. It reads its request, gives up every right
// it has (../../sandbox/inside/sandbox.h), and only then looks at the video.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/media/worker/packets.h"
#include "cloud/media/worker/picture.h"
#include "cloud/media/worker/video_check.h"
#include "cloud/media/worker_protocol.h"
#include "cloud/sandbox/inside/sandbox.h"
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
      kHeapBytesAPixel + (request.head.task == Task::kCheck ? 0 : kPictureBytesAPixel);
  const uint64_t kept = request.head.task == Task::kPictures
                            ? uint64_t{2} * kMaxPicturesAtOnce * kMaxSmallPictureBytes
                            : 0;
  return kept + std::max(kHeapBytesAtLeast,
                         std::min(pixels, kMaxPicturePixels) * a_pixel + (uint64_t{160} << 20));
}

absl::StatusOr<Request> ReadRequest() {
  Request request;
  RETURN_IF_ERROR(ReadAt(sandbox::kRequestFd, &request.head, sizeof(request.head), 0));
  if (request.head.magic != kRequestMagic || request.head.track_bytes > kMaxTrackBytes ||
      request.head.frames > kMaxChosenFrames || request.head.keyframes > kMaxChosenFrames) {
    return absl::InvalidArgumentError("not a request");
  }
  std::string track(request.head.track_bytes, '\0');
  RETURN_IF_ERROR(ReadAt(sandbox::kRequestFd, track.data(), track.size(), sizeof(request.head)));
  if (!request.track.ParseFromString(track)) {
    return absl::InvalidArgumentError("the request's track can't be parsed");
  }
  request.times.resize(request.head.frames);
  RETURN_IF_ERROR(ReadAt(sandbox::kRequestFd, request.times.data(),
                         request.times.size() * sizeof(int64_t),
                         sizeof(request.head) + track.size()));
  return request;
}

bool Write(FrameKind kind, std::string_view payload) {
  return sandbox::WritePiece(static_cast<uint32_t>(kind), payload);
}

template <typename T>
std::string AsBytes(const T& value, std::string_view rest) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value)).append(rest);
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
    written = written && Write(FrameKind::kChosen, AsBytes(frame.head, frame.thumbnail));
  }
  written = written && Write(FrameKind::kVerdict, findings.verdict.SerializeAsString());
  return written ? 0 : 1;
}

// Of a picture that can't be had, or of those that can't.
bool WriteFault(const std::optional<Fault>& fault) {
  v1::MediaCheck verdict;
  verdict.set_state(fault ? v1::MediaCheck::STATE_FAILED : v1::MediaCheck::STATE_OK);
  if (fault) {
    verdict.set_reason(fault->reason);
    verdict.set_problem(fault->problem);
  }
  return Write(FrameKind::kVerdict, verdict.SerializeAsString());
}

int Picture(const Request& request) {
  std::map<int64_t, std::string> jpegs;
  const auto fault = DecodePictures(
      request.track, {.times = request.times, .max_side = 0, .max_bytes = kMaxPictureBytes},
      &jpegs);
  if (jpegs.size() != 1) return WriteFault(fault) ? 0 : 1;
  return Write(FrameKind::kPicture, jpegs.begin()->second) ? 0 : 1;
}

int Pictures(const Request& request) {
  std::map<int64_t, std::string> jpegs;
  const auto fault = DecodePictures(request.track,
                                    {.times = request.times,
                                     .max_side = request.head.max_side,
                                     .max_bytes = kMaxSmallPictureBytes},
                                    &jpegs);
  for (const auto& [pts, jpeg] : jpegs) {
    if (!Write(FrameKind::kPictureAt, AsBytes(pts, jpeg))) return 1;
  }
  return WriteFault(fault) ? 0 : 1;
}

int Packets(const Request& request) {
  const auto fault = ReadPackets(request.track, [](const PacketHead& head, std::string_view bytes) {
    const std::string_view text(reinterpret_cast<const char*>(&head), sizeof(head));
    return Write(FrameKind::kPacket, std::string(text).append(bytes));
  });
  return WriteFault(fault) ? 0 : 1;
}

int Work() {
  // Taking clips in and serving them come first.
  (void)!::nice(kNiceness);
  auto request = ReadRequest();
  absl::Status begun = request.status();
  if (begun.ok()) {
    begun = sandbox::EnterSandbox(
        {.cpu_seconds = request->head.cpu_seconds, .heap_bytes = HeapFor(*request)});
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
    case Task::kPictures:
      return Pictures(*request);
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
  if (self_test) return gleaner::cloud::sandbox::TestSandbox() ? 0 : 1;
  // No destructors, no atexit handlers: they may want what the sandbox forbids, and there is
  // nothing left to do.
  _exit(gleaner::cloud::media::Work());
}
