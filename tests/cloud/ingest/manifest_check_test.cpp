#include "cloud/ingest/manifest_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

TEST(LedgerReportCheck, NumbersGoToTwoToThe32) {
  v1::ReportLedgerRequest report;
  v1::BootLedger* boot = report.add_boots();
  boot->set_boot_id(std::string(16, 'b'));
  boot->set_last_sequence(1ull << 32);
  EXPECT_TRUE(CheckLedgerReport(report).ok()) << CheckLedgerReport(report);
  boot->set_last_sequence((1ull << 32) + 1);
  EXPECT_THAT(std::string(Message(CheckLedgerReport(report))), testing::HasSubstr("last_sequence"));
}

}  // namespace
}  // namespace gleaner::cloud
