// A queue on a database of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cloud/database/tally.h"
#include "cloud/jobs/jobs.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/test_database.h"

namespace gleaner::cloud {

class QueueTest : public testing::Test {
 protected:
  QueueTest() { Open(); }

  void Open() {
    const std::vector<RoomTables> rooms = {TallyTables(), JobTables()};
    jobs_.reset();
    database_ = Database::Open(name_, rooms).value();
    jobs_ = std::make_unique<Jobs>(*database_, clock_);
  }
  uint64_t Add(std::string_view subject, std::string_view share = "cart-1") {
    return jobs_->Add({.kind = "press", .subject = subject, .share = share}).value();
  }
  v1::Job Get(uint64_t number) { return jobs_->Get(number).value(); }
  std::string SubjectOf(const std::optional<ClaimedJob>& claimed) {
    return claimed ? claimed->job.subject() : "none";
  }
  std::optional<ClaimedJob> Claim(std::string_view share = "cart-1") {
    return jobs_->Claim("press", share, "server-1").value();
  }
  // "waiting running failed" of the kind.
  std::string Counts() {
    const auto counts = jobs_->Count().value();
    if (counts.empty()) return "none";
    return std::to_string(counts[0].waiting()) + " " + std::to_string(counts[0].running()) + " " +
           std::to_string(counts[0].failed());
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  const std::string name_ = TestDatabase(folder_ / "jobs.db");
  std::unique_ptr<Database> database_;
  std::unique_ptr<Jobs> jobs_;
};

}  // namespace gleaner::cloud
