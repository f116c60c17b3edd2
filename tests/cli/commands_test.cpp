// The commands against a real server side.
#include "cli/commands.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cloud/store/blob_place.h"
#include "common/file.h"
#include "tests/cloud/http/service_testing.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CommandsTest : public cloud::ServiceTest {
 protected:
  Client Connect(const std::string& token = "") { return Client::Connect(Url(), token).value(); }
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

TEST_F(CommandsTest, FetchesAClipAndChecksEveryDigest) {
  Start();
  const std::string id = AddClip(1);
  Client client = Connect();
  const std::string printed = Output([&] { return GetClip(client, id, folder_.path(), false); });
  EXPECT_THAT(printed, AllOf(HasSubstr("manifest.pb"), HasSubstr("video.mp4"), HasSubstr("ok")));
  EXPECT_EQ(ReadFile(folder_ / (id + "/video.mp4"), 1 << 20).value(), video_);
  EXPECT_EQ(ReadFile(folder_ / (id + "/preview.jpg"), 1 << 20).value(), preview_);
  EXPECT_EQ(ReadFile(folder_ / (id + "/manifest.pb"), 1 << 20).value(), manifest_);
}

TEST_F(CommandsTest, AChangedObjectIsReportedAndNotKept) {
  Start();
  const std::string id = AddClip(1);
  const auto row = catalog_->FindObject(id, v1::ClipObject::KIND_VIDEO, 0);
  // One byte turns in the store.
  const cloud::BlobPlace place = *cloud::PlaceOf(row->blob);
  const auto file = OpenFile(folder_ / ("blobs/" + place.segment), O_RDWR);
  ASSERT_TRUE(WriteAt(file->get(), "!", 1, place.offset + 1234).ok());
  Client client = Connect();
  testing::internal::CaptureStdout();
  const absl::Status status = GetClip(client, id, folder_.path(), false);
  testing::internal::GetCapturedStdout();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_FALSE(std::filesystem::exists(folder_ / (id + "/video.mp4")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / (id + "/video.mp4.part")));
}

TEST_F(CommandsTest, SummaryAndDevicesHaveSomethingToSayFromTheStart) {
  Start();
  Client client = Connect();
  EXPECT_THAT(Output([&] { return ShowSummary(client, false); }),
              HasSubstr("clips        0 (0 B)"));
  EXPECT_THAT(Output([&] { return ListDevices(client, "", false); }),
              HasSubstr("No device has said hello yet"));
  v1::HelloRequest hello;
  hello.set_boot_id(std::string(16, 'b'));
  hello.set_site("store-7");
  hello.set_software_version("0.1.0");
  ASSERT_TRUE(catalog_->RecordHello("cart-1", hello, clock_.WallNs()).ok());
  EXPECT_THAT(Output([&] { return ListDevices(client, "", false); }),
              AllOf(HasSubstr("DEVICE"), HasSubstr("cart-1"), HasSubstr("store-7")));
}

TEST_F(CommandsTest, AnOfflineDeviceUploadsNothing) {
  Start();
  Client client = Connect();
  v1::HeartbeatRequest heartbeat;
  heartbeat.set_boot_id(std::string(16, 'b'));
  heartbeat.mutable_upload()->set_rate_bytes_per_s(5 << 20);
  ASSERT_TRUE(catalog_->RecordHeartbeat("cart-1", heartbeat, clock_.WallNs()).ok());
  EXPECT_THAT(Output([&] { return ListDevices(client, "", false); }), HasSubstr("5.0 MiB/s"));
  clock_.StepWall(3600 * kNanosPerSecond);
  EXPECT_THAT(Output([&] { return ListDevices(client, "", false); }),
              AllOf(HasSubstr("offline"), Not(HasSubstr("MiB/s"))));
}

TEST_F(CommandsTest, AConflictIsToldWithItsDevice) {
  Start();
  Client client = Connect();
  ASSERT_TRUE(catalog_->RecordHello("cart-1", {}, clock_.WallNs()).ok());
  ASSERT_TRUE(
      catalog_->RecordConflict("cart-1", {cloud::TestBoot(0xab), 7}, {}, clock_.WallNs()).ok());
  EXPECT_THAT(Output([&] { return ListDevices(client, "", false); }),
              HasSubstr("cart-1: 1 clip in conflict; see `gleaner devices cart-1`"));
  EXPECT_THAT(Output([&] { return ListDevices(client, "cart-1", false); }),
              HasSubstr("cart-1: clip 7 of boot abababab"));
  EXPECT_THAT(Output([&] { return ListDevices(client, "cart-1", true); }),
              HasSubstr("\"conflicts\""));
  EXPECT_THAT(std::string(Message(ListDevices(client, "cart-2", false))),
              HasSubstr("no device \"cart-2\""));
}

TEST_F(CommandsTest, SaysWhatToDoAboutAMissingToken) {
  Start("a-token-of-enough-length");
  Client without = Connect();
  const absl::Status status = ShowSummary(without, false);
  EXPECT_THAT(std::string(Message(status)),
              AllOf(HasSubstr("--token"), HasSubstr("GLEANER_TOKEN")));
  Client with = Connect("a-token-of-enough-length");
  EXPECT_THAT(Output([&] { return ShowSummary(with, false); }), HasSubstr("devices"));
}

TEST_F(CommandsTest, ErrorsTeach) {
  Start();
  Client client = Connect();
  EXPECT_TRUE(absl::IsNotFound(ShowClip(client, "0123456789abcdef0123", false)));
  for (const char* url : {"", "localhost:8080", "ftp://x", "http://", "http://x/path"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Client::Connect(url, "").status())) << url;
  }
  const std::string url = Url();
  http_.reset();
  Client nobody = Client::Connect(url, "").value();
  EXPECT_THAT(std::string(Message(ShowSummary(nobody, false))),
              AllOf(HasSubstr(url), HasSubstr("Is gleaner-cloud running")));
}

TEST_F(CommandsTest, TheProgramExitsWithASentence) {
  Start();
  const auto run = [&](const std::string& arguments) {
    const std::string command =
        fmt::format("GLEANER_SERVER={} {}/gleaner {} 2>&1", Url(), GLEANER_BIN_DIR, arguments);
    FILE* tool = ::popen(command.c_str(), "r");
    std::string said;
    char buffer[4096];
    while (const size_t got = std::fread(buffer, 1, sizeof(buffer), tool)) said.append(buffer, got);
    return std::pair(WEXITSTATUS(::pclose(tool)), said);
  };
  EXPECT_EQ(run("summary").first, 0);
  const auto [status, said] = run("clips show 0123456789abcdef0123");
  EXPECT_EQ(status, 1);
  EXPECT_THAT(said, AllOf(testing::StartsWith("gleaner: "), HasSubstr("gleaner clips list")));
  EXPECT_EQ(run("--help").first, 0);
  EXPECT_NE(run("no-such-command").first, 0);
  EXPECT_EQ(run("--version").second, "0.1.0\n");
}

}  // namespace
}  // namespace gleaner::cli
