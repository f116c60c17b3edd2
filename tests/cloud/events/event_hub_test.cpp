#include "cloud/events/event_hub.h"

#include <gmock/gmock.h>

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class EventHubTest : public testing::Test {
 protected:
  // All that has come for it.
  static std::string Take(EventReader& reader) {
    std::string text;
    EXPECT_TRUE(reader.Take(1 << 20, &text));
    return text;
  }
  // The last id in a text.
  static std::string IdIn(const std::string& text) {
    const size_t begin = text.rfind("id: ") + 4;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  EventHub hub_{4};
  const EventTopic clips_ = hub_.Topic("clips");
  const EventTopic devices_ = hub_.Topic("devices");
};

TEST_F(EventHubTest, AReaderHearsWhatComesFromNowOn) {
  hub_.Publish(clips_, R"({"id":"before"})");
  auto reader = *hub_.Read("", "");
  EXPECT_THAT(Take(reader),
              AllOf(HasSubstr("retry: "), HasSubstr("\nid: "), Not(HasSubstr("data"))));
  EXPECT_EQ(Take(reader), "");
  hub_.Publish(clips_, R"({"id":"a"})");
  hub_.Publish(devices_, R"({"device":"b"})");
  const std::string text = Take(reader);
  EXPECT_THAT(text,
              testing::MatchesRegex("id: [0-9a-f]+-2\nevent: clips\ndata: \\{\"id\":\"a\"\\}\n\n"
                                    "id: [0-9a-f]+-3\nevent: devices\ndata: .*\n\n"));
  EXPECT_EQ(Take(reader), "");
}

TEST_F(EventHubTest, TopicsThatNobodyWantsAreLeftOut) {
  auto reader = *hub_.Read("devices", "");
  Take(reader);
  hub_.Publish(clips_, "{}");
  hub_.Publish(devices_, "{}");
  EXPECT_THAT(Take(reader), AllOf(HasSubstr("event: devices"), Not(HasSubstr("clips"))));
  EXPECT_TRUE(hub_.Read("devices,clips", ""));
  for (const char* wrong : {"device", "clips, devices", ",", "clips,x", "CLIPS"}) {
    EXPECT_FALSE(hub_.Read(wrong, "")) << wrong;
  }
  EXPECT_EQ(hub_.TopicNames(), "clips, devices");
}

TEST_F(EventHubTest, WhoComesAgainGoesOnWhereItWas) {
  auto reader = *hub_.Read("", "");
  const std::string first = IdIn(Take(reader));
  hub_.Publish(clips_, R"({"id":"a"})");
  const std::string second = IdIn(Take(reader));
  hub_.Publish(clips_, R"({"id":"b"})");
  auto from_first = *hub_.Read("", first), from_second = *hub_.Read("", second);
  EXPECT_THAT(Take(from_first),
              AllOf(HasSubstr("\"a\""), HasSubstr("\"b\""), Not(HasSubstr("reset"))));
  EXPECT_THAT(Take(from_second), AllOf(Not(HasSubstr("\"a\"")), HasSubstr("\"b\"")));
}

TEST_F(EventHubTest, WhoWasAwayTooLongStartsAnew) {
  auto reader = *hub_.Read("", "");
  const std::string id = IdIn(Take(reader));
  for (int i = 0; i < 4; ++i) hub_.Publish(clips_, "{}");
  auto in_time = *hub_.Read("", id);
  EXPECT_THAT(Take(in_time), Not(HasSubstr("event: reset")));
  hub_.Publish(clips_, "{}");
  auto late = *hub_.Read("", id);
  const std::string text = Take(late);
  EXPECT_THAT(text, AllOf(HasSubstr("event: reset\ndata: {}\n\n"), Not(HasSubstr("event: clips"))));
  // And from there on like any other.
  hub_.Publish(clips_, R"({"id":"c"})");
  auto again = *hub_.Read("", IdIn(text));
  EXPECT_THAT(Take(again), AllOf(HasSubstr("\"c\""), Not(HasSubstr("reset"))));
}

TEST_F(EventHubTest, AnIdThatIsNotOursStartsAnew) {
  auto reader = *hub_.Read("", "");
  const std::string id = IdIn(Take(reader));
  EventHub other;
  auto elsewhere = *other.Read("", "");
  const std::string foreign = IdIn(Take(elsewhere));
  for (const std::string& wrong :
       {foreign, std::string("x"), id + "x", id.substr(0, id.rfind('-')), id + "9",
        id.substr(0, id.rfind('-')) + "-18446744073709551615", std::string(5000, '-')}) {
    auto late = *hub_.Read("", wrong);
    EXPECT_THAT(Take(late), HasSubstr("event: reset")) << wrong;
  }
}

TEST_F(EventHubTest, WhoDoesNotKeepUpIsToldSo) {
  auto slow = *hub_.Read("", ""), keen = *hub_.Read("", "");
  Take(slow);
  Take(keen);
  for (int i = 0; i < 5; ++i) {
    hub_.Publish(clips_, "{}");
    EXPECT_THAT(Take(keen), HasSubstr("event: clips"));
  }
  std::string text;
  EXPECT_FALSE(slow.Take(1 << 20, &text));
  EXPECT_EQ(text, "");
}

TEST_F(EventHubTest, GivesNoMoreAtOnceThanIsWanted) {
  auto reader = *hub_.Read("", "");
  Take(reader);
  for (int i = 0; i < 4; ++i) hub_.Publish(clips_, "{}");
  int calls = 0;
  for (std::string text = "x"; !text.empty(); ++calls) {
    text.clear();
    ASSERT_TRUE(reader.Take(1, &text));
  }
  EXPECT_EQ(calls, 5);
}

TEST_F(EventHubTest, WhatIsNoSmallLineIsNotTold) {
  auto reader = *hub_.Read("", "");
  Take(reader);
  hub_.Publish(clips_, "{}\n\nevent: devices");
  hub_.Publish(clips_, std::string(2000, 'x'));
  EXPECT_EQ(Take(reader), "");
}

TEST_F(EventHubTest, AResetReachesWhoeverReads) {
  auto reader = *hub_.Read("devices", "");
  Take(reader);
  hub_.Reset();
  EXPECT_THAT(Take(reader), HasSubstr("event: reset\ndata: {}\n\n"));
}

TEST_F(EventHubTest, CallsWhenThereIsSomethingNew) {
  int called = 0;
  hub_.OnEvent([&] { ++called; });
  hub_.Publish(clips_, "{}");
  EXPECT_EQ(called, 1);
  hub_.OnEvent({});
  hub_.Publish(clips_, "{}");
  EXPECT_EQ(called, 1);
}

}  // namespace
}  // namespace gleaner::cloud
