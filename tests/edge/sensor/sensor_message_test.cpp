#include "edge/sensor/sensor_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;

TEST(SensorMessage, IsANameAndNumbersAndPerhapsATimeAndWhatWasLost) {
  SensorMessage message;
  ASSERT_TRUE(ParseSensorMessage("location 52.51963 -1e-3 @81234567890123 !3\n", &message));
  EXPECT_EQ(message.name, "location");
  EXPECT_THAT(std::vector(message.numbers.begin(), message.numbers.begin() + message.count),
              ElementsAre(52.51963, -1e-3));
  EXPECT_EQ(message.monotonic_ns, 81'234'567'890'123);
  EXPECT_EQ(message.lost, 3u);
  ASSERT_TRUE(ParseSensorMessage("checkout-mismatch", &message));
  EXPECT_EQ(message.count, 0u);
  EXPECT_EQ(message.monotonic_ns, -1);
  EXPECT_EQ(message.lost, 0u);
  ASSERT_TRUE(ParseSensorMessage("weight 1 !18446744073709551615", &message));
  EXPECT_EQ(message.lost, UINT64_MAX);
}

TEST(SensorMessage, IsRefusedWhereItIsAnythingElse) {
  SensorMessage message;
  message.name = "before";
  for (const std::string text : {"",
                                 " ",
                                 "\n",
                                 "weight ",
                                 " weight 1",
                                 "weight  1",
                                 "weight 1 ",
                                 "Weight 1",
                                 "a.b 1",
                                 "weight 1,5",
                                 "weight 1x",
                                 "weight 0x10",
                                 "weight nan",
                                 "weight inf",
                                 "weight -inf",
                                 "weight 1e999",
                                 "weight +1",
                                 "weight @",
                                 "weight @-1",
                                 "weight @1.5",
                                 "weight @1 @2",
                                 "weight !",
                                 "weight !-1",
                                 "weight !1 @1",
                                 "weight @1 2",
                                 "weight !1 2",
                                 "weight 1\n\n",
                                 "weight\t1",
                                 "weight 1\r",
                                 "weight 1 2 3 4 5 6 7 8 9",
                                 "weight @9223372036854775808",
                                 "weight !18446744073709551616",
                                 "w\xc3\xa4ge 1"}) {
    EXPECT_FALSE(ParseSensorMessage(text, &message)) << text;
  }
  EXPECT_FALSE(ParseSensorMessage(std::string("weight 1\0", 9), &message));
  EXPECT_FALSE(ParseSensorMessage("weight " + std::string(kMaxSensorMessageBytes, '1'), &message));
  EXPECT_EQ(message.name, "before");
}

}  // namespace
}  // namespace gleaner::edge
