// kill -9 of the daemon and of the server at random moments while clips flow, fifty times each:
// nothing is lost, nothing doubled, nothing torn, and a cut makes nobody send more than one chunk
// again.
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

TEST(Kill, TheDaemonFiftyTimesAndEveryNumberIsAccountedFor) {
  Rig rig;
  rig.StartServer();
  const DeviceSetup device = Busy();
  Moments moments(20240611);
  for (int i = 0; i < kKills; ++i) {
    Process edge = rig.StartDevice(device);
    moments.Wait();
    ASSERT_TRUE(edge.running()) << "ended by itself: " << edge.Log();
    edge.Kill();
  }
  Drain(rig, device);
  EXPECT_GE(rig.Clips().size(), kKills / 2u) << "too little flowed to prove anything";
  EXPECT_THAT(rig.LedgerProblems(device), IsEmpty());

  // What the server read, against what there was to read: at most the chunk that a cut tore in two
  // was sent twice.
  double distinct = 0;
  for (const auto& clip : rig.Clips()) distinct += static_cast<double>(Number(clip, "sizeBytes"));
  const double received = rig.Metric("gleaner_ingest_bytes_total");
  EXPECT_GE(received, distinct);
  EXPECT_LE(received - distinct, 1.0 * kKills * kBlockBytes);
}

TEST(Kill, TheServerFiftyTimesAndEveryNumberIsAccountedFor) {
  Rig rig;
  rig.StartServer();
  const DeviceSetup device = Busy();
  Process edge = rig.StartDevice(device);
  Moments moments(19690720);
  for (int i = 0; i < kKills; ++i) {
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
  EXPECT_LE(Number(upload, "resentBytesTotal"), Number(upload, "cutsTotal") * int64_t{kBlockBytes})
      << upload.dump();
  EXPECT_EQ(edge.Stop(), 0) << edge.Log();

  Drain(rig, device);
  EXPECT_GE(rig.Clips().size(), kKills / 2u) << "too little flowed to prove anything";
  EXPECT_THAT(rig.LedgerProblems(device), IsEmpty());
}

// The negative control: a daemon that deletes a clip once its bytes are handed to gRPC, as if a
// write were a receipt, and a server that dies between the last byte and the commit. The same audit
// must see the loss.
TEST(Kill, IsNoticedWhenADeviceTakesAWriteForAReceipt) {
  Rig rig;
  rig.StartServer({{"GLEANER_CRASH_AT", "ingest.last_chunk_written"}});
  const DeviceSetup device = Busy();
  Process edge = rig.StartDevice(device, {}, {{"GLEANER_FAULT", "upload.release_when_sent"}});
  ASSERT_TRUE(Eventually([&] { return !rig.server().running(); })) << edge.Log();
  edge.Stop();
  rig.StartServer();
  Drain(rig, device);
  EXPECT_THAT(rig.LedgerProblems(device), Not(IsEmpty()));
}

}  // namespace
}  // namespace gleaner::e2e
