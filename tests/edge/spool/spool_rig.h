// A spool of 4 MiB in a folder of its own, and what it would hand out.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "tests/edge/spool/spool_testing.h"

namespace gleaner::edge {

inline constexpr uint64_t kMiB = 1 << 20;

class SpoolRig : public ::testing::Test {
 protected:
  std::unique_ptr<Spool> Open(std::string_view kernel_boot = kTestBoot) {
    auto spool = Spool::Open(options_, clock_, kernel_boot);
    EXPECT_TRUE(spool.ok()) << spool.status();
    return spool.ok() ? *std::move(spool) : nullptr;
  }
  // All numbers in the order in which they would be uploaded.
  static std::vector<uint64_t> Order(Spool& spool) {
    std::vector<uint64_t> order;
    absl::flat_hash_set<ClipKey> seen;
    while (auto clip = *spool.Next(seen)) {
      seen.insert(clip->key);
      order.push_back(clip->key.sequence);
      spool.PutBack(clip->key);
    }
    return order;
  }

  TempFolder folder_;
  FakeClock clock_;
  SpoolOptions options_{.directory = folder_.path() + "/spool", .quota_bytes = 4 * kMiB};
};

}  // namespace gleaner::edge
