#include "edge/upload/ledger_reporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/edge/upload/fake_cloud.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {
namespace {

using testing::HasSubstr;

class LedgerReporterTest : public testing::Test {
 protected:
  ~LedgerReporterTest() override {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  void Start() {
    link_ = PlainLink(cloud_.address(), clock_);
    reporter_ = std::make_unique<LedgerReporter>(options_, *spool_, *link_, clock_);
    thread_ = std::jthread([this](std::stop_token stop) { reporter_->Run(stop); });
  }
  bool Reports(size_t n) {
    return cloud_.Await([&] { return cloud_.ledgers.size() >= n; }) &&
           Eventually([&] { return reporter_->stats().reports >= n; });
  }
  // Moves the clock on until `n` reports have come; how long that took by the clock, in steps of a
  // second.
  int64_t NsUntilReports(size_t n) {
    const int64_t start = clock_.MonotonicNs();
    EXPECT_TRUE(Eventually([&] {
      if (cloud_.Locked([&] { return cloud_.ledgers.size(); }) >= n) return true;
      clock_.Advance(kNanosPerSecond);
      return false;
    }));
    return clock_.MonotonicNs() - start;
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  FakeCloud cloud_;
  LedgerReporterOptions options_{.seed = 1};
  std::unique_ptr<Spool> spool_ = OpenSpool(folder_.path(), clock_);
  std::unique_ptr<Link> link_;
  std::unique_ptr<LedgerReporter> reporter_;
  std::jthread thread_;
};

TEST_F(LedgerReporterTest, TellsWhatEndedWithoutAClipUntilTheCloudHasHeard) {
  const ClipKey failed = *spool_->TakeNumber("rule", 5);
  ASSERT_TRUE(spool_->Fail(failed, "no packets").ok());
  const ClipKey pending = AddClip(*spool_, {1000}, 1);
  cloud_.on_ledger = [&](const v1::ReportLedgerRequest& request,
                         v1::ReportLedgerResponse* response) {
    if (cloud_.ledgers.size() == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "later");
    for (const auto& tombstone : request.boots(0).tombstones()) {
      *response->add_acknowledged() = tombstone.key();
    }
    return grpc::Status::OK;
  };
  Start();
  NsUntilReports(2);
  ASSERT_TRUE(Eventually([&] { return reporter_->stats().reports == 1; }));
  reporter_->Poke();
  NsUntilReports(3);
  const auto ledgers = cloud_.Locked([&] { return cloud_.ledgers; });
  ASSERT_EQ(ledgers[1].boots(0).tombstones_size(), 1);
  EXPECT_EQ(ledgers[1].boots(0).tombstones(0).key().sequence(), failed.sequence);
  EXPECT_EQ(ledgers[1].boots(0).tombstones(0).reason(), "no packets");
  EXPECT_EQ(ledgers[1].boots(0).pending(0).first(), pending.sequence);
  EXPECT_EQ(ledgers[2].boots(0).tombstones_size(), 0);
}

TEST_F(LedgerReporterTest, BelievesNoAcknowledgementOfWhatItDidNotTell) {
  const ClipKey key = *spool_->TakeNumber("rule", 5);
  cloud_.on_ledger = [&](const v1::ReportLedgerRequest&, v1::ReportLedgerResponse* response) {
    v1::ClipKey* wrong = response->add_acknowledged();
    wrong->set_boot_id(std::string(AsBytes(key.boot_id)));
    wrong->set_sequence(key.sequence);
    response->add_acknowledged()->set_boot_id("short");
    return grpc::Status::OK;
  };
  Start();
  ASSERT_TRUE(Reports(1));
  ASSERT_TRUE(spool_->Fail(key, "told next time").ok());
  EXPECT_EQ(spool_->Ledger()->boots(0).tombstones_size(), 1);
}

TEST_F(LedgerReporterTest, ReportsAtTheStartThenEveryFiveMinutesAndSoonAfterAChange) {
  AddClip(*spool_, {1000}, 1);
  Start();
  ASSERT_TRUE(Reports(1));
  const int64_t quiet = NsUntilReports(2);
  EXPECT_GE(quiet, 300 * kNanosPerSecond);
  ASSERT_TRUE(Reports(2));
  for (int i = 0; i < 10; ++i) reporter_->Poke();  // one report for all of them
  const int64_t changed = NsUntilReports(3);
  EXPECT_GE(changed, kNanosPerSecond);
  EXPECT_LT(changed, 60 * kNanosPerSecond);
}

TEST_F(LedgerReporterTest, NamesEveryGap) {
  cloud_.on_ledger = [&](const v1::ReportLedgerRequest&, v1::ReportLedgerResponse* response) {
    v1::ClipKey* gap = response->add_gaps();
    gap->set_boot_id(std::string(16, '\x12'));
    gap->set_sequence(17);
    return grpc::Status::OK;
  };
  Start();
  ASSERT_TRUE(Reports(1));
  EXPECT_EQ(reporter_->stats().gaps, 1u);
  EXPECT_THAT(reporter_->stats().problem, HasSubstr("12121212/17"));
}

TEST_F(LedgerReporterTest, StopsAtOnceWhenTheServerHangs) {
  // Shared: the server's thread may outlive this scope by a moment.
  const auto entered = std::make_shared<std::promise<void>>();
  const auto release = std::make_shared<std::promise<void>>();
  cloud_.on_ledger = [entered, release](const v1::ReportLedgerRequest&, v1::ReportLedgerResponse*) {
    entered->set_value();
    release->get_future().wait();
    return grpc::Status::OK;
  };
  Start();
  entered->get_future().wait();
  const int64_t start = RealClock().MonotonicNs();
  thread_.request_stop();
  thread_.join();
  EXPECT_LT(RealClock().MonotonicNs() - start, kNanosPerSecond);
  release->set_value();
}

}  // namespace
}  // namespace gleaner::edge
