// The commands against a real server side.
#include "cli/commands.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/cli/commands_testing.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST_F(CommandsTest, ListsClipsInATable) {
  Start();
  const std::string id = AddClip(1);
  AddClip(2, "cart-2");
  Client client = Connect();
  const std::string all = Output([&] { return ListClips(client, {}); });
  EXPECT_THAT(all, AllOf(HasSubstr("ID "), HasSubstr(id), HasSubstr("cart-2"),
                         HasSubstr("683.6 KiB"), HasSubstr("4.0 s"), HasSubstr("pending")));
  const std::string some = Output([&] { return ListClips(client, {.filter = "device:cart-1"}); });
  EXPECT_THAT(some, AllOf(HasSubstr(id), Not(HasSubstr("cart-2"))));
  EXPECT_THAT(Output([&] { return ListClips(client, {.filter = "device:none"}); }),
              HasSubstr("No clips match"));
}

TEST_F(CommandsTest, ATableOfClipsHasALineEach) {
  Start();
  cloud::TestClip clip = cloud::MakeTestClip({.sequence = 9});
  ASSERT_TRUE(CommitTestClip(*catalog_, clip).ok());
  Client client = Connect();
  EXPECT_EQ(Output([&] { return ListClips(client, {}); }),
            "ID                    FIRED                DEVICE  SITE     CAMERA  RULE    LENGTH   "
            "    SIZE  FRAMES  MEDIA\n"
            "90d806535e50da66b4b0  2023-11-14 22:13:20  cart-1  store-7  front   motion   4.0 s  "
            "996.1 KiB     120  pending\n");
}

TEST_F(CommandsTest, ReadsAsManyPagesAsTheLimitWants) {
  Start();
  for (uint64_t i = 1; i <= 30; ++i) AddClip(i);
  Client client = Connect();
  const std::string as_many = Output([&] { return ListClips(client, {.limit = 30}); });
  EXPECT_EQ(std::count(as_many.begin(), as_many.end(), '\n'), 1 + 30) << "no word of more";
  const std::string few = Output([&] { return ListClips(client, {.limit = 7}); });
  EXPECT_EQ(std::count(few.begin(), few.end(), '\n'), 1 + 7 + 2);
  EXPECT_THAT(few, HasSubstr("7 of 30; --limit shows more."));
  const auto json =
      nlohmann::json::parse(Output([&] { return ListClips(client, {.limit = 0, .json = true}); }));
  EXPECT_EQ(json["clips"].size(), 30);
  const auto some =
      nlohmann::json::parse(Output([&] { return ListClips(client, {.limit = 7, .json = true}); }));
  EXPECT_EQ(some["clips"].size(), 7);
}

TEST_F(CommandsTest, PointsAtTheMistakeInAFilter) {
  Start();
  Client client = Connect();
  const absl::Status status = ListClips(client, {.filter = "device:cart-1 colour:red"});
  EXPECT_THAT(std::string(Message(status)), HasSubstr("\n  device:cart-1 colour:red\n"
                                                      "                ^"));
}

TEST_F(CommandsTest, ShowsAClipWithItsEvidence) {
  Start();
  cloud::TestClip clip = cloud::MakeTestClip({.sequence = 9});
  v1::TriggerEvidence* trigger = clip.manifest.mutable_trigger();
  trigger->set_expression("motion > 0.02");
  clip.manifest.mutable_video(0)->set_encoder("remux");
  trigger->add_firing_monotonic_ns(clip.manifest.delivered().start_monotonic_ns() +
                                   2 * kNanosPerSecond);
  v1::SignalTrace* signal = trigger->add_signals();
  signal->set_name("motion");
  signal->set_unit("1");
  for (int i = 0; i < 4; ++i) {
    signal->add_offset_us(i * 1'000'000);
    signal->add_value(i == 2 ? 0.5 : 0.0);
  }
  clip.upload.manifest = clip.manifest.SerializeAsString();
  clip.upload.manifest_sha256 = Sha256::Of(clip.upload.manifest);
  ASSERT_TRUE(CommitTestClip(*catalog_, clip).ok());
  const std::string id = ClipId("cart-1", clip.upload.key);
  Client client = Connect();
  const std::string shown = Output([&] { return ShowClip(client, id, false); });
  EXPECT_THAT(shown, AllOf(HasSubstr("cart-1 at store-7"), HasSubstr("motion > 0.02"),
                           HasSubstr("█"), HasSubstr("0 to 0.5")));
  EXPECT_EQ(shown,
            "clip      " + id +
                "\n"
                "device    cart-1 at store-7\n"
                "fired     2023-11-14 22:13:20\n"
                "rule      motion (priority 5): motion > 0.02\n"
                "length    4.00 s, 996.1 KiB\n"
                "video     front: h264 1280×720, 120 frames, remux\n"
                "media     pending\n"
                "manifest  sha256 " +
                Hex(AsBytes(clip.upload.manifest_sha256)) +
                "\n"
                "\n"
                "motion  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁███████████████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  0 to 0.5\n"
                "                                      ^                               fired\n");
  // The mark of the firing stands under the third quarter, where the signal rose.
  const size_t marks = shown.rfind('\n', shown.find("^  ")) + 1;
  EXPECT_EQ(shown.find('^', marks) - marks, std::string("motion  ").size() + 30);
  EXPECT_EQ(
      nlohmann::json::parse(Output([&] { return ShowClip(client, id, true); }))["summary"]["id"],
      id);
}

TEST_F(CommandsTest, SummaryAndDevicesHaveSomethingToSayFromTheStart) {
  Start();
  Client client = Connect();
  EXPECT_THAT(Output([&] { return ShowSummary(client, false); }),
              HasSubstr("clips        0 (0 B)"));
  EXPECT_THAT(Output([&] { return ListDevices(client, false); }),
              HasSubstr("No device has said hello yet"));
  v1::HelloRequest hello;
  hello.set_boot_id(std::string(16, 'b'));
  hello.set_site("store-7");
  hello.set_software_version("0.1.0");
  ASSERT_TRUE(catalog_->devices.RecordHello("cart-1", hello, clock_.WallNs()).ok());
  EXPECT_THAT(Output([&] { return ListDevices(client, false); }),
              AllOf(HasSubstr("DEVICE"), HasSubstr("cart-1"), HasSubstr("store-7")));
}

TEST_F(CommandsTest, AnOfflineDeviceUploadsNothing) {
  Start();
  Client client = Connect();
  v1::HeartbeatRequest heartbeat;
  heartbeat.set_boot_id(std::string(16, 'b'));
  heartbeat.mutable_upload()->set_rate_bytes_per_s(5 << 20);
  ASSERT_TRUE(catalog_->devices.RecordHeartbeat("cart-1", heartbeat, clock_.WallNs()).ok());
  EXPECT_THAT(Output([&] { return ListDevices(client, false); }), HasSubstr("5.0 MiB/s"));
  clock_.StepWall(3600 * kNanosPerSecond);
  EXPECT_THAT(Output([&] { return ListDevices(client, false); }),
              AllOf(HasSubstr("offline"), Not(HasSubstr("MiB/s"))));
}

TEST_F(CommandsTest, AConflictIsToldWithItsDevice) {
  Start();
  Client client = Connect();
  ASSERT_TRUE(catalog_->devices.RecordHello("cart-1", {}, clock_.WallNs()).ok());
  ASSERT_TRUE(
      catalog_->uploads.RecordConflict("cart-1", {cloud::TestBoot(0xab), 7}, {}, clock_.WallNs())
          .ok());
  EXPECT_THAT(Output([&] { return ListDevices(client, false); }),
              HasSubstr("cart-1: 1 clip in conflict; see `gleaner devices cart-1`"));
  EXPECT_THAT(Output([&] { return ShowDevice(client, "cart-1", false); }),
              AllOf(HasSubstr("1 clip in conflict"), HasSubstr("clip 7 of boot abababab"),
                    HasSubstr(", 1 time, last ")));
  EXPECT_THAT(Output([&] { return ShowDevice(client, "cart-1", true); }),
              HasSubstr("\"conflicts\""));
  EXPECT_THAT(std::string(Message(ShowDevice(client, "cart-2", false))),
              HasSubstr("no device \"cart-2\""));
}

// What a device with everything wrong is told of.
v1::HeartbeatRequest Troubled() {
  v1::HeartbeatRequest heartbeat;
  heartbeat.set_boot_id(std::string(16, 'b'));
  heartbeat.set_problem("the disk is full");
  v1::Problem* capture = heartbeat.add_problems();
  capture->set_part("capture");
  capture->set_text("the disk is full");
  v1::CameraHealth* front = heartbeat.add_cameras();
  front->set_name("front");
  front->set_state(v1::CameraHealth::STATE_RECONNECTING);
  front->set_problem("no route to host");
  v1::CameraHealth* back = heartbeat.add_cameras();
  back->set_name("back");
  back->set_state(v1::CameraHealth::STATE_STREAMING);
  back->set_frames_per_s(29.97);
  return heartbeat;
}

size_t CountOf(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST_F(CommandsTest, SaysEachFaultOfADeviceOnce) {
  Start();
  Client client = Connect();
  v1::HelloRequest hello;
  for (const char* name : {"front", "back"}) {
    v1::CameraDescription* camera = hello.add_cameras();
    camera->set_name(name);
    camera->set_source("rtsp");
  }
  ASSERT_TRUE(catalog_->devices.RecordHello("cart-1", hello, clock_.WallNs()).ok());
  ASSERT_TRUE(catalog_->devices.RecordHeartbeat("cart-1", Troubled(), clock_.WallNs()).ok());
  const std::string list = Output([&] { return ListDevices(client, false); });
  const std::string one = Output([&] { return ShowDevice(client, "cart-1", false); });
  for (const std::string& said : {list, one}) {
    EXPECT_EQ(CountOf(said, "the disk is full"), 1u) << said;
    EXPECT_EQ(CountOf(said, "no route to host"), 1u) << said;
  }
  EXPECT_THAT(list, AllOf(HasSubstr("cart-1: capture: the disk is full\n"),
                          HasSubstr("cart-1: camera front: reconnecting: no route to host\n"),
                          Not(HasSubstr("back"))));
  clock_.Advance(7200 * kNanosPerSecond);
  EXPECT_THAT(Output([&] { return ListDevices(client, false); }),
              HasSubstr("capture: the disk is full (as of "));
}

TEST_F(CommandsTest, ShowsADeviceWhole) {
  Start();
  Client client = Connect();
  // The tool tells ages by the time of the machine that it runs on.
  const int64_t now = RealClock().WallNs() + 3600 * kNanosPerSecond;
  clock_.StepWall(now - clock_.WallNs());
  v1::HelloRequest hello;
  hello.set_site("store-7");
  hello.set_software_version("0.1.0");
  hello.set_platform("Linux 6.1 x86_64");
  v1::CameraDescription* camera = hello.add_cameras();
  camera->set_name("back");
  camera->set_source("rtsp");
  camera->set_codec("h264");
  camera->set_width(1280);
  camera->set_height(720);
  camera->set_encoder("remux");
  v1::RuleDescription* rule = hello.add_rules();
  rule->set_name("hand");
  rule->set_expression("motion > 0.02");
  rule->set_priority(5);
  v1::CameraDescription* side = hello.add_cameras();
  side->set_name("side");
  side->set_source("v4l2");
  ASSERT_TRUE(catalog_->devices.RecordHello("cart-1", hello, now).ok());
  v1::HeartbeatRequest heartbeat = Troubled();
  heartbeat.mutable_process()->set_uptime_s(7200);
  heartbeat.mutable_process()->set_cpu_percent(4.25);
  heartbeat.mutable_process()->set_rss_bytes(52 << 20);
  heartbeat.mutable_spool()->set_used_bytes(300 << 20);
  heartbeat.mutable_spool()->set_quota_bytes(1 << 30);
  heartbeat.mutable_spool()->set_pending_clips(1);
  heartbeat.mutable_upload()->set_state("sending");
  heartbeat.mutable_upload()->set_rate_bytes_per_s(5 << 20);
  ASSERT_TRUE(catalog_->devices.RecordHeartbeat("cart-1", heartbeat, now).ok());
  v1::ReportLedgerRequest report;
  v1::BootLedger* boot = report.add_boots();
  boot->set_boot_id(std::string(16, 'b'));
  boot->set_last_sequence(5);
  v1::SequenceRange* pending = boot->add_pending();
  pending->set_first(5);
  pending->set_last(5);
  for (int state = v1::Tombstone::STATE_EVICTED; state <= v1::Tombstone::STATE_FAILED; ++state) {
    v1::Tombstone* tombstone = boot->add_tombstones();
    tombstone->mutable_key()->set_boot_id(boot->boot_id());
    tombstone->mutable_key()->set_sequence(static_cast<uint64_t>(state));
    tombstone->set_state(static_cast<v1::Tombstone::State>(state));
    tombstone->set_rule("hand");
    tombstone->set_reason("because");
    tombstone->mutable_at()->set_wall_unix_ns(now - 1);
  }
  v1::ReportLedgerResponse response;
  ASSERT_TRUE(catalog_->uploads.ReportLedger("cart-1", report, &response).ok());
  EXPECT_EQ(
      Output([&] { return ShowDevice(client, "cart-1", false); }),
      "device    cart-1 at store-7\n"
      "state     degraded, seen just now\n"
      "software  gleaner-edge 0.1.0 on Linux 6.1 x86_64\n"
      "process   up 2 h, 4.2 % of a core, 52.0 MiB\n"
      "spool     300.0 MiB of 1.0 GiB, 1 clip waiting\n"
      "upload    sending, 5.0 MiB/s\n"
      "clips     0, 0 B\n"
      "ledger    5 fired: 0 committed, 1 pending, 1 evicted, 1 expired, 1 suppressed, 1 failed\n"
      "\n"
      "problems\n"
      "  capture: the disk is full\n"
      "  camera front: reconnecting: no route to host\n"
      "\n"
      "CAMERA  STATE      SENDS                 RATE  ENCODER\n"
      "back    streaming  rtsp h264 1280×720  30.0/s  remux\n"
      "side    unknown    v4l2                     -\n"
      "\n"
      "RULE  PRIORITY  WHEN\n"
      "hand         5  motion > 0.02\n"
      "\n"
      "ENDED WITHOUT A CLIP  RULE  WHEN      WHY\n"
      "4 failed              hand  just now  because\n"
      "3 suppressed          hand  just now  because\n"
      "2 expired             hand  just now  because\n"
      "1 evicted             hand  just now  because\n");
  EXPECT_EQ(Output([&] { return ListDevices(client, false); }),
            "DEVICE  SITE     STATE     SEEN      CLIPS  SIZE  WAITING     UPLOAD  VERSION\n"
            "cart-1  store-7  degraded  just now      0   0 B        1  5.0 MiB/s  0.1.0\n"
            "\n"
            "cart-1: capture: the disk is full\n"
            "cart-1: camera front: reconnecting: no route to host\n");
}

TEST_F(CommandsTest, TakesTheBeginningOfAnIdWhereAnIdIsTaken) {
  Start();
  std::vector<std::string> ids;
  for (uint64_t i = 1; i <= 40; ++i) ids.push_back(AddClip(i));
  std::sort(ids.begin(), ids.end());
  Client client = Connect();
  // As many digits as tell it from its neighbours.
  const auto common = [](const std::string& a, const std::string& b) {
    return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
  };
  const size_t needed = std::max(common(ids[5], ids[4]), common(ids[5], ids[6])) + 1;
  const std::string begin = ids[5].substr(0, needed);
  EXPECT_THAT(Output([&] { return ShowClip(client, begin, false); }), HasSubstr(ids[5]));
  std::string upper = begin;
  std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
  EXPECT_THAT(Output([&] { return ShowClip(client, upper, true); }), HasSubstr(ids[5]));
  Output([&] { return GetClips(client, {.ids = {begin}, .directory = folder_.path()}); });
  EXPECT_TRUE(std::filesystem::exists(folder_ / ids[5]));

  const absl::Status ambiguous = ShowClip(client, ids[5].substr(0, needed - 1), false);
  EXPECT_TRUE(absl::IsFailedPrecondition(ambiguous)) << ambiguous;
  EXPECT_THAT(std::string(Message(ambiguous)),
              AllOf(HasSubstr("write more of it"), HasSubstr(ids[5]), HasSubstr("cart-1")));
  const absl::Status nearly_all = ShowClip(client, "", false);
  EXPECT_TRUE(absl::IsInvalidArgument(nearly_all));
  EXPECT_TRUE(absl::IsInvalidArgument(ShowClip(client, "xyz", false)));
  EXPECT_TRUE(absl::IsInvalidArgument(ShowClip(client, ids[5] + "0", false)));
  std::string none = ids[0].substr(0, 19);
  none.back() = none.back() == '0' ? '1' : '0';
  EXPECT_THAT(ShowClip(client, none, false).ToString(),
              AllOf(HasSubstr("NOT_FOUND"), HasSubstr("gleaner clips list")));
}

TEST_F(CommandsTest, ListsTenCandidatesAndSaysHowManyMoreThereAre) {
  Start();
  // Of 200 clips every first digit has some twelve.
  std::map<char, int> begins;
  for (uint64_t i = 1; i <= 200; ++i) ++begins[AddClip(i)[0]];
  const auto most =
      std::max_element(begins.begin(), begins.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  ASSERT_GT(most->second, 10);
  Client client = Connect();
  const std::string said(Message(ShowClip(client, std::string(1, most->first), false)));
  EXPECT_THAT(said, AllOf(HasSubstr(fmt::format("the ids of {} clips begin with", most->second)),
                          HasSubstr(fmt::format("and {} more", most->second - 10))));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 11);
}

}  // namespace
}  // namespace gleaner::cli
