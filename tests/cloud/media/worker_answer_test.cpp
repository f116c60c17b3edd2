#include "cloud/media/worker_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
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

absl::StatusOr<WorkerAnswer> Parse(const std::string& bytes, size_t wanted = 1) {
  v1::VideoTrack track;
  track.set_frame_count(50);
  return ParseAnswer(bytes, track, wanted);
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
