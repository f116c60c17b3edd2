// What a worker that was taken over may write.
#include "cloud/model/model_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "cloud/sandbox/descriptors.h"
#include "common/status.h"

namespace gleaner::cloud::model {
namespace {

using testing::HasSubstr;

template <typename T>
std::string Raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string Piece(PieceKind kind, std::string_view payload) {
  const sandbox::PieceHead head{static_cast<uint32_t>(kind), static_cast<uint32_t>(payload.size())};
  return Raw(head).append(payload);
}

std::string Result(const std::vector<Detection>& found, const std::vector<float>& embedding) {
  std::string payload =
      Raw(ResultHead{static_cast<uint32_t>(found.size()), static_cast<uint32_t>(embedding.size())});
  for (const Detection& one : found) payload += Raw(one);
  for (const float value : embedding) payload += Raw(value);
  return Piece(PieceKind::kResult, payload);
}

constexpr Detection kGood{
    .label = 1, .score = 0.5f, .left = 0, .top = 0.1f, .right = 0.5f, .bottom = 1};

std::string Complaint(const std::string& bytes, const Wanted& wanted = {1, 3, true}) {
  const auto parsed = ParseAnswer(bytes, wanted);
  EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << parsed.status();
  return std::string(Message(parsed.status()));
}

TEST(ModelAnswerTest, WhatIsRightIsReadWhole) {
  const auto parsed = ParseAnswer(
      Result({kGood}, {1, 2}) + Piece(PieceKind::kRefused, "torn\n") + Result({}, {3, 4}),
      {3, 3, true});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ((*parsed)[0].detections[0].right, 0.5f);
  EXPECT_EQ((*parsed)[1].refused, "torn?");
  EXPECT_EQ((*parsed)[2].embedding, (std::vector<float>{3, 4}));
}

TEST(ModelAnswerTest, WhatTheWorkerSaysOfTheModelIsToldInPlainText) {
  const auto fault = ParseAnswer(Piece(PieceKind::kFault, "no\x1b[2J layer"), {1, 3, true});
  EXPECT_TRUE(absl::IsFailedPrecondition(fault.status()));
  EXPECT_EQ(Message(fault.status()), "no?[2J layer");
  EXPECT_TRUE(absl::IsUnavailable(
      ParseAnswer(Piece(PieceKind::kTrouble, "no memory"), {1, 3, true}).status()));
}

TEST(ModelAnswerTest, WhatBreaksARuleIsRefusedByName) {
  const auto with = [](auto change) {
    Detection one = kGood;
    change(one);
    return Result({one}, {1});
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Complaint(""), HasSubstr("pictures are missing"));
  EXPECT_THAT(Complaint("abc"), HasSubstr("breaks off"));
  EXPECT_THAT(Complaint(Result({}, {1}) + Result({}, {1})), HasSubstr("more pictures"));
  EXPECT_THAT(Complaint(Result({}, {})), HasSubstr("nobody asked for"));
  EXPECT_THAT(Complaint(Result({}, {1}), {1, 3, false}), HasSubstr("nobody asked for"));
  EXPECT_THAT(Complaint(Result({kGood}, {1}), {1, 0, true}), HasSubstr("nobody asked for"));
  EXPECT_THAT(Complaint(Result(std::vector<Detection>(101, kGood), {1})),
              HasSubstr("nobody asked for"));
  EXPECT_THAT(Complaint(Result({}, {nan})), HasSubstr("no number"));
  EXPECT_THAT(Complaint(with([](auto& one) { one.label = 3; })), HasSubstr("a label"));
  EXPECT_THAT(Complaint(with([](auto& one) { one.right = 1.1f; })), HasSubstr("a box"));
  EXPECT_THAT(Complaint(with([](auto& one) { one.right = one.left; })), HasSubstr("a box"));
  EXPECT_THAT(Complaint(with([&](auto& one) { one.score = nan; })), HasSubstr("a box"));
  EXPECT_THAT(Complaint(Piece(static_cast<PieceKind>(9), "")), HasSubstr("unknown"));
  EXPECT_THAT(Complaint(Piece(PieceKind::kResult, Raw(ResultHead{4'000'000'000u, 1}))),
              HasSubstr("nobody asked for"));
  EXPECT_THAT(Complaint(Result({}, {1}) + Result({}, {1, 2}), {2, 3, true}),
              HasSubstr("several lengths"));
}

}  // namespace
}  // namespace gleaner::cloud::model
