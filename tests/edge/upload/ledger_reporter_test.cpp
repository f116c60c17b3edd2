#include "edge/upload/ledger_reporter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "common/backoff.h"
#include "tests/data/log_lines.h"
#include "tests/edge/upload/fake_cloud.h"
#include "tests/edge/upload/fixtures.h"

namespace gleaner::edge {
namespace {

using testing::HasSubstr;

class LedgerReporterTest : public testing::Test {
 protected:
  ~LedgerReporterTest() override { Stop(); }
  void Stop() {
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

TEST_F(LedgerReporterTest, TriesAgainAfterABackOffThatGrowsUntilAReportIsTaken) {
  // Whether each report is taken, and when it came.
  const std::vector<bool> taken = {false, false, false, false, false, true, false, false, true};
  std::vector<int64_t> times;
  cloud_.on_ledger = [&](const v1::ReportLedgerRequest&, v1::ReportLedgerResponse*) {
    times.push_back(clock_.MonotonicNs());
    return times.size() > taken.size() || taken[times.size() - 1]
               ? grpc::Status::OK
               : grpc::Status(grpc::StatusCode::UNAVAILABLE, "later");
  };
  clock_.AutoAdvance(true);
  Start();
  ASSERT_TRUE(cloud_.Await([&] { return times.size() > taken.size(); }));
  Stop();
  Backoff expected(options_.backoff_base_ns, options_.backoff_cap_ns, options_.seed);
  for (size_t i = 0; i < taken.size(); ++i) {
    if (taken[i]) expected.Reset();
    EXPECT_EQ(times[i + 1] - times[i], taken[i] ? options_.interval_ns : expected.NextNs())
        << "after report " << i + 1;
  }
}

TEST_F(LedgerReporterTest, ConnectsAnewWhenTheServerDoesNotAnswer) {
  options_.deadline_ns = 50 * kNanosPerMilli;
  const auto release = std::make_shared<std::promise<void>>();
  cloud_.on_ledger = [release](const v1::ReportLedgerRequest&, v1::ReportLedgerResponse*) {
    release->get_future().wait();
    return grpc::Status::OK;
  };
  Start();
  const auto before = link_->Channel();
  EXPECT_TRUE(Eventually([&] { return !reporter_->stats().problem.empty(); }));
  EXPECT_NE(link_->Channel(), before);
  release->set_value();
}

TEST_F(LedgerReporterTest, KeepsTheConnectionOfAServerThatSaysNo) {
  cloud_.on_ledger = [](const v1::ReportLedgerRequest&, v1::ReportLedgerResponse*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "later");
  };
  Start();
  const auto before = link_->Channel();
  EXPECT_TRUE(Eventually([&] { return !reporter_->stats().problem.empty(); }));
  EXPECT_EQ(link_->Channel(), before);
}

TEST_F(LedgerReporterTest, SaysWhatIsWrongWhileItIsAndLogsItOnce) {
  cloud_.on_ledger = [&](const v1::ReportLedgerRequest&, v1::ReportLedgerResponse*) {
    return cloud_.ledgers.size() <= 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "come later")
                                      : grpc::Status::OK;
  };
  LogLines lines;
  Start();
  ASSERT_TRUE(Eventually([&] { return !reporter_->stats().problem.empty(); }));
  EXPECT_THAT(reporter_->stats().problem, HasSubstr("ledger report: come later"));
  EXPECT_EQ(reporter_->stats().reports, 0u) << "none that the cloud took";
  NsUntilReports(4);
  ASSERT_TRUE(Reports(4 - 3));
  EXPECT_EQ(reporter_->stats().problem, "");
  Stop();
  const std::string text = lines.text();
  EXPECT_EQ(text.find("come later"), text.rfind("come later")) << text;
}

// What the reporter says of so many gaps.
class LedgerGaps : public LedgerReporterTest {
 protected:
  std::string Problem(uint64_t gaps) {
    cloud_.on_ledger = [gaps](const v1::ReportLedgerRequest&, v1::ReportLedgerResponse* response) {
      for (uint64_t sequence = 1; sequence <= gaps; ++sequence) {
        v1::ClipKey* gap = response->add_gaps();
        gap->set_boot_id(std::string(16, '\x12'));
        gap->set_sequence(sequence);
      }
      return grpc::Status::OK;
    };
    Start();
    EXPECT_TRUE(Reports(1));
    EXPECT_EQ(reporter_->stats().gaps, gaps);
    return reporter_->stats().problem;
  }
};

TEST_F(LedgerGaps, AreNamed) { EXPECT_EQ(Problem(1), "1 clip nobody can account for: 12121212/1"); }

TEST_F(LedgerGaps, AreNamedUpToEight) {
  EXPECT_EQ(Problem(8),
            "8 clips nobody can account for: 12121212/1, 12121212/2, 12121212/3, 12121212/4, "
            "12121212/5, 12121212/6, 12121212/7, 12121212/8");
}

TEST_F(LedgerGaps, AreCountedBeyondThat) {
  EXPECT_EQ(Problem(9),
            "9 clips nobody can account for: 12121212/1, 12121212/2, 12121212/3, 12121212/4, "
            "12121212/5, 12121212/6, 12121212/7, 12121212/8, …");
}

TEST_F(LedgerGaps, ThatHaveNoKeyAreCountedAllTheSame) {
  cloud_.on_ledger = [](const v1::ReportLedgerRequest&, v1::ReportLedgerResponse* response) {
    response->add_gaps()->set_boot_id("short");
    return grpc::Status::OK;
  };
  Start();
  ASSERT_TRUE(Reports(1));
  EXPECT_EQ(reporter_->stats().problem, "1 clip nobody can account for: ?");
}

TEST_F(LedgerGaps, AreAnAlarmOnceAndGoneWhenTheCloudHasTheClips) {
  LogLines lines;
  EXPECT_NE(Problem(2), "");
  NsUntilReports(2);
  ASSERT_TRUE(Reports(2));
  const std::string text = lines.text();
  EXPECT_THAT(text, HasSubstr("LEDGER GAP: 2 clips"));
  EXPECT_EQ(text.find("LEDGER GAP"), text.rfind("LEDGER GAP")) << text;
  cloud_.Locked([&] { cloud_.on_ledger = nullptr; });
  NsUntilReports(3);
  ASSERT_TRUE(Reports(3));
  EXPECT_EQ(reporter_->stats().gaps, 0u);
  EXPECT_EQ(reporter_->stats().problem, "");
  Stop();
  EXPECT_EQ(lines.text(), text) << "no alarm that there is none";
}

TEST_F(LedgerReporterTest, TellsSoonOfTombstonesThatHadNoRoomInTheReport) {
  for (int i = 0; i < 1'030; ++i) {
    ASSERT_TRUE(spool_->TakeSuppressed("rule", "paused").ok());
  }
  std::vector<std::pair<int64_t, int>> reports;  // when, and of how many
  cloud_.on_ledger = [&](const v1::ReportLedgerRequest& request,
                         v1::ReportLedgerResponse* response) {
    int tombstones = 0;
    for (const v1::BootLedger& boot : request.boots()) {
      for (const v1::Tombstone& tombstone : boot.tombstones()) {
        *response->add_acknowledged() = tombstone.key();
        ++tombstones;
      }
    }
    reports.emplace_back(clock_.MonotonicNs(), tombstones);
    return grpc::Status::OK;
  };
  clock_.AutoAdvance(true);
  Start();
  ASSERT_TRUE(cloud_.Await([&] { return reports.size() >= 3; }));
  Stop();
  EXPECT_EQ(reports[0].second, 1'024);
  EXPECT_EQ(reports[1].second, 6);
  EXPECT_EQ(reports[1].first - reports[0].first, options_.debounce_ns);
  EXPECT_EQ(reports[2].second, 0);
  EXPECT_EQ(reports[2].first - reports[1].first, options_.interval_ns);
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
  Stop();
  EXPECT_LT(RealClock().MonotonicNs() - start, kNanosPerSecond);
  release->set_value();
}

}  // namespace
}  // namespace gleaner::edge
