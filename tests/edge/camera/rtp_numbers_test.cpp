#include "edge/camera/rtp_numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;

std::vector<int> Numbered(const std::vector<int>& from) {
  RtpNumbers numbers;
  std::vector<int> to;
  for (const int number : from) to.push_back(numbers.Next(static_cast<uint16_t>(number)));
  return to;
}

TEST(FieldRtpNumbers, AreTheCamerasOwnWhereItCounts) {
  EXPECT_THAT(Numbered({65534, 65535, 0, 1}), ElementsAre(65534, 65535, 0, 1));
}

TEST(FieldRtpNumbers, KeepLossesAndPacketsOutOfOrder) {
  EXPECT_THAT(Numbered({10, 12, 11, 13, 3012, 2913, 3013}),
              ElementsAre(10, 12, 11, 13, 3012, 2913, 3013));
}

TEST(FieldRtpNumbers, GoOnWhereACameraBeginsAnew) {
  EXPECT_THAT(Numbered({10, 11, 3011, 3012, 3014, 3013}), ElementsAre(10, 11, 12, 13, 15, 14));
  EXPECT_THAT(Numbered({200, 201, 101, 102, 40'000, 40'001}),
              ElementsAre(200, 201, 202, 203, 204, 205));
}

}  // namespace
}  // namespace gleaner::edge
