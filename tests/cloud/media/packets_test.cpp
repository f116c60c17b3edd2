// A video's packets as they are: from the real worker, and from one that was taken over.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "clip_file.h"
#include "cloud/media/frame_times.h"
#include "cloud/media/packet_reader.h"
#include "cloud/media/worker_process.h"
#include "cloud/media/worker_protocol.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/status.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud::media {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

struct Taken {
  absl::Status status;
  std::vector<int64_t> times;
  std::vector<std::string> packets;
  int keyframes = 0;
};

class PacketsTest : public testing::Test {
 protected:
  std::string Make(const std::string& arguments) {
    const std::string path = folder_ / "video.mp4";
    MakeVideo("cup.mp4", arguments + " " + kFragmented, path);
    return path;
  }
  Taken Take(const std::string& path, const v1::VideoTrack& track,
             const std::string& program = BinDir() + "/gleaner-media") {
    Taken taken;
    const auto video = OpenFile(path, O_RDONLY);
    EXPECT_TRUE(video.ok()) << video.status();
    taken.status = RunForPackets(program, video->get(), track, std::filesystem::file_size(path),
                                 20 * kNanosPerSecond, {}, [&](const Packet& packet) {
                                   taken.times.push_back(packet.pts);
                                   taken.packets.emplace_back(packet.bytes);
                                   taken.keyframes += packet.keyframe;
                                   return absl::OkStatus();
                                 });
    return taken;
  }
  std::string Impostor(const std::string& script) {
    const std::string path = folder_ / "impostor";
    std::ofstream(path) << "#!/bin/bash\n" << script << "\n";
    ::chmod(path.c_str(), 0755);
    return path;
  }

  TemporaryFolder folder_;
};

TEST_F(PacketsTest, EveryPacketComesOnceInAnnexBAndAnotherDecoderReadsThem) {
  for (const char* codec :
       {"-c copy -t 3", "-c:v libx265 -x265-params log-level=none:bframes=0 -t 1"}) {
    const std::string path = Make(codec);
    const v1::VideoTrack track = TrackOf(path);
    const Taken taken = Take(path, track);
    ASSERT_TRUE(taken.status.ok()) << taken.status;
    EXPECT_EQ(taken.times, FrameTimes(track));
    EXPECT_GE(taken.keyframes, 1);
    std::string all;
    for (const std::string& packet : taken.packets) {
      EXPECT_THAT(packet, AnyOf(testing::StartsWith(std::string("\0\0\0\1", 4)),
                                testing::StartsWith(std::string("\0\0\1", 3))));
      all += packet;
    }
    const std::string raw = folder_ / "raw";
    std::ofstream(raw, std::ios::binary) << all;
    EXPECT_EQ(Shell(fmt::format("ffprobe -v error -count_frames -f {} -show_entries "
                                "stream=nb_read_frames -of csv=p=0 {}",
                                track.codec(), raw))
                  .second,
              fmt::format("{}\n", track.frame_count()));
  }
}

TEST_F(PacketsTest, FramesThatAreShownInAnotherOrderComeInThatInWhichTheyAreCoded) {
  const std::string path = Make("-c:v libx264 -bf 2 -t 2");
  const v1::VideoTrack track = TrackOf(path);
  Taken taken = Take(path, track);
  ASSERT_TRUE(taken.status.ok()) << taken.status;
  EXPECT_FALSE(std::is_sorted(taken.times.begin(), taken.times.end()));
  std::sort(taken.times.begin(), taken.times.end());
  EXPECT_EQ(taken.times, FrameTimes(track));
}

TEST_F(PacketsTest, WhatIsNoSuchVideoSaysWhy) {
  const std::string path = Make("-c copy -t 2");
  const v1::VideoTrack track = TrackOf(path);
  v1::VideoTrack other = track;
  other.set_codec("hevc");
  EXPECT_THAT(std::string(Message(Take(path, other).status)), HasSubstr("the video is h264"));
  v1::VideoTrack fewer = track;
  fewer.mutable_pts_delta()->RemoveLast();
  fewer.set_frame_count(track.frame_count() - 1);
  EXPECT_THAT(std::string(Message(Take(path, fewer).status)), HasSubstr("hasn't got"));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const Taken broken = Take(path, track);
  EXPECT_TRUE(absl::IsFailedPrecondition(broken.status)) << broken.status;
  EXPECT_LT(broken.packets.size(), track.frame_count());
  std::ofstream(path) << "not a video";
  EXPECT_TRUE(absl::IsFailedPrecondition(Take(path, track).status));
  const std::string jpegs = Make("-c:v mjpeg -t 1");
  EXPECT_THAT(std::string(Message(Take(jpegs, TrackOf(jpegs)).status)),
              HasSubstr("mjpeg is not taken apart here"));
}

TEST_F(PacketsTest, AnErrorOfWhoTakesThemEndsItAndIsTheirs) {
  const std::string path = Make("-c copy -t 3");
  const v1::VideoTrack track = TrackOf(path);
  const auto video = OpenFile(path, O_RDONLY);
  int taken = 0;
  const absl::Status status = RunForPackets(
      BinDir() + "/gleaner-media", video->get(), track, std::filesystem::file_size(path),
      20 * kNanosPerSecond, {}, [&](const Packet&) -> absl::Status {
        return ++taken == 3 ? absl::DataLossError("enough") : absl::OkStatus();
      });
  EXPECT_EQ(status, absl::DataLossError("enough"));
  EXPECT_EQ(taken, 3);
}

TEST_F(PacketsTest, AWorkerThatWasTakenOverMakesNothingOfIt) {
  const std::string path = Make("-c copy -t 1");
  const v1::VideoTrack track = TrackOf(path);
  const auto said = [&](const std::string& script) {
    const absl::Status status = Take(path, track, Impostor(script)).status;
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    return std::string(Message(status));
  };
  EXPECT_THAT(said("exit 0"), HasSubstr("it breaks off"));
  EXPECT_THAT(said("head -c 100 /dev/zero"), HasSubstr("an unknown frame"));
  EXPECT_THAT(said("yes $'\\xff' | head -c 100000000"), HasSubstr("too long"));
  EXPECT_THAT(said("kill -SEGV $$"), HasSubstr("crashed"));
}

std::string Frame(FrameKind kind, const std::string& payload) {
  const FrameHead head{kind, static_cast<uint32_t>(payload.size())};
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + payload;
}
std::string PacketFrame(int64_t pts, const std::string& bytes = "x", uint32_t keyframe = 0) {
  const PacketHead head{.pts = pts, .keyframe = keyframe, .reserved = 0};
  return Frame(FrameKind::kPacket,
               std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + bytes);
}
std::string VerdictFrame(v1::MediaCheck::State state, const std::string& problem = "") {
  v1::MediaCheck verdict;
  verdict.set_state(state);
  verdict.set_problem(problem);
  return Frame(FrameKind::kVerdict, verdict.SerializeAsString());
}

TEST(PacketReaderTest, PiecesOfAnySizeMakeTheSamePackets) {
  v1::VideoTrack track;
  track.set_frame_count(3);
  track.add_pts_delta(10);
  track.add_pts_delta(10);
  track.set_lead_in_ticks(5);
  const std::string answer = PacketFrame(-5) + PacketFrame(0, std::string(1'000, 'a'), 1) +
                             PacketFrame(10) + PacketFrame(20) +
                             VerdictFrame(v1::MediaCheck::STATE_OK);
  for (const size_t size : {size_t{1}, size_t{7}, size_t{100}, answer.size()}) {
    std::vector<int64_t> times;
    PacketReader reader(track, 1'000, [&](const Packet& packet) {
      times.push_back(packet.pts);
      return absl::OkStatus();
    });
    for (size_t at = 0; at < answer.size(); at += size) {
      ASSERT_TRUE(reader.Take(std::string_view(answer).substr(at, size)).ok());
    }
    EXPECT_TRUE(reader.End().ok()) << reader.End();
    EXPECT_THAT(times, testing::ElementsAre(-5, 0, 10, 20));
  }
}

TEST(PacketReaderTest, WhatBreaksARuleIsRefused) {
  v1::VideoTrack track;
  track.set_frame_count(2);
  track.add_pts_delta(10);
  const std::string good = VerdictFrame(v1::MediaCheck::STATE_OK);
  const struct {
    std::string answer, said;
  } cases[] = {
      {"", "breaks off"},
      {PacketFrame(0), "breaks off"},
      {PacketFrame(5) + good, "hasn't got"},
      {PacketFrame(-1) + good, "hasn't got"},
      {PacketFrame(std::numeric_limits<int64_t>::min()) + good, "hasn't got"},
      {PacketFrame(0, "") + good, "breaks off"},
      {PacketFrame(0, "x", 2) + good, "may be a keyframe"},
      {good + good, "after the verdict"},
      {good + "x", "after the verdict"},
      {Frame(FrameKind::kThumbnail, "x"), "an unknown frame"},
      {VerdictFrame(v1::MediaCheck::STATE_FAILED), "no reason"},
      {Frame(FrameKind::kVerdict, "\xff"), "can't be parsed"},
      {VerdictFrame(v1::MediaCheck::STATE_FAILED, "a\nproblem"), "a?problem"},
  };
  for (const auto& [answer, said] : cases) {
    PacketReader reader(track, 1'000, [](const Packet&) { return absl::OkStatus(); });
    absl::Status status = reader.Take(answer);
    if (status.ok()) status = reader.End();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(Message(status)), HasSubstr(said));
  }
  PacketReader reader(track, 1'000, [](const Packet&) { return absl::OkStatus(); });
  absl::Status endless;
  for (int i = 0; i < 1'000 && endless.ok(); ++i)
    endless = reader.Take(PacketFrame(0, std::string(1'000, 'x')));
  EXPECT_THAT(std::string(Message(endless)), HasSubstr("it has no end"));
}

}  // namespace
}  // namespace gleaner::cloud::media
