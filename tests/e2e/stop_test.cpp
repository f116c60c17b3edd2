// A stop by more than one signal, or by one to the whole process group, keeps what one signal would
// have kept; so does a device that hardly gets to run.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "tests/data/footage.h"
#include "tests/data/paths.h"
#include "tests/e2e/rig.h"

namespace gleaner::e2e {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// A clip that stays in hand until somebody ends it.
DeviceSetup Watching() {
  return {.videos = {Footage("cup.mp4")},
          .pace = "realtime",
          .loop = true,
          .when = "motion > 0.01",
          .post = "9min",
          .max_clip = "10min"};
}

// Of a process, in the order of the kernel.
std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
    std::ifstream in(task.path() / "children");
    for (pid_t child = 0; in >> child;) children.push_back(child);
  }
  return children;
}

// "T": stopped.
char StateOf(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(in, text);
  const size_t end = text.rfind(')');
  return end == std::string::npos ? '?' : text[end + 2];
}

void ExpectTheClipInHandIsStored(Rig& rig, const DeviceSetup& device) {
  const nlohmann::json status = rig.Status(device);
  EXPECT_EQ(Number(status, "lastSequence"), 1) << status.dump(2);
  EXPECT_EQ(Number(status, "pendingClips"), 1) << status.dump(2);
  EXPECT_EQ(Number(status, "failedTotal"), 0) << status.dump(2);
}

TEST(Stop, MoreSignalsAndOnesToTheGroupCostADeviceNoClip) {
  Rig rig;
  const DeviceSetup device = Watching();
  Process edge = rig.StartDevice(device);
  ASSERT_TRUE(Eventually([&] { return edge.Log().find(" fired: clip") != std::string::npos; }))
      << edge.Log();
  // Different ones, since two of a kind may become one on their way.
  edge.SignalGroup(SIGTERM);
  edge.SignalGroup(SIGINT);
  edge.SignalGroup(SIGHUP);
  edge.Signal(SIGTERM);
  EXPECT_EQ(edge.Wait(seconds(60)), 0) << edge.Log();
  EXPECT_THAT(edge.Log(), HasSubstr("again: still stopping"));
  ExpectTheClipInHandIsStored(rig, device);
}

TEST(Stop, SigquitEndsADeviceAtOnceAndTheNextStartFailsTheClipInHand) {
  Rig rig;
  const DeviceSetup device = Watching();
  Process edge = rig.StartDevice(device);
  ASSERT_TRUE(Eventually([&] { return edge.Log().find(" fired: clip") != std::string::npos; }))
      << edge.Log();
  edge.Signal(SIGQUIT);
  EXPECT_EQ(edge.Wait(seconds(20)), 131) << edge.Log();
  EXPECT_EQ(Number(rig.Status(device), "capturing"), 1);
}

TEST(Stop, MoreSignalsAndOnesToEveryProcessCostAServerNoCheck) {
  Rig rig;
  // A check that stands still in its middle, so that the stop finds it there.
  const std::string worker = rig.directory() + "/standing-worker";
  std::ofstream(worker) << "#!/bin/sh\nkill -STOP $$\nexec " << BinDir() << "/gleaner-media\n";
  ASSERT_EQ(::chmod(worker.c_str(), 0755), 0);
  rig.AppendServerConfig(fmt::format("[media]\nworker = \"{}\"\n", worker));
  Process& standing = rig.StartServer();
  const DeviceSetup device{.videos = {Footage("cup.mp4")}};
  EXPECT_EQ(rig.StartDevice(device, {"--until-drained"}).Wait(seconds(60)), 0);
  std::vector<pid_t> workers;
  ASSERT_TRUE(Eventually([&] {
    workers = ChildrenOf(standing.pid());
    return workers.size() == 1 && StateOf(workers[0]) == 'T';
  })) << standing.Log();

  // To all that a service manager or a terminal would reach.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    ::kill(-workers[0], signal);
    standing.SignalGroup(signal);
  }
  standing.Signal(SIGTERM);
  EXPECT_EQ(standing.Wait(seconds(60)), 0) << standing.Log();
  EXPECT_THAT(standing.Log(), HasSubstr("again: still stopping"));

  ASSERT_EQ(::truncate(worker.c_str(), 0), 0);
  std::ofstream(worker) << "#!/bin/sh\nexec " << BinDir() << "/gleaner-media\n";
  rig.StartServer();
  const auto checked = [&] {
    const nlohmann::json summary = rig.Call("GetSummary");
    return Number(summary, "mediaOk") == Number(summary, "clips");
  };
  EXPECT_TRUE(Eventually(checked)) << rig.Call("GetSummary").dump(2) << rig.server().Log();
  EXPECT_GT(Number(rig.Call("GetSummary"), "clips"), 0);
}

}  // namespace
}  // namespace gleaner::e2e
