// No credential of any shape of URL in anything that is printed, sent or stored: whole programs, at
// the most talkative level, against cameras that stream, refuse, or repeat what they were asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "edge/camera/camera_address.h"
#include "tests/data/paths.h"
#include "tests/e2e/rig.h"
#include "tests/edge/camera/camera_door.h"
#include "tests/edge/camera/rtsp_camera.h"
#include "tests/edge/camera/secret_urls.h"

namespace gleaner::e2e {
namespace {

using edge::CameraAddress;
using edge::CameraDoor;
using edge::Film;
using edge::RtspBehavior;
using edge::RtspCamera;
using edge::RtspRequest;
using edge::SecretUrl;
using edge::SecretUrls;
using edge::SourceKind;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr size_t kCamerasPerDevice = 8;

std::string Bin(const std::string& name) { return BinDir() + "/" + name; }

// As a string of TOML.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

// A small film that moves, sent at its own pace.
Film MovingFilm() {
  return Film::Load(edge::MakeFilm({.seconds = 4,
                                    .width = 160,
                                    .height = 96,
                                    .moves_from_s = 1,
                                    .moves_to_s = 3,
                                    .encode = "-c:v libx264 -preset ultrafast -bf 0 -g 25 -pix_fmt "
                                              "yuv420p"}));
}
bool AtItsPace(int64_t) {
  std::this_thread::sleep_for(std::chrono::milliseconds(40));
  return true;
}

// Everything that was found, by where.
using Texts = std::map<std::string, std::string>;

void AddFiles(const std::filesystem::path& folder, Texts* texts) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    // The configuration is where the credentials are meant to be.
    if (!entry.is_regular_file() || entry.path().extension() == ".toml") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    (*texts)[entry.path()] = bytes.str();
  }
}

// Where a secret is told, and which.
std::vector<std::string> Leaks(const Texts& texts, const std::vector<SecretUrl>& urls) {
  std::vector<std::string> leaks;
  for (const auto& [where, text] : texts) {
    for (const SecretUrl& url : urls) {
      for (const std::string& secret : url.secrets) {
        if (text.find(secret) == std::string::npos) continue;
        leaks.push_back(fmt::format("{} tells {} of {}", where, secret, url.url));
      }
    }
  }
  return leaks;
}

TEST(SecretUrls, AreFoundWhereverOneIsTold) {
  const std::vector<SecretUrl> urls = SecretUrls("127.0.0.1:8554");
  EXPECT_GE(urls.size(), 30u);
  for (const SecretUrl& url : urls) {
    EXPECT_EQ(Leaks({{"a log", "opening " + url.url + " failed"}}, {url}).size(),
              url.secrets.size())
        << url.url;
    EXPECT_THAT(Leaks({{"a log", "opening rtsp://127.0.0.1:8554 failed"}}, {url}),
                ::testing::IsEmpty());
  }
}

class Secrets : public ::testing::Test {
 protected:
  // The output of a command, whatever its exit status, for looking through.
  void Take(const std::string& name, const std::vector<std::string>& argv) {
    const std::string log = fmt::format("{}/{}.out", rig_.directory(), name);
    Process process(argv, log);
    EXPECT_NE(process.Wait(seconds(60)), -1) << name;
    EXPECT_FALSE(process.Log().empty()) << name;
  }

  DeviceSetup Device(const std::string& name, const std::vector<SecretUrl>& urls) {
    DeviceSetup device{.name = name,
                       .quota = "16 MiB",
                       .more = "[log]\nlevel = \"trace\"\n[heartbeat]\ninterval = \"1s\"\n"};
    device.when = "motion > 0.001";
    for (size_t i = 0; i < urls.size(); ++i) {
      device.more +=
          fmt::format("[[camera]]\nname = \"cam-{}\"\nurl = {}\n", i + 1, Quoted(urls[i].url));
    }
    device.more +=
        "[[rule]]\nname = \"test-rule\"\nwhen = \"motion > 0.001\"\npre = \"1s\"\npost = "
        "\"1s\"\ncooldown = \"1s\"\nmax_clip = \"10s\"\n";
    return device;
  }

  Rig rig_;
};

TEST_F(Secrets, AreInNothingThatIsPrintedSentOrStored) {
  rig_.StartServer();
  const Film film = MovingFilm();
  // Streams to everybody, and says again what it was asked for wherever it may.
  RtspCamera open(film, RtspBehavior{.loop = true, .pace = AtItsPace});
  RtspCamera echo(film, RtspBehavior{.door = [](const RtspRequest& request) {
                    return std::optional(RtspBehavior::Answer{
                        fmt::format("404 Not Found: {}", request.url),
                        fmt::format("Server: of {0}\r\nLocation: {0}\r\n", request.url)});
                  }});
  const CameraDoor door({.schemes = {"Basic", "SHA-256"}, .user = "nobody"});
  RtspCamera locked(film, RtspBehavior{.door = door});

  std::vector<SecretUrl> all;
  std::vector<Process> devices;
  std::vector<DeviceSetup> setups;
  size_t streaming = 0;  // cameras
  for (const RtspCamera* camera : {&open, &echo, &locked}) {
    std::vector<SecretUrl> watched;
    for (const SecretUrl& url : SecretUrls(fmt::format("127.0.0.1:{}", camera->port()))) {
      all.push_back(url);
      const auto address = CameraAddress::Parse(url.url);
      if (address.ok() && address->kind() == SourceKind::kRtsp && !address->tls()) {
        watched.push_back(url);
      }
      if (camera != &open) continue;
      // What is right and what is wrong of each, said before it is watched.
      const std::string name = fmt::format("check-{}", all.size());
      Take(name, {Bin("gleaner-edge"), "--config", rig_.Configure(Device(name, {url})),
                  "--check-config"});
    }
    EXPECT_GE(watched.size(), 30u);
    for (size_t at = 0; at < watched.size(); at += kCamerasPerDevice) {
      const size_t count = std::min(kCamerasPerDevice, watched.size() - at);
      setups.push_back(Device(fmt::format("device-{}", setups.size() + 1),
                              {watched.begin() + at, watched.begin() + at + count}));
      devices.push_back(rig_.StartDevice(setups.back()));
      if (camera == &open) streaming += count;
    }
  }

  // Clips of every device that sees something, and the others have been sent away.
  EXPECT_TRUE(Eventually(
      [&] {
        std::set<std::string> with_clips;
        for (const auto& clip : rig_.Clips()) with_clips.insert(clip.value("device", ""));
        return with_clips.size() * kCamerasPerDevice >= streaming;
      },
      seconds(180)))
      << rig_.Call("ListDevices").dump(2);
  EXPECT_TRUE(Eventually([&] { return open.connections() >= static_cast<int>(streaming); }));
  EXPECT_TRUE(Eventually([&] { return echo.connections() >= static_cast<int>(streaming); }));
  EXPECT_TRUE(Eventually([&] { return locked.connections() >= static_cast<int>(streaming); }));

  Texts texts;
  for (size_t i = 0; i < setups.size(); ++i) {
    const std::string config = rig_.Configure(setups[i]);
    Take(fmt::format("status-{}", i), {Bin("gleaner-edge"), "--config", config, "status"});
    Take(fmt::format("status-json-{}", i),
         {Bin("gleaner-edge"), "--config", config, "status", "--json"});
    Take(fmt::format("check-{}", i), {Bin("gleaner-edge"), "--config", config, "--check-config"});
  }
  const std::string server = fmt::format("http://127.0.0.1:{}", rig_.http_port());
  Take("devices", {Bin("gleaner"), "--server", server, "devices"});
  Take("devices-json", {Bin("gleaner"), "--server", server, "devices", "--json"});
  for (const char* method : {"ListDevices", "ListClips", "GetSummary"}) {
    texts[method] = rig_.Call(method).dump();
  }
  for (const auto& clip : rig_.Clips()) {
    const std::string id = clip.at("id");
    texts["clip " + id] = rig_.Call("GetClip", {{"id", id}}).dump();
    for (const char* part : {"manifest", "samples", "video/0", "preview"}) {
      if (const auto body = rig_.Get(fmt::format("/media/{}/{}", id, part))) {
        texts[fmt::format("{} of {}", part, id)] = body->second;
      }
    }
  }
  for (const char* page : {"/", "/metrics", "/readyz"}) {
    if (const auto body = rig_.Get(page)) texts[page] = body->second;
  }
  // A look at each, right or wrong, at cameras of all kinds.
  for (size_t at = 0; at < all.size(); at += kCamerasPerDevice) {
    std::vector<Process> probes;
    for (size_t i = at; i < std::min(at + kCamerasPerDevice, all.size()); ++i) {
      const std::string log = fmt::format("{}/probe-{}.out", rig_.directory(), i);
      std::vector<std::string> argv = {Bin("gleaner-edge"), "probe", all[i].url, "--seconds", "1"};
      if (i % 2 == 0) argv.emplace_back("--json");
      probes.emplace_back(argv, log);
    }
    for (Process& probe : probes) {
      EXPECT_NE(probe.Wait(seconds(60)), -1);
      EXPECT_FALSE(probe.Log().empty());
    }
  }
  for (Process& device : devices) EXPECT_EQ(device.Stop(), 0) << device.Log();
  rig_.server().Stop();
  AddFiles(rig_.directory(), &texts);

  // That all of it is looked through: what is printed, stored on the device, sent and kept.
  for (const char* part : {"/status-0.out", "/status-json-0.out", "/check-1.out", "/probe-0.out",
                           "/devices.out", "/spool.db", "/spool.blocks", "/catalog.db"}) {
    EXPECT_TRUE(std::any_of(texts.begin(), texts.end(), [&](const auto& text) {
      return text.first.ends_with(part);
    })) << part;
  }
  // That what is looked through is what was said: each camera, as it may be shown.
  std::string everything;
  for (const auto& [where, text] : texts) everything += text;
  for (const RtspCamera* camera : {&echo, &locked}) {
    EXPECT_THAT(everything, HasSubstr(fmt::format("rtsp://127.0.0.1:{}", camera->port())));
  }
  EXPECT_THAT(everything, HasSubstr("answers DESCRIBE with 404"));
  EXPECT_THAT(everything, HasSubstr("login refused"));
  EXPECT_THAT(Leaks(texts, all), ::testing::IsEmpty());
}

}  // namespace
}  // namespace gleaner::e2e
