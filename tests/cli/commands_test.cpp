// The commands against a real server side.
#include "cli/commands.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "common/file.h"
#include "common/version.h"
#include "tests/cloud/http/service_testing.h"
#include "tests/data/paths.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CommandsTest : public cloud::ServiceTest {
 protected:
  Client Connect(const std::string& token = "") {
    return Client::Connect({.url = Url(), .token = token}).value();
  }
  std::string Url() { return fmt::format("http://127.0.0.1:{}", http_->port()); }

  // What `command` prints; it must succeed.
  template <typename Command>
  std::string Output(Command command) {
    testing::internal::CaptureStdout();
    const absl::Status status = command();
    const std::string printed = testing::internal::GetCapturedStdout();
    EXPECT_TRUE(status.ok()) << status;
    return printed;
  }
};

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

TEST_F(CommandsTest, ReadsAsManyPagesAsTheLimitWants) {
  Start();
  for (uint64_t i = 1; i <= 30; ++i) AddClip(i);
  Client client = Connect();
  const std::string few = Output([&] { return ListClips(client, {.limit = 7}); });
  EXPECT_EQ(std::count(few.begin(), few.end(), '\n'), 1 + 7 + 2);
  EXPECT_THAT(few, HasSubstr("7 of 30; --limit shows more."));
  const auto json =
      nlohmann::json::parse(Output([&] { return ListClips(client, {.limit = 0, .json = true}); }));
  EXPECT_EQ(json["clips"].size(), 30);
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
  ASSERT_TRUE(catalog_->RecordHello("cart-1", hello, clock_.WallNs()).ok());
  EXPECT_THAT(Output([&] { return ListDevices(client, false); }),
              AllOf(HasSubstr("DEVICE"), HasSubstr("cart-1"), HasSubstr("store-7")));
}

TEST_F(CommandsTest, AnOfflineDeviceUploadsNothing) {
  Start();
  Client client = Connect();
  v1::HeartbeatRequest heartbeat;
  heartbeat.set_boot_id(std::string(16, 'b'));
  heartbeat.mutable_upload()->set_rate_bytes_per_s(5 << 20);
  ASSERT_TRUE(catalog_->RecordHeartbeat("cart-1", heartbeat, clock_.WallNs()).ok());
  EXPECT_THAT(Output([&] { return ListDevices(client, false); }), HasSubstr("5.0 MiB/s"));
  clock_.StepWall(3600 * kNanosPerSecond);
  EXPECT_THAT(Output([&] { return ListDevices(client, false); }),
              AllOf(HasSubstr("offline"), Not(HasSubstr("MiB/s"))));
}

TEST_F(CommandsTest, AConflictIsToldWithItsDevice) {
  Start();
  Client client = Connect();
  ASSERT_TRUE(catalog_->RecordHello("cart-1", {}, clock_.WallNs()).ok());
  ASSERT_TRUE(
      catalog_->RecordConflict("cart-1", {cloud::TestBoot(0xab), 7}, {}, clock_.WallNs()).ok());
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
  ASSERT_TRUE(catalog_->RecordHello("cart-1", hello, clock_.WallNs()).ok());
  ASSERT_TRUE(catalog_->RecordHeartbeat("cart-1", Troubled(), clock_.WallNs()).ok());
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
  v1::HelloRequest hello;
  hello.set_site("store-7");
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
  ASSERT_TRUE(catalog_->RecordHello("cart-1", hello, clock_.WallNs()).ok());
  ASSERT_TRUE(catalog_->RecordHeartbeat("cart-1", Troubled(), clock_.WallNs()).ok());
  const std::string shown = Output([&] { return ShowDevice(client, "cart-1", false); });
  EXPECT_THAT(shown, AllOf(HasSubstr("cart-1 at store-7"), HasSubstr("Linux 6.1 x86_64"),
                           HasSubstr("back    streaming  rtsp h264 1280×720  30.0/s  remux"),
                           HasSubstr("hand         5  motion > 0.02")));
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

class ProgramTest : public CommandsTest {
 protected:
  struct Ended {
    int status;
    std::string out, err;
  };
  Ended Run(const std::string& arguments) {
    const std::string err = folder_ / "stderr";
    const std::string command =
        fmt::format("GLEANER_SERVER={} {}/gleaner {} 2>{}", Url(), BinDir(), arguments, err);
    FILE* tool = ::popen(command.c_str(), "r");
    std::string out;
    char buffer[4096];
    while (const size_t got = std::fread(buffer, 1, sizeof(buffer), tool)) out.append(buffer, got);
    const int status = WEXITSTATUS(::pclose(tool));
    return {status, out, ReadFile(err, 1 << 20).value()};
  }
};

TEST_F(ProgramTest, EndsWithTwoWhereItWasUsedWrongly) {
  Start();
  for (const char* wrong :
       {"", "no-such-command", "clips", "clips show", "clips get", "clips list --limit many",
        "clips get 0f3a --filter device:cart-1", "clips get 0f3a --limit 3", "summary extra",
        "summary --no-such-option", "clips show xyz", "clips list --filter colour:red",
        "clips get --filter device:Cart", "--server localhost:8080 summary",
        "--ca /nowhere/ca.pem summary"}) {
    const Ended ended = Run(wrong);
    EXPECT_EQ(ended.status, 2) << wrong;
    EXPECT_THAT(ended.err, testing::StartsWith("gleaner: ")) << wrong;
    EXPECT_EQ(ended.out, "") << wrong;
  }
}

TEST_F(ProgramTest, EndsWithOneWhereItFailed) {
  Start();
  for (const char* failing : {"clips show 0123456789abcdef0123", "clips show 0123", "devices none",
                              "clips get 0123456789abcdef0123", "clips get --filter device:none"}) {
    const Ended ended = Run(failing);
    EXPECT_EQ(ended.status, 1) << failing << ended.err;
    EXPECT_THAT(ended.err, testing::StartsWith("gleaner: ")) << failing;
  }
}

TEST_F(ProgramTest, EndsWithNoughtAndExplainsItself) {
  Start();
  EXPECT_EQ(Run("summary").status, 0);
  const Ended help = Run("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out,
              AllOf(HasSubstr("Exit status: 0 done; 1 it failed"), HasSubstr("2 used wrongly")));
  EXPECT_EQ(Run("clips get --help").status, 0);
  EXPECT_EQ(Run("--version").out.find(Version()), 0u);
}

TEST_F(ProgramTest, SaysErrorsAsJsonWhereJsonIsAskedFor) {
  Start();
  const auto error = [&](const std::string& arguments, int status) {
    const Ended ended = Run(arguments);
    EXPECT_EQ(ended.status, status) << arguments;
    EXPECT_EQ(ended.out, "") << arguments;
    const auto json = nlohmann::json::parse(ended.err, nullptr, false);
    EXPECT_TRUE(json.is_object() && json.contains("message")) << ended.err;
    return json.value("code", "");
  };
  EXPECT_EQ(error("clips show 0123 --json", 1), "not_found");
  EXPECT_EQ(error("devices none --json", 1), "not_found");
  EXPECT_EQ(error("clips list --filter colour:red --json", 2), "invalid_argument");
  EXPECT_EQ(error("clips list --json --limit many", 2), "invalid_argument");
  EXPECT_EQ(error("--server http://127.0.0.1:1 summary --json", 1), "unavailable");
}

TEST_F(ProgramTest, PrintsJsonInOneStyle) {
  Start();
  const std::string id = AddClip(1);
  ASSERT_TRUE(catalog_->RecordHello("cart-1", {}, clock_.WallNs()).ok());
  for (const std::string& arguments :
       {std::string("summary"), std::string("devices"), std::string("devices cart-1"),
        std::string("clips list"), "clips show " + id,
        "clips get --filter device:cart-1 --out " + folder_ / "out"}) {
    const std::string text = Run(arguments + " --json").out;
    const auto json = nlohmann::json::parse(text, nullptr, false);
    ASSERT_TRUE(json.is_object()) << arguments << text;
    // Names in lowerCamelCase at every level, and no list of anything but objects and texts.
    std::function<void(const nlohmann::json&)> check = [&](const nlohmann::json& value) {
      if (value.is_object()) {
        for (const auto& [name, inner] : value.items()) {
          EXPECT_EQ(name.find_first_of("_- "), std::string::npos) << name;
          EXPECT_TRUE(std::islower(static_cast<unsigned char>(name[0]))) << name;
          check(inner);
        }
      } else if (value.is_array()) {
        for (const auto& inner : value) check(inner);
      }
    };
    check(json);
    EXPECT_EQ(text.find("\n "), 1u) << "over several lines: " << text;
  }
}

}  // namespace
}  // namespace gleaner::cli
