#include "edge/upload/upload_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/upload/message.h"
#include "tests/edge/upload/fake_cloud.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {
namespace {

using Event = UploadStream::Event;

constexpr int64_t kLongNs = 20 * kNanosPerSecond;  // for what is sure to come

class UploadStreamTest : public testing::Test {
 protected:
  UploadStreamTest() {
    AddClip(*spool_, {1000}, 1);
    offer_ = OfferMessage(**spool_->Next({}));
  }
  // What comes until `event`, which does come.
  std::vector<Event> Until(Event event) {
    std::vector<Event> events;
    do {
      events.push_back(stream_.Wait(kLongNs));
    } while (events.back() != event && events.back() != Event::kTimeout);
    EXPECT_EQ(events.back(), event);
    return events;
  }
  void Open() {
    stream_.Open(*link_);
    EXPECT_FALSE(stream_.writable()) << "not before it has begun";
    EXPECT_EQ(stream_.Wait(kLongNs), Event::kOpened);
    EXPECT_TRUE(stream_.writable());
  }

  TemporaryFolder folder_;
  FakeCloud cloud_;
  std::unique_ptr<Spool> spool_ = OpenSpool(folder_.path(), RealClock());
  std::unique_ptr<Link> link_ = PlainLink(cloud_.address(), RealClock());
  UploadStream stream_;
  grpc::ByteBuffer offer_;
};

TEST_F(UploadStreamTest, HasAnAnswerToWhatWasWrittenAndThenTheServersOwnEnd) {
  EXPECT_FALSE(stream_.active());
  Open();
  EXPECT_TRUE(stream_.active());
  stream_.Write(offer_);
  EXPECT_FALSE(stream_.writable()) << "one message at a time";
  std::vector<Event> events = {stream_.Wait(kLongNs), stream_.Wait(kLongNs)};
  EXPECT_THAT(events, testing::UnorderedElementsAre(Event::kWritten, Event::kMessage));
  EXPECT_TRUE(stream_.message().has_grant());
  EXPECT_TRUE(stream_.writable());
  stream_.WritesDone();
  EXPECT_FALSE(stream_.writable());
  Until(Event::kEnded);
  EXPECT_TRUE(stream_.status().ok()) << stream_.status();
  EXPECT_FALSE(stream_.active());
  EXPECT_FALSE(stream_.writable());
}

TEST_F(UploadStreamTest, SaysWhyTheServerEndedIt) {
  cloud_.on_stream = [] { return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "who are you"); };
  stream_.Open(*link_);
  Until(Event::kEnded);
  EXPECT_EQ(stream_.status(), absl::UnauthenticatedError("who are you"));
  EXPECT_FALSE(stream_.writable());
}

TEST_F(UploadStreamTest, EndsWhereNobodyListens) {
  cloud_.Stop();
  stream_.Open(*link_);
  EXPECT_EQ(stream_.Wait(kLongNs), Event::kEnded);
  EXPECT_TRUE(absl::IsUnavailable(stream_.status())) << stream_.status();
}

TEST_F(UploadStreamTest, EndsAtOnceForTheFirstReasonItWasCancelledFor) {
  Open();
  stream_.Cancel(absl::DeadlineExceededError("no progress"));
  stream_.Cancel(absl::CancelledError("the daemon stops"));
  EXPECT_EQ(stream_.Wait(kLongNs), Event::kEnded);
  EXPECT_EQ(stream_.status(), absl::DeadlineExceededError("no progress"));
  stream_.Cancel(absl::CancelledError("too late"));  // nothing is open: nothing happens
  EXPECT_EQ(stream_.status(), absl::DeadlineExceededError("no progress"));
}

TEST_F(UploadStreamTest, BearsNothingOfTheCallBeforeWhenItIsOpenedAgain) {
  for (int i = 0; i < 3; ++i) {
    Open();
    stream_.WritesDone();
    Until(Event::kEnded);
    EXPECT_TRUE(stream_.status().ok()) << stream_.status();
    Open();
    stream_.Cancel(absl::AbortedError("another reason"));
    Until(Event::kEnded);
    EXPECT_EQ(stream_.status(), absl::AbortedError("another reason"));
  }
}

TEST_F(UploadStreamTest, HearsSixtyFourMessagesUnaskedInEachCallAndNoMore) {
  int messages = 0;
  cloud_.unasked = [&] {
    v1::UploadResponse late;
    late.mutable_progress()->set_lease(99);
    return std::vector<v1::UploadResponse>(messages, late);
  };
  for (const int number : {64, 64, 65}) {
    cloud_.Locked([&] { messages = number; });
    Open();
    for (int i = 0; i < 64; ++i) EXPECT_EQ(stream_.Wait(kLongNs), Event::kMessage);
    if (number == 64) stream_.Cancel(absl::CancelledError("heard"));
    EXPECT_EQ(stream_.Wait(kLongNs), Event::kEnded);
    EXPECT_EQ(stream_.status().code(),
              number == 64 ? absl::StatusCode::kCancelled : absl::StatusCode::kResourceExhausted);
  }
}

TEST_F(UploadStreamTest, HearsAnswersAfterAsMuchAsItHearsUnasked) {
  cloud_.unasked = [] { return std::vector<v1::UploadResponse>(64, v1::UploadResponse()); };
  Open();
  for (int i = 0; i < 64; ++i) ASSERT_EQ(stream_.Wait(kLongNs), Event::kMessage);
  for (int i = 0; i < 4; ++i) {
    stream_.Write(offer_);
    std::vector<Event> events = {stream_.Wait(kLongNs), stream_.Wait(kLongNs)};
    EXPECT_THAT(events, testing::UnorderedElementsAre(Event::kWritten, Event::kMessage));
    EXPECT_TRUE(stream_.message().has_grant());
  }
}

TEST_F(UploadStreamTest, EndsWhenItIsSentWhatItCanNotRead) {
  cloud_.unasked = [] {
    v1::UploadResponse response;
    response.mutable_receipt()->set_manifest_sha256(std::string(1 << 20, 'x'));
    return std::vector<v1::UploadResponse>{response};
  };
  Open();
  EXPECT_EQ(stream_.Wait(kLongNs), Event::kEnded);
  EXPECT_TRUE(absl::IsResourceExhausted(stream_.status())) << stream_.status();
}

TEST_F(UploadStreamTest, EndsWhenItIsSentWhatIsNoMessage) {
  cloud_.unasked = [] {
    v1::UploadResponse response;
    response.mutable_refusal()->set_message("\xff");  // no UTF-8: it is sent, but can't be read
    return std::vector<v1::UploadResponse>{response};
  };
  Open();
  EXPECT_EQ(stream_.Wait(kLongNs), Event::kEnded);
  EXPECT_TRUE(absl::IsInvalidArgument(stream_.status())) << stream_.status();
}

TEST_F(UploadStreamTest, IsPokedOnceHoweverOftenAndAgainLater) {
  for (int i = 0; i < 3; ++i) {
    for (int poke = 0; poke < 10; ++poke) stream_.Poke();
    EXPECT_EQ(stream_.Wait(kLongNs), Event::kPoked);
    EXPECT_EQ(stream_.Wait(0), Event::kTimeout);
  }
}

TEST_F(UploadStreamTest, TimesOutWhenNothingHappens) {
  Open();
  EXPECT_EQ(stream_.Wait(kNanosPerMilli), Event::kTimeout);
  EXPECT_TRUE(stream_.active());
}

}  // namespace
}  // namespace gleaner::edge
