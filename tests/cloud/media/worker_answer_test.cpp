#include "cloud/media/worker_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "cloud/media/worker_protocol.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

using testing::HasSubstr;

std::string Frame(FrameKind kind, const std::string& payload) {
  const FrameHead head{kind, static_cast<uint32_t>(payload.size())};
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + payload;
}

std::string Jpeg(int width, int height) {
  std::string jpeg("\xff\xd8\xff\xc0\x00\x0b\x08", 7);
  for (const int value : {height, width}) {
    jpeg += static_cast<char>(value >> 8);
    jpeg += static_cast<char>(value & 0xff);
  }
  jpeg += std::string("\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00", 14);
  return jpeg + "entropy\xff\xd9";
}

v1::MediaCheck Verdict(v1::MediaCheck::State state, uint32_t frames, uint32_t thumbnails,
                       const std::string& problem = "") {
  v1::MediaCheck verdict;
  verdict.set_state(state);
  verdict.set_decoded_frames(frames);
  verdict.set_thumbnails(thumbnails);
  verdict.set_problem(problem);
  if (state == v1::MediaCheck::STATE_FAILED) {
    verdict.set_reason(v1::MediaCheck::REASON_UNDECODABLE);
  }
  return verdict;
}

// A verdict with a reason and damaged frames.
v1::MediaCheck Verdict(v1::MediaCheck::State state, v1::MediaCheck::Reason reason, uint32_t damaged,
                       uint32_t thumbnails = 0) {
  v1::MediaCheck verdict = Verdict(state, 50, thumbnails, "for people");
  verdict.set_reason(reason);
  verdict.set_damaged_frames(damaged);
  return verdict;
}

std::string Frame(const v1::MediaCheck& verdict) {
  return Frame(FrameKind::kVerdict, verdict.SerializeAsString());
}

// 50 frames, at 1000, 1010, … 1490.
v1::VideoTrack Track() {
  v1::VideoTrack track;
  track.set_frame_count(50);
  track.set_first_pts(1000);
  for (int i = 1; i < 50; ++i) track.add_pts_delta(10);
  return track;
}

absl::StatusOr<WorkerAnswer> Parse(const std::string& bytes, size_t wanted = 1) {
  const v1::VideoTrack track = Track();
  return ParseAnswer(bytes, {.track = track, .thumbnails = wanted});
}

// With two frames wanted, at 1100 and 1200, and two keyframes besides.
absl::StatusOr<WorkerAnswer> ParseFrames(const std::string& frames, const v1::MediaCheck& verdict) {
  const v1::VideoTrack track = Track();
  return ParseAnswer(
      frames + Frame(verdict),
      {.track = track,
       .frames = {.frames = {{.pts = 1100, .reasons = 2}, {.pts = 1200, .reasons = 4}},
                  .keyframes = 2}});
}

ChosenHead Head(int64_t pts) {
  ChosenHead head{};
  head.pts = pts;
  head.phash = 0xfedcba9876543210;
  head.sharpness = 0.5F;
  head.exposure = 1;
  head.motion = 0.25F;
  head.grid[1] = 7;
  return head;
}

std::string Chosen(const ChosenHead& head, const std::string& jpeg = Jpeg(160, 120)) {
  return Frame(FrameKind::kChosen,
               std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + jpeg);
}

constexpr auto kOk = v1::MediaCheck::STATE_OK;
constexpr auto kFailed = v1::MediaCheck::STATE_FAILED;

TEST(WorkerAnswer, TakesAProperOne) {
  const auto answer =
      Parse(Frame(FrameKind::kThumbnail, Jpeg(160, 120)) + Frame(Verdict(kOk, 50, 1)));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->thumbnails.size(), 1u);
  EXPECT_TRUE(Parse(Frame(Verdict(kFailed, 20, 0, "no frame decodes"))).ok());
  const std::string thumbnail = Frame(FrameKind::kThumbnail, Jpeg(160, 120));
  EXPECT_TRUE(Parse(thumbnail + Frame(Verdict(kOk, 9, 1))).ok()) << "too costly to decode whole";
  const auto damaged =
      Parse(thumbnail + Frame(Verdict(kOk, v1::MediaCheck::REASON_DAMAGED_FRAMES, 3, 1)));
  ASSERT_TRUE(damaged.ok()) << damaged.status();
  EXPECT_EQ(damaged->verdict.reason(), v1::MediaCheck::REASON_DAMAGED_FRAMES);
  EXPECT_EQ(damaged->verdict.damaged_frames(), 3u);
  const auto failed =
      Parse(thumbnail + Frame(Verdict(kFailed, v1::MediaCheck::REASON_DAMAGED_FRAMES, 40, 1)));
  ASSERT_TRUE(failed.ok()) << "thumbnails of what decodes: " << failed.status();
  EXPECT_EQ(failed->thumbnails.size(), 1u);
}

TEST(WorkerAnswer, RefusesWhatContradictsTheQuestion) {
  const std::string thumbnail = Frame(FrameKind::kThumbnail, Jpeg(160, 120));
  for (const std::string& lie : {
           thumbnail + Frame(Verdict(kOk, 0, 1)),               // no frame
           thumbnail + Frame(Verdict(kOk, 51, 1)),              // more than there are
           thumbnail + Frame(Verdict(kOk, 50, 2)),              // another number of thumbnails
           Frame(Verdict(kOk, 50, 0)),                          // no thumbnails
           thumbnail + thumbnail + Frame(Verdict(kOk, 50, 2)),  // too many
           thumbnail + Frame(Verdict(kOk, 50, 1, "but")),       // good, but
           Frame(Verdict(kFailed, 3, 0)),                       // no problem
           Frame(Verdict(kFailed, v1::MediaCheck::REASON_UNSPECIFIED, 0)),
           Frame(Verdict(kFailed, v1::MediaCheck::REASON_WORKER_DIED, 0)),  // not its to say
           Frame(Verdict(kFailed, static_cast<v1::MediaCheck::Reason>(99), 0)),
           Frame(Verdict(kFailed, v1::MediaCheck::REASON_DAMAGED_FRAMES, 51)),
           thumbnail + Frame(Verdict(kOk, v1::MediaCheck::REASON_TIMES, 0, 1)),
           thumbnail + Frame(Verdict(kOk, v1::MediaCheck::REASON_DAMAGED_FRAMES, 0, 1)),
           Frame(Verdict(v1::MediaCheck::STATE_PENDING, 0, 0)),
           Frame(Verdict(v1::MediaCheck::STATE_UNSPECIFIED, 0, 0)),
           thumbnail,
           std::string(),
           thumbnail + Frame(Verdict(kOk, 50, 1)) + "x",
           thumbnail + Frame(Verdict(kOk, 50, 1)) + Frame(Verdict(kOk, 50, 1)),
           Frame(static_cast<FrameKind>(9), "x") + Frame(Verdict(kFailed, 0, 0, "x")),
           Frame(FrameKind::kVerdict, "\xff\xff\xff"),
           Frame(FrameKind::kVerdict, std::string(kMaxVerdictBytes + 1, '\0')),
           std::string("\x01\x00\x00", 3),
           std::string("\x01\x00\x00\x00\xff\xff\xff\xff", 8),
       }) {
    EXPECT_TRUE(absl::IsInvalidArgument(Parse(lie).status()));
  }
}

TEST(WorkerAnswer, AThumbnailIsASmallJpegAndNothingElse) {
  const std::string verdict = Frame(Verdict(kOk, 50, 1));
  std::string endless = Jpeg(160, 120);
  endless.resize(endless.size() - 2);
  std::string no_size("\xff\xd8\xff\xda\x00\x02\xff\xd9", 8);
  for (const std::string& wrong :
       {std::string("<script>alert(1)</script>"), std::string(), std::string("\xff\xd8\xff\xd9", 4),
        Jpeg(161, 120), Jpeg(16000, 12000), Jpeg(160, 0), Jpeg(160, 641), endless, no_size,
        "\xff\xd8" + std::string(kMaxThumbnailBytes, 'x') + "\xff\xd9"}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(Parse(Frame(FrameKind::kThumbnail, wrong) + verdict).status()));
  }
}

TEST(WorkerAnswer, TakesTheFramesThatWereWantedAndKeyframesBesides) {
  const auto answer =
      ParseFrames(Chosen(Head(1000)) + Chosen(Head(1100)) + Chosen(Head(1200)) + Chosen(Head(1490)),
                  Verdict(kOk, 50, 0));
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->frames.size(), 4u);
  EXPECT_EQ(answer->frames[0].reasons, ReasonBit(v1::Frame::REASON_KEYFRAME));
  EXPECT_EQ(answer->frames[1].pts, 1100);
  EXPECT_EQ(answer->frames[1].reasons, 2u);
  EXPECT_EQ(answer->frames[2].reasons, 4u);
  EXPECT_EQ(answer->frames[1].phash, 0xfedcba9876543210);
  EXPECT_EQ(answer->frames[1].sharpness, 0.5);
  EXPECT_EQ(answer->frames[1].motion, 0.25);
  EXPECT_EQ(answer->frames[1].grid[1], 7);
  EXPECT_EQ(answer->frames[1].thumbnail, Jpeg(160, 120));
  EXPECT_TRUE(ParseFrames("", Verdict(kOk, 50, 0)).ok()) << "none of them was whole";
}

TEST(WorkerAnswer, RefusesFramesThatNobodyAskedForByName) {
  const auto with = [](auto change) {
    ChosenHead head = Head(1100);
    change(head);
    return Chosen(head);
  };
  const std::string other_keyframes = Chosen(Head(1010)) + Chosen(Head(1020)) + Chosen(Head(1030));
  const struct {
    std::string frames;
    const char* name;
  } cases[] = {
      {Chosen(Head(1200)) + Chosen(Head(1100)), "out of order"},
      {Chosen(Head(1100)) + Chosen(Head(1100)), "out of order"},
      {Chosen(Head(1105)), "hasn't got"},
      {Chosen(Head(-1)), "hasn't got"},
      {Chosen(Head(std::numeric_limits<int64_t>::max())), "hasn't got"},
      {other_keyframes, "nobody asked for"},
      {with([](ChosenHead& head) { head.sharpness = 1.01F; }), "from 0 to 1"},
      {with([](ChosenHead& head) { head.exposure = -0.01F; }), "from 0 to 1"},
      {with([](ChosenHead& head) { head.clipped = std::nanf(""); }), "from 0 to 1"},
      {with([](ChosenHead& head) { head.blocked = HUGE_VALF; }), "from 0 to 1"},
      {with([](ChosenHead& head) { head.motion = 2; }), "from 0 to 1"},
      {Chosen(Head(1100), ""), "no such JPEG"},
      {Chosen(Head(1100), "<script>alert(1)</script>"), "no such JPEG"},
      {Chosen(Head(1100), Jpeg(16000, 12000)), "no such JPEG"},
      {Chosen(Head(1100), Jpeg(160, 120) + std::string(kMaxThumbnailBytes, 'x')), "no such JPEG"},
      {Frame(FrameKind::kChosen, "short"), "breaks off"},
      {Frame(FrameKind::kPicture, Jpeg(160, 120)), "unknown frame"},
  };
  for (const auto& [frames, name] : cases) {
    const auto answer = ParseFrames(frames, Verdict(kOk, 50, 0));
    EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << name;
    EXPECT_THAT(std::string(Message(answer.status())), HasSubstr(name));
  }
  const auto bad = ParseFrames(Chosen(Head(1100)), Verdict(kFailed, 20, 0, "no frame decodes"));
  EXPECT_THAT(std::string(Message(bad.status())), HasSubstr("frames of a bad video"));
  EXPECT_TRUE(
      absl::IsInvalidArgument(Parse(Chosen(Head(1100)) + Frame(Verdict(kOk, 50, 0)), 0).status()));
}

TEST(WorkerAnswer, APictureIsAJpegOfTheVideosSizeOrAReason) {
  v1::VideoTrack track = Track();
  track.set_width(640);
  track.set_height(480);
  const auto parse = [&](const std::string& bytes) { return ParsePicture(bytes, track); };
  EXPECT_EQ(parse(Frame(FrameKind::kPicture, Jpeg(640, 480))).value(), Jpeg(640, 480));
  const auto none = parse(Frame(Verdict(kFailed, 0, 0, "the frame doesn't\ndecode")));
  EXPECT_TRUE(absl::IsFailedPrecondition(none.status()));
  EXPECT_EQ(Message(none.status()), "the frame doesn't?decode");
  EXPECT_TRUE(absl::IsUnavailable(parse(Frame(FrameKind::kTrouble, "later")).status()));
  for (const std::string& lie :
       {std::string(), Frame(FrameKind::kPicture, Jpeg(480, 640)),
        Frame(FrameKind::kPicture, Jpeg(64000, 48000)), Frame(FrameKind::kPicture, "GIF89a"),
        Frame(FrameKind::kThumbnail, Jpeg(640, 480)), Frame(Verdict(kFailed, 0, 0)),
        Frame(FrameKind::kPicture, Jpeg(640, 480)) + "x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(parse(lie).status()));
  }
  track.set_rotation_degrees(90);
  EXPECT_TRUE(parse(Frame(FrameKind::kPicture, Jpeg(480, 640))).ok());
}

TEST(WorkerAnswer, ItsWordsAreMadePlain) {
  const auto answer =
      Parse(Frame(Verdict(kFailed, 0, 0, "\x1b[31mred\n<b>\x7f" + std::string(5000, 'a'))));
  EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << "longer than a verdict may be";
  const auto plain = Parse(Frame(Verdict(kFailed, 0, 0, "\x1b[31mred\n" + std::string(1000, 'a'))));
  ASSERT_TRUE(plain.ok());
  EXPECT_THAT(plain->verdict.problem(), testing::StartsWith("?[31mred?aaa"));
  EXPECT_LE(plain->verdict.problem().size(), 300u);
}

TEST(WorkerAnswer, TroubleIsNotTheClipsFault) {
  const auto answer = Parse(Frame(FrameKind::kTrouble, "setrlimit AS: not permitted"));
  EXPECT_TRUE(absl::IsUnavailable(answer.status()));
  EXPECT_THAT(std::string(Message(answer.status())), HasSubstr("setrlimit"));
}

TEST(WorkerAnswer, SurvivesRandomBytes) {
  std::mt19937 random(3);
  const std::string good =
      Frame(FrameKind::kThumbnail, Jpeg(160, 120)) + Frame(Verdict(kOk, 50, 1));
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 4; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(random() % (bytes.size() + 1));
    refused += !Parse(bytes).ok();
  }
  EXPECT_GT(refused, 15'000);
}

}  // namespace
}  // namespace gleaner::cloud::media
