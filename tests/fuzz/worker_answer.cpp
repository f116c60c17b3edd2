// What the media worker answers, as if whoever sent the video had taken it over.
#include "cloud/media/worker_answer.h"

#include "cloud/media/worker_protocol.h"
#include "common/status.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/quiet_protobuf.h"

namespace gleaner::fuzz {
namespace {

using cloud::media::FrameKind;

constexpr uint32_t kFrames = 50;

std::string Frame(FrameKind kind, const std::string& payload) {
  const cloud::media::FrameHead head{kind, static_cast<uint32_t>(payload.size())};
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + payload;
}

std::string Verdict(v1::MediaCheck::State state, uint32_t frames, uint32_t thumbnails,
                    const std::string& problem) {
  v1::MediaCheck verdict;
  verdict.set_state(state);
  verdict.set_decoded_frames(frames);
  verdict.set_thumbnails(thumbnails);
  verdict.set_problem(problem);
  if (!problem.empty()) verdict.set_reason(v1::MediaCheck::REASON_DAMAGED_FRAMES);
  if (!problem.empty()) verdict.set_damaged_frames(2);
  return Frame(FrameKind::kVerdict, verdict.SerializeAsString());
}

// 160x120, as far as its header says; the bytes of a scan mean nothing.
const std::string kThumbnail(
    "\xff\xd8\xff\xc0\x00\x0b\x08\x00\x78\x00\xa0\x01\x01\x11\x00"
    "\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00scan\xff\xd9",
    31);

// Of the frame at `pts`.
std::string Chosen(int64_t pts) {
  cloud::media::ChosenHead head{};
  head.pts = pts;
  head.sharpness = 0.5F;
  return Frame(FrameKind::kChosen,
               std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + kThumbnail);
}

// 50 frames, at 0, 10, … 490; two of them are wanted, and keyframes besides.
v1::VideoTrack Track() {
  v1::VideoTrack track;
  track.set_frame_count(kFrames);
  track.set_width(160);
  track.set_height(120);
  for (uint32_t i = 1; i < kFrames; ++i) track.add_pts_delta(10);
  return track;
}
constexpr uint32_t kKeyframes = 3;
const cloud::media::FramePlan kPlan{
    .frames = {{.pts = 100, .reasons = 2}, {.pts = 200, .reasons = 16}}, .keyframes = kKeyframes};

// What the page is given as a picture: the header's size is the only one there is before the scan.
void RequireThumbnail(std::string_view jpeg) {
  REQUIRE(jpeg.size() <= cloud::media::kMaxThumbnailBytes);
  REQUIRE(jpeg.starts_with("\xff\xd8\xff") && jpeg.ends_with("\xff\xd9"));
  REQUIRE(jpeg.find("\xff\xda") != std::string_view::npos);
}

}  // namespace

// The first byte is how many thumbnails were asked for.
std::vector<std::string> Seeds() {
  const std::string one = Frame(FrameKind::kThumbnail, kThumbnail);
  return {
      "\x01" + one + Verdict(v1::MediaCheck::STATE_OK, kFrames, 1, ""),
      "\x02" + one + one + Verdict(v1::MediaCheck::STATE_OK, kFrames, 2, ""),
      "\x01" + one + Verdict(v1::MediaCheck::STATE_OK, kFrames, 1, "2 frames are damaged"),
      "\x01" + one + Verdict(v1::MediaCheck::STATE_FAILED, 20, 1, "2 frames are damaged"),
      "\x02" + Verdict(v1::MediaCheck::STATE_FAILED, 20, 0, "2 frames are damaged"),
      std::string(1, '\0') + Chosen(0) + Chosen(100) + Chosen(200) +
          Verdict(v1::MediaCheck::STATE_OK, kFrames, 0, ""),
      "\x01" + one + Chosen(200) + Chosen(210) + Verdict(v1::MediaCheck::STATE_OK, kFrames, 1, ""),
      "\x01" + Frame(FrameKind::kPicture, kThumbnail),
      "\x01" + Frame(FrameKind::kTrouble, "setrlimit AS: not permitted")};
}

}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  if (size == 0) return 0;
  const size_t wanted = data[0] % (cloud::media::kMaxThumbnails + 1);
  const v1::VideoTrack track = fuzz::Track();
  const cloud::media::Question question{
      .track = track, .thumbnails = wanted, .frames = fuzz::kPlan};
  const auto bytes = fuzz::AsText(data + 1, size - 1);
  const auto picture = cloud::media::ParsePicture(bytes, track);
  REQUIRE(!picture.ok() || picture->starts_with("\xff\xd8\xff"));
  REQUIRE(picture.ok() || fuzz::IsPlain(Message(picture.status())));
  const auto answer = cloud::media::ParseAnswer(bytes, question);
  if (!answer.ok()) {
    REQUIRE(absl::IsInvalidArgument(answer.status()) || absl::IsUnavailable(answer.status()));
    REQUIRE(fuzz::IsPlain(Message(answer.status())));
    return 0;
  }
  ++fuzz::accepted;
  const v1::MediaCheck& verdict = answer->verdict;
  const bool good = verdict.state() == v1::MediaCheck::STATE_OK;
  REQUIRE(good || verdict.state() == v1::MediaCheck::STATE_FAILED);
  const bool damaged = verdict.reason() == v1::MediaCheck::REASON_DAMAGED_FRAMES;
  REQUIRE(v1::MediaCheck::Reason_IsValid(verdict.reason()));
  REQUIRE(!good || damaged || verdict.reason() == v1::MediaCheck::REASON_UNSPECIFIED);
  REQUIRE(good || verdict.reason() != v1::MediaCheck::REASON_UNSPECIFIED);
  REQUIRE(verdict.reason() != v1::MediaCheck::REASON_WORKER_DIED);
  REQUIRE(verdict.problem().empty() == (good && !damaged));
  REQUIRE(verdict.damaged_frames() <= fuzz::kFrames);
  REQUIRE(verdict.problem().size() <= 300 && fuzz::IsPlain(verdict.problem()));
  REQUIRE(verdict.decoded_frames() <= fuzz::kFrames && (!good || verdict.decoded_frames() > 0));
  REQUIRE(answer->thumbnails.size() <= wanted && verdict.thumbnails() == answer->thumbnails.size());
  REQUIRE(good || answer->frames.empty());
  REQUIRE(answer->frames.size() <= fuzz::kPlan.frames.size() + fuzz::kKeyframes);
  int64_t before = -1;
  for (const cloud::media::ChosenFrame& frame : answer->frames) {
    REQUIRE(frame.pts > before && frame.pts % 10 == 0 && frame.pts < 10 * fuzz::kFrames);
    before = frame.pts;
    REQUIRE(frame.reasons != 0);
    for (const double share :
         {frame.sharpness, frame.exposure, frame.clipped, frame.blocked, frame.motion}) {
      REQUIRE(share >= 0 && share <= 1);
    }
    fuzz::RequireThumbnail(frame.thumbnail);
  }
  for (const std::string& thumbnail : answer->thumbnails) fuzz::RequireThumbnail(thumbnail);
  return 0;
}
