#include "cloud/ingest/manifest_check.h"

#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
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

bool HasFewEntries(const std::string& bytes) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return HasFewLedgerEntries(&stream);
}

TEST(LedgerReportCheck, WhatGrowsInMemoryIsSeenBeforeItIsParsed) {
  v1::ReportLedgerRequest report;
  v1::BootLedger* boot = report.add_boots();
  boot->set_boot_id(std::string(16, 'b'));
  for (int i = 0; i < 65'536; ++i) boot->add_pending();
  for (int i = 0; i < 1'024; ++i) boot->add_tombstones();
  EXPECT_TRUE(HasFewEntries(report.SerializeAsString()));
  for (int i = 0; i < 65'536; ++i) boot->add_pending();
  EXPECT_FALSE(HasFewEntries(report.SerializeAsString()));
  v1::ReportLedgerRequest boots;
  for (int i = 0; i < 200'000; ++i) boots.add_boots();
  EXPECT_FALSE(HasFewEntries(boots.SerializeAsString()));
}

TEST(LedgerReportCheck, WhatIsNoReportIsLeftToTheParser) {
  for (const std::string& bytes :
       {std::string(), std::string("\x0a"), std::string("\x0a\xff\xff\xff\xff\x7f"),
        std::string("\x0a\x7f\x12"), std::string("\xff\xff\xff"), std::string(1000, '\x0b')}) {
    EXPECT_TRUE(HasFewEntries(bytes)) << testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace gleaner::cloud
