// Servers of ingest over one PostgreSQL and one bucket, many devices that reach any of them, and
// kill -9 of each server, of the database and of the store at random moments: what has a receipt is
// there, once, with its SHA-256, and every number is accounted for.
//
// Eight devices and two kills of each; GLEANER_TEST_DEVICES and GLEANER_TEST_KILLS say otherwise.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <thread>

#include "common/digest.h"
#include "tests/data/seed.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/light_device.h"

namespace gleaner::e2e {
namespace {

using std::chrono::milliseconds;
using testing::IsEmpty;

constexpr int kServers = 2;
// More than fit into one report of a failure.
constexpr size_t kMostProblems = 30;

int Setting(const char* name, int usual) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return text == nullptr ? usual : std::atoi(text);
}

struct Findings {
  std::vector<std::string> problems;
  // Receipts without a clip that is whole: never, whatever else may be wrong.
  int lost = 0;
  int receipts = 0;
};

// One device's word against what the page shows.
void CompareDevice(Page& page, const LightDevice& device, const nlohmann::json& shown,
                   const std::vector<nlohmann::json>& clips, Findings& findings) {
  const auto expect = [&](bool holds, const std::string& what) {
    if (!holds) findings.problems.push_back(device.name() + ": " + what);
    return holds;
  };
  for (const std::string& problem : device.problems()) findings.problems.push_back(problem);
  std::map<uint64_t, const nlohmann::json*> by_number;
  for (const nlohmann::json& clip : clips) {
    if (clip.value("device", "") != device.name()) continue;
    const auto number = static_cast<uint64_t>(Number(clip.at("key"), "sequence"));
    expect(by_number.emplace(number, &clip).second, fmt::format("clip {} is there twice", number));
    expect(device.receipts().contains(number), fmt::format("clip {} has no receipt", number));
  }
  for (const auto& [number, receipt] : device.receipts()) {
    const auto found = by_number.find(number);
    if (!expect(found != by_number.end(), fmt::format("receipt {} has no clip", number))) {
      ++findings.lost;
      continue;
    }
    const nlohmann::json& clip = *found->second;
    const std::string id = clip.at("id");
    std::vector<std::string> wrong = page.DigestProblems(id);
    const auto manifest = page.Get("/media/" + id + "/manifest");
    if (!manifest || AsBytes(Sha256::Of(manifest->second)) != receipt.manifest_sha256) {
      wrong.push_back("another manifest than in the receipt");
    }
    findings.lost += wrong.empty() ? 0 : 1;
    for (const std::string& one : wrong) expect(false, one);
    expect(Number(clip, "committedUnixNs") == receipt.committed_unix_ns,
           fmt::format("clip {} was committed at another time than its receipt says", number));
  }
  const nlohmann::json ledger = shown.value("ledger", nlohmann::json::object());
  const auto counts = [&](const char* what, uint64_t expected) {
    expect(static_cast<uint64_t>(Number(ledger, what)) == expected,
           fmt::format("{} of its numbers should be {}: {}", expected, what, ledger.dump()));
  };
  counts("fired", device.last_number());
  counts("committed", device.receipts().size());
  counts("evicted", device.given_up().size());
  counts("pending", 0);
  counts("gaps", 0);
}

// `extra`: the servers' environment.
Findings Kill(int devices, int kills, uint64_t seed, const Process::Environment& extra = {}) {
  Cluster cluster(kServers, extra);
  std::vector<std::unique_ptr<LightDevice>> fleet;
  for (int i = 0; i < devices; ++i) {
    fleet.push_back(std::make_unique<LightDevice>(fmt::format("cart-{}", i + 1), cluster.pki(),
                                                  cluster.grpc_ports(),
                                                  seed + 1 + static_cast<uint64_t>(i)));
  }
  std::atomic<bool> fires{true};
  std::atomic<int> receipts{0};
  std::vector<std::jthread> threads;
  threads.reserve(fleet.size());
  for (const auto& device : fleet) {
    threads.emplace_back([&, one = device.get()] { one->Run(fires, receipts); });
  }

  std::vector<int> order;
  for (const int part : {0, 1, Cluster::kDatabase, Cluster::kStore}) {
    order.insert(order.end(), static_cast<size_t>(kills), part);
  }
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  // What flows between two kills: mostly something, and sometimes the next comes before all of it
  // is back.
  for (const int part : order) {
    const int before = receipts;
    const auto until = std::chrono::steady_clock::now() +
                       milliseconds(std::uniform_int_distribution<int>(50, 1'500)(random));
    const bool waits = std::uniform_int_distribution<int>(1, 4)(random) > 1;
    EXPECT_TRUE(Eventually(
        [&] {
          cluster.Tend();
          return std::chrono::steady_clock::now() > until && (!waits || receipts > before);
        },
        std::chrono::seconds(120)))
        << "nothing flows any more";
    cluster.KillAndStart(part);
  }
  cluster.UntilReady();
  fires = false;
  for (std::jthread& thread : threads) thread.join();
  cluster.UntilReady();

  Findings findings{.receipts = receipts};
  Page page = cluster.StartPage();
  const auto clips = page.Clips();
  const auto list = page.Call("ListDevices").value("devices", nlohmann::json::array());
  for (const auto& device : fleet) {
    const auto shown = std::find_if(list.begin(), list.end(), [&](const nlohmann::json& one) {
      return one.value("name", "") == device->name();
    });
    CompareDevice(page, *device, shown == list.end() ? nlohmann::json::object() : *shown, clips,
                  findings);
  }
  std::cout << fmt::format("{} receipts, {} of them lost; {} problems\n", findings.receipts,
                           findings.lost, findings.problems.size());
  if (findings.problems.size() > kMostProblems) findings.problems.resize(kMostProblems);
  return findings;
}

TEST(ManyServers, KilledWithTheirDatabaseAndTheirStoreLoseNoReceiptAndDoubleNoClip) {
  if (!HasRadosgw()) GTEST_SKIP() << kNoRadosgw;
  const int devices = Setting("GLEANER_TEST_DEVICES", 8), kills = Setting("GLEANER_TEST_KILLS", 2);
  const Findings findings = Kill(devices, kills, Seed(20250201));
  EXPECT_GE(findings.receipts, 2 * devices + 4 * kills) << "too little flowed to prove anything";
  EXPECT_EQ(findings.lost, 0);
  EXPECT_THAT(findings.problems, IsEmpty());
}

// The negative control: servers that say so before it is so. The same audit finds what is lost.
TEST(ManyServers, ThatAcknowledgeEarlyAreFoundToHaveLostWhatTheySaidTheyHad) {
  if (!HasRadosgw()) GTEST_SKIP() << kNoRadosgw;
  const Findings findings =
      Kill(8, 2, Seed(20250202), {{"GLEANER_FAULT", "ingest.acknowledge_early"}});
  EXPECT_GT(findings.lost, 0);
}

}  // namespace
}  // namespace gleaner::e2e
