// kill -9 of the daemon and of the server at random moments while clips flow, fifty times each:
// nothing is lost, nothing doubled, nothing torn, and a cut makes nobody send more than its window
// again: one chunk, or as many as the owner allows to be under way.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/limits.h"
#include "tests/data/footage.h"
#include "tests/e2e/rig.h"

namespace gleaner::e2e {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kKills = 50;
// Of a device with a wide window: enough for the sum to be far from what a clip sent again from its
// start at each cut would make it.
constexpr int kWideKills = 12;
constexpr int kWideChunks = 8;

struct Cuts {
  int kills = kKills;
  int window_chunks = 1;
  int recorded = 0;  // clips that wait in the spool before the first
  uint64_t seed = 0;
  // Fewer that get through prove nothing.
  size_t clips() const { return static_cast<size_t>(recorded > 0 ? recorded : kills / 2); }
  // What one cut may make the device send again.
  int64_t window_bytes() const { return window_chunks * int64_t{kBlockBytes}; }
};

// Short clips as fast as the footage can be read, for ever.
DeviceSetup Busy() {
  return {.videos = {Footage("cup.mp4")},
          .loop = true,
          .when = "motion > 0.01",
          .pre = "500ms",
          .post = "500ms",
          .cooldown = "100ms",
          .max_clip = "2s",
          .more = "[upload]\nbackoff_max = \"1s\"\n"};
}

// And with a window of several chunks: clips of some thirty chunks, on a line slow enough that a
// cut mostly finds one of them half sent.
DeviceSetup BusyWithAWideWindow() {
  DeviceSetup device = Busy();
  device.post = "59s";
  device.max_clip = "60s";
  device.more += fmt::format("window_chunks = {}\ncap_bytes_per_s = \"12 MiB\"\n", kWideChunks);
  return device;
}

// Long clips take longer to record than the daemon mostly lives, so some wait before the first cut.
void Record(Rig& rig, const DeviceSetup& device, int clips) {
  if (clips == 0) return;
  Process edge = rig.StartDevice(device);
  ASSERT_TRUE(Eventually(
      [&] {
        return edge.Log().find("watching") != std::string::npos &&
               Number(rig.Status(device), "pendingClips") >= clips;
      },
      seconds(120)))
      << edge.Log();
  ASSERT_EQ(edge.Stop(), 0) << edge.Log();
}

class Moments {
 public:
  explicit Moments(uint64_t seed) : random_(seed) {}
  void Wait() {
    std::this_thread::sleep_for(milliseconds(std::uniform_int_distribution<int>(50, 900)(random_)));
  }

 private:
  std::mt19937_64 random_;
};

// Uploads what is left, without cameras, and reports the ledger.
void Drain(Rig& rig, DeviceSetup device, const Process::Environment& extra = {}) {
  device.videos.clear();
  Process edge = rig.StartDevice(device, {"--until-drained"}, extra);
  EXPECT_EQ(edge.Wait(seconds(120)), 0) << edge.Log();
}

void KillTheDaemon(const DeviceSetup& device, const Cuts& cuts) {
  Rig rig;
  ASSERT_NO_FATAL_FAILURE(Record(rig, device, cuts.recorded));
  rig.StartServer();
  Moments moments(cuts.seed);
  for (int i = 0; i < cuts.kills; ++i) {
    Process edge = rig.StartDevice(device);
    moments.Wait();
    ASSERT_TRUE(edge.running()) << "ended by itself: " << edge.Log();
    edge.Kill();
  }
  Drain(rig, device);
  EXPECT_GE(rig.Clips().size(), cuts.clips()) << "too little flowed to prove anything";
  EXPECT_THAT(rig.LedgerProblems(device), IsEmpty());

  // What the server read, against what there was to read: at most what a cut tore was sent twice.
  double distinct = 0;
  for (const auto& clip : rig.Clips()) distinct += static_cast<double>(Number(clip, "sizeBytes"));
  const double received = rig.Metric("gleaner_ingest_bytes_total");
  EXPECT_GE(received, distinct);
  EXPECT_LE(received - distinct, static_cast<double>(cuts.kills * cuts.window_bytes()));
  if (cuts.window_chunks > 1) {
    EXPECT_GT(received, distinct) << "no cut found more than one chunk under way";
  }
}

void KillTheServer(const DeviceSetup& device, const Cuts& cuts) {
  Rig rig;
  ASSERT_NO_FATAL_FAILURE(Record(rig, device, cuts.recorded));
  rig.StartServer();
  Process edge = rig.StartDevice(device);
  Moments moments(cuts.seed);
  for (int i = 0; i < cuts.kills; ++i) {
    moments.Wait();
    rig.server().Kill();
    rig.StartServer();
  }
  ASSERT_TRUE(edge.running()) << "the daemon must outlive its server: " << edge.Log();
  // The counters come with a heartbeat; the last cut is in them once the device is heard again.
  ASSERT_TRUE(Eventually([&] { return !rig.Device(device.name).empty(); }));
  EXPECT_TRUE(Eventually([&] {
    const auto upload =
        rig.Device(device.name).value("/heartbeat/upload"_json_pointer, nlohmann::json());
    return !upload.is_null() && Number(upload, "cutsTotal") > 0;
  }));
  const auto upload = rig.Device(device.name).at("heartbeat").at("upload");
  EXPECT_LE(Number(upload, "resentBytesTotal"), Number(upload, "cutsTotal") * cuts.window_bytes())
      << upload.dump();
  EXPECT_EQ(edge.Stop(), 0) << edge.Log();

  Drain(rig, device);
  EXPECT_GE(rig.Clips().size(), cuts.clips()) << "too little flowed to prove anything";
  EXPECT_THAT(rig.LedgerProblems(device), IsEmpty());
}

TEST(Kill, TheDaemonFiftyTimesAndEveryNumberIsAccountedFor) {
  KillTheDaemon(Busy(), {.seed = 20240611});
}

TEST(Kill, TheServerFiftyTimesAndEveryNumberIsAccountedFor) {
  KillTheServer(Busy(), {.seed = 19690720});
}

TEST(Kill, TheDaemonWithAWideWindowAndEveryNumberIsAccountedFor) {
  KillTheDaemon(
      BusyWithAWideWindow(),
      {.kills = kWideKills, .window_chunks = kWideChunks, .recorded = 5, .seed = 20240612});
}

TEST(Kill, TheServerOfAWideWindowAndEveryNumberIsAccountedFor) {
  KillTheServer(
      BusyWithAWideWindow(),
      {.kills = kWideKills, .window_chunks = kWideChunks, .recorded = 5, .seed = 19690721});
}

// The negative control: a daemon that deletes a clip once its bytes are handed to gRPC, as if a
// write were a receipt, and a server that dies between the last byte and the commit. The same audit
// must see the loss.
void TakeAWriteForAReceipt(const DeviceSetup& device) {
  Rig rig;
  rig.StartServer({{"GLEANER_CRASH_AT", "ingest.last_chunk_written"}});
  Process edge = rig.StartDevice(device, {}, {{"GLEANER_FAULT", "upload.release_when_sent"}});
  ASSERT_TRUE(Eventually([&] { return !rig.server().running(); })) << edge.Log();
  edge.Stop();
  rig.StartServer();
  Drain(rig, device);
  EXPECT_THAT(rig.LedgerProblems(device), Not(IsEmpty()));
}

TEST(Kill, IsNoticedWhenADeviceTakesAWriteForAReceipt) { TakeAWriteForAReceipt(Busy()); }

TEST(Kill, IsNoticedWhenADeviceWithAWideWindowTakesAWriteForAReceipt) {
  TakeAWriteForAReceipt(BusyWithAWideWindow());
}

}  // namespace
}  // namespace gleaner::e2e
