// How fast and how gently the spool makes 1 MiB clips durable, against simpler ways to do it.
//
//   bench_spool [--json] [--dir DIR] [--rounds N] [--cameras N]
//
// Ours and the peers take turns in rounds of 64 clips; a figure is the median over the rounds. As
// many threads as there are cameras write at once, for us and for the peers alike. Timed is what
// stands between a clip and its durability: for us the number, the blocks with XXH3 and SHA-256,
// the ledger; for a peer its writes. What makes room again (our Release, a peer's deletion) happens
// between the rounds, off the clock.
//
// `fallocate_fdatasync` writes a preallocated file in place, from its beginning to its end;
// `overwrite_fdatasync`, the ceiling of this disk, overwrites blocks that were written before, as
// our own recycled blocks were. Neither makes a checksum or a ledger.
//
// write_amplification: bytes that this process sent to the disk (/proc/self/io), ledger, log,
// checkpoints and releases included, to bytes of manifests and objects.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <random>
#include <thread>

#include "CLI/CLI.hpp"
#include "common/log.h"
#include "edge/spool/spool.h"
#include "gleaner/v1/clip.pb.h"
#include "tests/bench/figure.h"
#include "tests/bench/spool/peers.h"

namespace gleaner::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kClipBytes = 1 << 20;
constexpr size_t kClips = 64;  // a round

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) throw std::runtime_error(value.status().ToString());
  return *std::move(value);
}
void Must(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

double Ms(SteadyClock::time_point since) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - since).count();
}

std::vector<uint8_t> RandomClip() {
  std::mt19937_64 random(1);
  std::vector<uint8_t> clip(kClipBytes);
  for (uint8_t& byte : clip) byte = static_cast<uint8_t>(random());
  return clip;
}

uint64_t BytesSentToDisk() {
  std::ifstream in("/proc/self/io");
  std::string name;
  uint64_t value = 0;
  while (in >> name >> value) {
    if (name == "write_bytes:") return value;
  }
  throw std::runtime_error("/proc/self/io can't be read");
}

class Ours {
 public:
  explicit Ours(const std::string& directory)
      : spool_(Must(
            edge::Spool::Open({.directory = directory, .quota_bytes = (kClips + 16) * kClipBytes},
                              RealClock(), KernelBootId()))) {}

  void Store(std::span<const uint8_t> clip) {
    const ClipKey key = Must(spool_->TakeNumber("motion", 5));
    auto writer = Must(spool_->NewClip(key));
    std::vector<std::unique_ptr<edge::ObjectWriter>> objects;
    objects.push_back(writer->NewObject());
    Must(objects[0]->Append(clip));
    Must(objects[0]->Finish());
    std::string manifest = Manifest(key, *objects[0]);
    payload_bytes_ += clip.size() + manifest.size();
    const auto begin = SteadyClock::now();
    Must(writer->Commit(std::move(manifest), std::move(objects)));
    const double took_ms = Ms(begin);
    std::lock_guard lock(mutex_);
    commit_ms_.push_back(took_ms);
  }

  void Recycle() {
    while (const auto clip = Must(spool_->Next({}))) {
      Must(spool_->Release(clip->key, clip->manifest_sha256));
    }
  }

  uint64_t payload_bytes() const { return payload_bytes_; }
  // Of the 99th of 100 commits, in order of time taken.
  double CommitP99Ms() {
    std::sort(commit_ms_.begin(), commit_ms_.end());
    return commit_ms_[commit_ms_.size() * 99 / 100];
  }

 private:
  // As large as that of a ten-second clip.
  static std::string Manifest(const ClipKey& key, const edge::ObjectWriter& object) {
    v1::ClipManifest manifest;
    manifest.set_device("cart-1");
    manifest.mutable_key()->set_boot_id(std::string(AsBytes(key.boot_id)));
    manifest.mutable_key()->set_sequence(key.sequence);
    v1::VideoTrack& video = *manifest.add_video();
    for (int i = 0; i < 299; ++i) video.add_pts_delta(3003);
    v1::ClipObject& stored = *manifest.add_objects();
    stored.set_size_bytes(object.size_bytes());
    stored.set_sha256(std::string(AsBytes(object.sha256())));
    for (const uint64_t xxh3 : object.block_xxh3()) stored.add_block_xxh3(xxh3);
    return manifest.SerializeAsString();
  }

  const std::unique_ptr<edge::Spool> spool_;
  std::atomic<uint64_t> payload_bytes_ = 0;
  std::mutex mutex_;
  std::vector<double> commit_ms_;
};

// MB/s of one round: `cameras` threads share its clips.
double Round(size_t cameras, const std::function<void(size_t slot)>& store) {
  std::atomic<size_t> next = 0;
  const auto begin = SteadyClock::now();
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < cameras; ++i) {
      threads.emplace_back([&] {
        for (size_t slot = next++; slot < kClips; slot = next++) store(slot);
      });
    }
  }
  return static_cast<double>(kClips * kClipBytes) / 1e3 / Ms(begin);
}

void Run(Reporter& reporter, const std::string& folder, int rounds, size_t cameras) {
  struct Measured {
    std::string name;
    std::string goal;
    std::unique_ptr<Peer> peer;
    std::vector<double> mb_s;
  };
  Ours ours(folder + "/spool");
  std::vector<Measured> peers;
  peers.push_back({"fallocate_fdatasync",
                   ">= 0.8",
                   InPlace(folder + "/fresh", static_cast<size_t>(rounds) + 1, kClips, kClipBytes),
                   {}});
  peers.push_back(
      {"overwrite_fdatasync", "", InPlace(folder + "/overwritten", 1, kClips, kClipBytes), {}});
  peers.push_back({"sqlite_blob", ">= 4", SqliteBlob(folder), {}});
  peers.push_back({"file_rename_fsync", "", FileRenameFsync(folder), {}});

  const std::vector<uint8_t> clip = RandomClip();
  std::vector<double> mb_s;
  uint64_t sent = 0, payload = 0;
  // The first round writes blocks, logs and files for the first time, for everybody, and doesn't
  // count.
  for (int round = 0; round <= rounds; ++round) {
    const uint64_t sent_before = BytesSentToDisk(), payload_before = ours.payload_bytes();
    const double own = Round(cameras, [&](size_t) { ours.Store(clip); });
    ours.Recycle();
    if (round > 0) {
      mb_s.push_back(own);
      sent += BytesSentToDisk() - sent_before;
      payload += ours.payload_bytes() - payload_before;
    }
    for (Measured& measured : peers) {
      const double theirs = Round(cameras, [&](size_t slot) { measured.peer->Store(slot, clip); });
      measured.peer->Recycle();
      if (round > 0) measured.mb_s.push_back(theirs);
    }
  }
  for (const Measured& measured : peers) {
    reporter.Add({"spool", "mb_s", Median(mb_s), "MB/s", measured.name, Median(measured.mb_s),
                  measured.goal});
  }
  reporter.Add({"spool", "write_amplification",
                static_cast<double>(sent) / static_cast<double>(payload), "x", "", 0, "<= 1.05"});
  reporter.Add({"spool", "commit_p99_ms", ours.CommitP99Ms(), "ms", "", 0, ""});
}

}  // namespace
}  // namespace gleaner::bench

int main(int argc, char** argv) {
  CLI::App app("How fast and how gently the spool makes 1 MiB clips durable");
  bool json = false;
  std::string directory = std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
  int rounds = 15;
  size_t cameras = 2;
  app.add_flag("--json", json, "One JSON object a figure");
  app.add_option("--dir", directory, "A folder on the disk to measure")
      ->capture_default_str()
      ->check(CLI::ExistingDirectory);
  app.add_option("--rounds", rounds, "Rounds of 64 clips, for each way")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--cameras", cameras, "Threads that write clips at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 16));
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::warn);
  const std::string folder = fmt::format("{}/bench_spool.{}", directory, ::getpid());
  int status = 0;
  try {
    std::filesystem::create_directory(folder);
    gleaner::bench::Reporter reporter(argc, argv);
    gleaner::bench::Run(reporter, folder, rounds, cameras);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_spool: {}\n", error.what());
    status = 1;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return status;
}
