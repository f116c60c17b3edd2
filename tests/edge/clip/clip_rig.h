// What the tests of clips share: a real spool in a scratch folder, cameras on real footage, and
// FFmpeg as the judge of what came out.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/clock.h"
#include "common/status.h"
#include "edge/camera/camera.h"
#include "edge/camera/ffmpeg.h"
#include "edge/clip/recorder.h"
#include "edge/clip/transcoder.h"
#include "edge/spool/spool.h"
#include "fmt/format.h"
#include "gleaner/v1/clip.pb.h"
#include "tests/data/footage.h"

namespace gleaner::edge {

inline std::filesystem::path ScratchFolder() {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string name =
      fmt::format("gleaner_{}_{}_{}", info->test_suite_name(), info->name(), getpid());
  std::replace(name.begin(), name.end(), '/', '_');
  return std::filesystem::path(::testing::TempDir()) / name;
}

// Everything a camera delivers, kept.
struct Recording : PacketSink {
  void OnFormat(const VideoFormat& f) override { format = f; }
  void OnPacket(const Packet& packet) override { packets.push_back(packet); }
  VideoFormat format;
  std::vector<Packet> packets;
  // The moment of the first frame.
  int64_t start_ns() const { return packets.front().monotonic_ns; }
};

// A file's packets as a camera delivers them, the first frame at `start_ns`.
inline Recording ReadFootage(const std::string& path, int64_t start_ns) {
  FakeClock clock(start_ns);
  CameraOptions options;
  options.name = "reader";
  options.address = *CameraAddress::Parse(path);
  options.pace = "fast";
  Recording footage;
  Camera camera(options, clock, footage);
  EXPECT_TRUE(camera.Run({}).ok()) << path;
  return footage;
}

// What FFmpeg finds in a video file.
struct Judged {
  std::vector<int64_t> packet_pts;  // in file order
  std::vector<int64_t> frame_pts;   // as they come out of the decoder
  bool keyframe_first = false;
  AVRational time_base{};
  std::string codec;
  int errors = 0;
};

inline Judged Judge(const std::string& path) {
  Judged judged;
  AVFormatContext* context = nullptr;
  EXPECT_EQ(avformat_open_input(&context, path.c_str(), nullptr, nullptr), 0) << path;
  if (context == nullptr) return judged;
  avformat_find_stream_info(context, nullptr);
  EXPECT_EQ(context->nb_streams, 1u);
  const AVStream& stream = *context->streams[0];
  judged.time_base = stream.time_base;
  judged.codec = avcodec_get_name(stream.codecpar->codec_id);
  AvPtr<AVCodecContext> decoder(
      avcodec_alloc_context3(avcodec_find_decoder(stream.codecpar->codec_id)));
  avcodec_parameters_to_context(decoder.get(), stream.codecpar);
  decoder->thread_count = 1;
  EXPECT_EQ(avcodec_open2(decoder.get(), nullptr, nullptr), 0);
  auto packet = NewPacket();
  auto frame = NewFrame();
  auto drain = [&] {
    while (avcodec_receive_frame(decoder.get(), frame.get()) == 0) {
      judged.frame_pts.push_back(frame->pts);
      if (frame->decode_error_flags != 0) ++judged.errors;
    }
  };
  while (av_read_frame(context, packet.get()) >= 0) {
    if (judged.packet_pts.empty()) judged.keyframe_first = packet->flags & AV_PKT_FLAG_KEY;
    judged.packet_pts.push_back(packet->pts);
    if (avcodec_send_packet(decoder.get(), packet.get()) < 0) ++judged.errors;
    drain();
    av_packet_unref(packet.get());
  }
  avcodec_send_packet(decoder.get(), nullptr);
  drain();
  avformat_close_input(&context);
  return judged;
}

inline std::vector<int64_t> PtsOf(const v1::VideoTrack& track) {
  std::vector<int64_t> pts = {track.first_pts()};
  for (uint32_t delta : track.pts_delta()) pts.push_back(pts.back() + delta);
  return pts;
}

// A clip taken back out of the spool.
struct TakenClip {
  StoredClip stored;
  v1::ClipManifest manifest;
  std::vector<std::string> objects;  // bytes
};

class ClipRig : public ::testing::Test {
 protected:
  static constexpr int64_t kStart = 1'000 * kNanosPerSecond;

  void SetUp() override {
    folder_ = ScratchFolder();
    std::filesystem::create_directories(folder_);
    OpenSpool(256ull << 20);
  }
  void TearDown() override {
    spool_.reset();
    std::filesystem::remove_all(folder_);
  }

  void OpenSpool(uint64_t quota_bytes, std::string when_full = "evict") {
    spool_.reset();
    SpoolOptions options;
    options.directory = folder_ / fmt::format("spool-{}", quota_bytes);
    options.quota_bytes = quota_bytes;
    options.when_full = std::move(when_full);
    auto spool = Spool::Open(options, clock_, "boot");
    ASSERT_TRUE(spool.ok()) << spool.status().ToString();
    spool_ = *std::move(spool);
    spool_->OnChange([this] {
      std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
  }

  void WaitForCommits(uint32_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20),
                                  [&] { return spool_->stats().pending_clips >= count; }))
        << "only " << spool_->stats().pending_clips << " clips were committed";
  }

  // All clips in the spool, by sequence number, their objects read back block by block.
  std::vector<TakenClip> TakeAll() {
    std::vector<TakenClip> clips;
    absl::flat_hash_set<ClipKey> seen;
    for (;;) {
      auto next = spool_->Next(seen);
      EXPECT_TRUE(next.ok()) << next.status().ToString();
      if (!next.ok() || !next->has_value()) break;
      TakenClip clip;
      clip.stored = **next;
      seen.insert(clip.stored.key);
      EXPECT_TRUE(clip.manifest.ParseFromString(clip.stored.manifest));
      EXPECT_EQ(Sha256::Of(clip.stored.manifest), clip.stored.manifest_sha256);
      EXPECT_EQ(clip.stored.objects.size(), static_cast<size_t>(clip.manifest.objects_size()));
      for (size_t i = 0; i < clip.stored.objects.size(); ++i) {
        std::string bytes, block;
        const uint64_t size = clip.stored.objects[i].size_bytes;
        for (uint64_t b = 0; b * (256 << 10) < size; ++b) {
          EXPECT_TRUE(spool_->ReadBlock(clip.stored, i, b, &block).ok());
          bytes += block;
        }
        const v1::ClipObject& described = clip.manifest.objects(static_cast<int>(i));
        EXPECT_EQ(bytes.size(), described.size_bytes());
        EXPECT_EQ(AsBytes(Sha256::Of(bytes)), described.sha256());
        clip.objects.push_back(std::move(bytes));
      }
      clips.push_back(std::move(clip));
    }
    std::sort(clips.begin(), clips.end(), [](const TakenClip& a, const TakenClip& b) {
      return a.stored.key.sequence < b.stored.key.sequence;
    });
    return clips;
  }

  const std::string* ObjectOf(const TakenClip& clip, v1::ClipObject::Kind kind, int n = 0) {
    for (int i = 0; i < clip.manifest.objects_size(); ++i) {
      if (clip.manifest.objects(i).kind() == kind && n-- == 0) return &clip.objects[i];
    }
    return nullptr;
  }

  std::string Save(const std::string& bytes, const std::string& name) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  // Checks the n-th video against its manifest with FFmpeg, and returns what FFmpeg found.
  Judged CheckVideo(const TakenClip& clip, int n = 0) {
    const v1::VideoTrack& track = clip.manifest.video(n);
    const std::string* video = ObjectOf(clip, v1::ClipObject::KIND_VIDEO, n);
    EXPECT_NE(video, nullptr);
    if (video == nullptr) return {};
    const Judged judged = Judge(Save(*video, "video.mp4"));
    EXPECT_TRUE(judged.keyframe_first);
    EXPECT_EQ(judged.errors, 0);
    EXPECT_EQ(judged.codec, track.codec());
    EXPECT_EQ(judged.time_base.num, static_cast<int>(track.time_base_numerator()));
    EXPECT_EQ(judged.time_base.den, static_cast<int>(track.time_base_denominator()));
    EXPECT_EQ(judged.frame_pts.size(), track.frame_count());
    EXPECT_EQ(judged.frame_pts, PtsOf(track)) << "in the order in which they are shown";
    return judged;
  }

  RecorderOptions Options(std::vector<std::string> cameras, int64_t pre_roll_ns) {
    RecorderOptions options;
    options.device = "cart-1";
    options.site = "store-7";
    options.cameras = std::move(cameras);
    options.pre_roll_ns = pre_roll_ns;
    return options;
  }

  FakeClock clock_{kStart};
  std::filesystem::path folder_;
  std::unique_ptr<Spool> spool_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace gleaner::edge
