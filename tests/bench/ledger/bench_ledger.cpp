// What one device's losses cost everyone who looks at the fleet, and everyone whose clip is
// committed meanwhile.
//
//   bench_ledger [--json]
//
// A catalog of 1,000 devices; then one of them reports 4,096 boots with 1,024 gaps each. Measured
// before and after, with the median of 100: the summary, the list of devices, one report of another
// device, and the report itself. The value before stands as the peer.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "common/log.h"
#include "tests/bench/figure.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::bench {
namespace {

constexpr int kDevices = 1'000;
constexpr int kBoots = 4'096;
constexpr int kBootsAReport = 63;
constexpr uint64_t kGaps = 1'024;
constexpr int64_t kNow = 1'700'000'000'000'000'000;

void Must(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

double MedianMs(const std::function<void()>& work) {
  std::vector<double> all;
  for (int i = 0; i < 100; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    work();
    all.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun)
            .count());
  }
  return Median(all);
}

void AddBoot(v1::ReportLedgerRequest& request, int boot, uint64_t gaps) {
  v1::BootLedger* ledger = request.add_boots();
  ledger->set_boot_id(fmt::format("{:016}", boot));
  ledger->set_last_sequence(2 * gaps + 1);
  for (uint64_t i = 0; i <= gaps; ++i) {
    v1::SequenceRange* pending = ledger->add_pending();
    pending->set_first(2 * i + 1);
    pending->set_last(2 * i + 1);
  }
}

void Run(Reporter& reporter) {
  TemporaryFolder folder;
  auto opened = cloud::OpenTestCatalog(folder / "catalog.db");
  Must(opened.status());
  cloud::TestCatalog& catalog = **opened;
  for (int i = 0; i < kDevices; ++i) {
    Must(catalog.devices.RecordHello(fmt::format("cart-{}", i), {}, kNow));
  }
  v1::ReportLedgerRequest small, large;
  AddBoot(small, 1, 3);
  for (int boot = 0; boot < kBootsAReport; ++boot) AddBoot(large, boot, kGaps);
  v1::ReportLedgerResponse response;
  const auto report = [&](const char* device, const v1::ReportLedgerRequest& request) {
    return [&catalog, &response, &request, device] {
      Must(catalog.uploads.ReportLedger(device, request, &response));
    };
  };
  struct Asked {
    const char* figure;
    std::function<void()> work;
    const char* goal;
  };
  // Its own report lists 1,024 gaps by the contract, and may cost that.
  const std::vector<Asked> asked = {
      {"summary_ms", [&] { Must(catalog.GetSummary(kNow).status()); }, "<= 2"},
      {"devices_ms", [&] { Must(catalog.devices.List(kNow).status()); }, "<= 2"},
      {"other_report_ms", report("cart-1", small), "<= 2"},
      {"own_report_ms", report("cart-0", small), ""}};
  std::vector<double> before;
  for (const Asked& one : asked) before.push_back(MedianMs(one.work));
  for (int first = 0; first < kBoots - 64; first += kBootsAReport) {
    v1::ReportLedgerRequest request;
    for (int boot = first; boot < first + kBootsAReport; ++boot)
      AddBoot(request, 100 + boot, kGaps);
    report("cart-0", request)();
  }
  for (size_t i = 0; i < asked.size(); ++i) {
    reporter.Add({"ledger", asked[i].figure, MedianMs(asked[i].work), "ms", "before", before[i],
                  asked[i].goal});
  }
  reporter.Add({"ledger", "large_report_ms", MedianMs(report("cart-2", large)), "ms", "", 0, ""});
}

}  // namespace
}  // namespace gleaner::bench

int main(int argc, char** argv) {
  try {
    if (!gleaner::InitLogging("bench_ledger", "warn").ok()) return 1;
    gleaner::bench::Reporter reporter(argc, argv);
    gleaner::bench::Run(reporter);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_ledger: {}\n", error.what());
    return 1;
  }
}
