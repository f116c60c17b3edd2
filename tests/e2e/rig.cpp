#include "tests/e2e/rig.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "gleaner/v1/clip.pb.h"
#include "tests/data/free_port.h"
#include "tests/data/paths.h"
#include "tests/data/test_bucket.h"
#include "tests/data/test_database.h"
#include "tests/data/test_objects.h"

namespace gleaner::e2e {
namespace {

constexpr auto kStartDeadline = std::chrono::seconds(20);

std::string Bin(const std::string& name) { return BinDir() + "/" + name; }

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

}  // namespace

Rig::Rig() : Page(FreeServerPort()), grpc_port_(FreeServerPort()) { pki_.Write(directory_); }

Process& Rig::StartServer(const Process::Environment& extra, bool wait) {
  const std::string config = directory_ + "/cloud.toml";
  server_store_.clear();
  if (InBucket()) {
    const cloud::s3::BucketOptions bucket = TestBucket(directory_);
    server_store_ = fmt::format(
        "[store]\nkind = \"s3\"\nendpoint = \"{}\"\nbucket = \"{}\"\nprefix = \"{}\"\n"
        "access_key = \"{}\"\nsecret_key = \"{}\"\n",
        bucket.endpoint, bucket.bucket, bucket.prefix, bucket.credentials.access_key,
        bucket.credentials.secret_key);
  }
  if (OnPostgres()) {
    server_store_ += fmt::format("[database]\nurl = \"{}\"\n", TestDatabase(directory_));
  }
  Write(config, fmt::format(R"([server]
data_dir = "{0}/cloud"
{4}[grpc]
listen = "127.0.0.1:{1}"
[tls]
ca = "{0}/ca.pem"
certificate = "{0}/server.pem"
key = "{0}/server.key"
[http]
listen = "127.0.0.1:{2}"
[policy]
heartbeat_interval_s = 1
{3})",
                            directory_, grpc_port_, http_port(), server_more_, server_store_));
  server_.reset();
  std::vector<std::string> argv = {Bin("gleaner-cloud"), "--config", config};
  if (server_files_ > 0) {
    const std::string limit = fmt::format("ulimit -n {} && exec \"$@\"", server_files_);
    argv.insert(argv.begin(), {"bash", "-c", limit, "bash"});
  }
  server_.emplace(argv, directory_ + "/cloud.log", extra);
  if (wait) {
    EXPECT_TRUE(Eventually(
        [&] {
          const auto ready = Get("/readyz");
          return (ready && ready->first == 200) || !server_->running();
        },
        kStartDeadline))
        << server_->Log();
    EXPECT_TRUE(server_->running()) << server_->Log();
  }
  return *server_;
}

std::string Rig::Configure(const DeviceSetup& device) {
  if (!std::filesystem::exists(fmt::format("{}/{}.pem", directory_, device.name))) {
    pki_.Write(directory_, device.name, pki_.Device(device.name));
  }
  std::string text =
      fmt::format(R"(site = "{}"
[spool]
directory = "{}"
quota = "{}"
[server]
address = "127.0.0.1:{}"
ca = "{}/ca.pem"
certificate = "{}.pem"
key = "{}.key"
{}
)",
                  device.site, SpoolOf(device.name), device.quota, grpc_port_, directory_,
                  SpoolOf(device.name), SpoolOf(device.name), device.more);
  // Without cameras there is nothing for a rule to read: such a device only empties its spool.
  if (!device.videos.empty()) {
    text += fmt::format(R"([[rule]]
name = "test-rule"
when = "{}"
pre = "{}"
post = "{}"
cooldown = "{}"
max_clip = "{}"
)",
                        device.when, device.pre, device.post, device.cooldown, device.max_clip);
  }
  for (size_t i = 0; i < device.videos.size(); ++i) {
    text += fmt::format("[[camera]]\nname = \"cam-{}\"\nurl = \"{}\"\npace = \"{}\"\nloop = {}\n",
                        i + 1, device.videos[i], device.pace, device.loop);
  }
  const std::string path = fmt::format("{}/{}.toml", directory_, device.name);
  Write(path, text);
  return path;
}

Process Rig::StartDevice(const DeviceSetup& device, const std::vector<std::string>& arguments,
                         const Process::Environment& extra) {
  std::vector<std::string> argv = {Bin("gleaner-edge"), "--config", Configure(device)};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return Process(argv, fmt::format("{}/{}.log", directory_, device.name), extra);
}

nlohmann::json Rig::DeviceStatus(const DeviceSetup& device) {
  return nlohmann::json::parse(
      Run({Bin("gleaner-edge"), "--config", Configure(device), "status", "--json"}));
}

nlohmann::json Rig::Status(const DeviceSetup& device) {
  return DeviceStatus(device).value("spool", nlohmann::json::object());
}

std::vector<std::string> Rig::VideoProblems(const std::string& id) {
  std::vector<std::string> problems;
  v1::ClipManifest manifest;
  manifest.ParseFromString(Get("/media/" + id + "/manifest")->second);
  for (int i = 0; i < manifest.video_size(); ++i) {
    const v1::VideoTrack& track = manifest.video(i);
    const std::string file = fmt::format("{}/{}-{}.mp4", directory_, id, i);
    Write(file, Get(fmt::format("/media/{}/video/{}", id, i))->second);
    const auto probe =
        nlohmann::json::parse(Run({"ffprobe", "-v", "error", "-count_frames", "-select_streams",
                                   "v:0", "-show_entries", "stream=nb_read_frames,time_base",
                                   "-show_entries", "frame=pts,key_frame", "-of", "json", file}));
    std::filesystem::remove(file);

    std::vector<int64_t> expected = {track.first_pts()};
    for (uint32_t delta : track.pts_delta()) expected.push_back(expected.back() + delta);
    std::vector<int64_t> found;
    for (const auto& frame : probe.at("frames")) found.push_back(frame.at("pts").get<int64_t>());
    const auto& stream = probe.at("streams").at(0);
    const auto expect = [&](bool holds, const std::string& what) {
      if (!holds) problems.push_back(fmt::format("{} video/{}: {}", id, i, what));
    };
    expect(stream.at("nb_read_frames") == std::to_string(track.frame_count()),
           fmt::format("{} frames, the manifest says {}",
                       stream.at("nb_read_frames").get<std::string>(), track.frame_count()));
    expect(stream.at("time_base") ==
               fmt::format("{}/{}", track.time_base_numerator(), track.time_base_denominator()),
           "another time base than the manifest's");
    expect(!found.empty() && probe.at("frames").at(0).at("key_frame") == 1,
           "does not start at a keyframe");
    expect(found == expected, "PTS are not the manifest's");
  }
  return problems;
}

std::vector<std::string> Rig::LedgerProblems(const DeviceSetup& device) {
  std::vector<std::string> problems;
  const auto expect = [&](bool holds, const std::string& what) {
    if (!holds) problems.push_back(what);
  };
  std::set<std::string> keys;
  int64_t clips = 0;
  for (const auto& clip : Clips()) {
    if (clip.value("device", "") != device.name) continue;
    ++clips;
    expect(keys.insert(clip.at("key").dump()).second, "twice in the catalog: " + clip.dump());
    for (std::string& problem : DigestProblems(clip.at("id"))) problems.push_back(problem);
  }
  const nlohmann::json status = Status(device);
  const nlohmann::json ledger = Device(device.name).value("ledger", nlohmann::json::object());
  const int64_t ended = Number(ledger, "committed") + Number(ledger, "evicted") +
                        Number(ledger, "expired") + Number(ledger, "suppressed") +
                        Number(ledger, "failed");
  const std::string both = " (device: " + status.dump() + ", cloud: " + ledger.dump() + ")";
  expect(Number(ledger, "gaps") == 0, "gaps in the ledger" + both);
  expect(Number(ledger, "pending") == 0, "still pending" + both);
  expect(Number(ledger, "committed") == clips, "committed is not the number of clips" + both);
  expect(Number(ledger, "fired") == ended, "a number did not end exactly once" + both);
  expect(Number(status, "lastSequence") == Number(ledger, "fired"),
         "the device gave out another number of numbers" + both);
  expect(Number(status, "committedTotal") == clips,
         "the device believes another number of clips committed" + both);
  expect(Number(status, "usedBytes") == 0, "blocks left behind in the spool" + both);
  return problems;
}

}  // namespace gleaner::e2e
