// The worker program itself, sandbox and all, on good, bad and hostile files.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "clip_file.h"
#include "cloud/media/worker_process.h"
#include "cloud/media/worker_protocol.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/status.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/data/film.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"

namespace gleaner::cloud::media {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

const std::string kWorker = BinDir() + "/gleaner-media";

class WorkerTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) { return folder_ / name; }

  WorkerAnswer Check(const std::string& path, const v1::VideoTrack& track, size_t thumbnails = 12,
                     const std::string& program = kWorker, int64_t cpu_ns = 20 * kNanosPerSecond) {
    const auto video = OpenFile(path, O_RDONLY);
    EXPECT_TRUE(video.ok()) << video.status();
    auto answer =
        RunWorker(program, video->get(), {.track = track, .thumbnails = thumbnails}, cpu_ns, {});
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : WorkerAnswer();
  }

  void ExpectFailed(const WorkerAnswer& answer, const testing::Matcher<std::string>& problem) {
    EXPECT_EQ(answer.verdict.state(), v1::MediaCheck::STATE_FAILED);
    EXPECT_THAT(answer.verdict.problem(), problem);
    EXPECT_NE(answer.verdict.reason(), v1::MediaCheck::REASON_UNSPECIFIED);
  }
  void ExpectFailed(const WorkerAnswer& answer, const testing::Matcher<std::string>& problem,
                    v1::MediaCheck::Reason reason) {
    ExpectFailed(answer, problem);
    EXPECT_EQ(answer.verdict.reason(), reason) << answer.verdict.problem();
  }

  // A program that does as `script` says, in the worker's place.
  std::string Impostor(const std::string& script) {
    const std::string path = Path("impostor");
    std::ofstream(path) << "#!/bin/bash\n" << script << "\n";
    ::chmod(path.c_str(), 0755);
    return path;
  }

  // Two seconds of the hand and the bottle, as a device would send it.
  std::string Good() {
    const std::string path = Path("good.mp4");
    if (!std::filesystem::exists(path)) {
      MakeVideo("cup.mp4", std::string("-c copy -t 2 ") + kFragmented, path);
    }
    return path;
  }

  TemporaryFolder folder_;
};

TEST_F(WorkerTest, ProvesThatItsSandboxHolds) {
  const auto [status, said] = Shell(kWorker + " --self-test-sandbox 2>&1");
  EXPECT_EQ(status, 0) << said;
  EXPECT_THAT(said, HasSubstr("internet socket"));
  EXPECT_THAT(said, testing::Not(HasSubstr("WRONG")));
}

TEST_F(WorkerTest, FindsThatARemuxedClipIsWhatItsManifestSays) {
  const v1::VideoTrack track = TrackOf(Good());
  ASSERT_GT(track.frame_count(), 40u);
  const WorkerAnswer answer = Check(Good(), track);
  EXPECT_EQ(answer.verdict.state(), v1::MediaCheck::STATE_OK) << answer.verdict.problem();
  EXPECT_EQ(answer.verdict.decoded_frames(), track.frame_count());
  ASSERT_EQ(answer.thumbnails.size(), 12u);
  // They are pictures of different moments.
  EXPECT_NE(answer.thumbnails.front(), answer.thumbnails.back());
}

TEST_F(WorkerTest, DecodesEveryCodecAndBFrames) {
  const struct {
    const char* name;
    const char* footage;
    const char* arguments;
  } cases[] = {
      {"h264-b", "vtest.avi", "-t 1.5 -c:v libx264 -preset veryfast -bf 2 -g 10"},
      {"hevc", "vtest.avi", "-t 1 -c:v libx265 -preset ultrafast -x265-params log-level=none"},
      {"mpeg4", "vtest.avi", "-t 1.5 -c:v mpeg4 -q:v 5"},
      {"mjpeg", "tree.avi", "-t 1 -c:v mjpeg -q:v 5 -pix_fmt yuvj420p"},
  };
  for (const auto& [name, footage, arguments] : cases) {
    const std::string path = Path(std::string(name) + ".mp4");
    MakeVideo(footage, std::string(arguments) + " " + kFragmented, path);
    const v1::VideoTrack track = TrackOf(path);
    const WorkerAnswer answer = Check(path, track, 3);
    EXPECT_EQ(answer.verdict.state(), v1::MediaCheck::STATE_OK)
        << name << ": " << answer.verdict.problem();
    EXPECT_EQ(answer.thumbnails.size(), 3u) << name;
  }
}

TEST_F(WorkerTest, KeepsTimesThatDoNotBeginAtZero) {
  const std::string path = Path("late.mp4");
  MakeVideo(
      "cup.mp4",
      "-c copy -t 1 -output_ts_offset 1000 -movflags +frag_keyframe+delay_moov+default_base_moof",
      path);
  v1::VideoTrack track = TrackOf(path);
  ASSERT_GT(track.first_pts(), 26'000'000);
  EXPECT_EQ(Check(path, track).verdict.state(), v1::MediaCheck::STATE_OK);
  const int64_t first = track.first_pts();
  track.set_first_pts(0);
  ExpectFailed(Check(path, track),
               HasSubstr(fmt::format("frame 0 is shown at tick {}, the manifest says 0", first)));
}

TEST_F(WorkerTest, FindsEachWayInWhichAManifestCanLie) {
  const v1::VideoTrack truth = TrackOf(Good());
  const auto check = [&](auto change) {
    v1::VideoTrack track = truth;
    change(track);
    return Check(Good(), track);
  };
  ExpectFailed(check([](auto& track) {
                 track.set_frame_count(track.frame_count() + 1);
                 track.add_pts_delta(1000);
               }),
               HasSubstr("the manifest says"), v1::MediaCheck::REASON_FRAME_COUNT);
  ExpectFailed(check([](auto& track) {
                 track.set_frame_count(track.frame_count() - 1);
                 track.mutable_pts_delta()->RemoveLast();
               }),
               HasSubstr("more than the"), v1::MediaCheck::REASON_FRAME_COUNT);
  ExpectFailed(check([](auto& track) { track.set_pts_delta(5, track.pts_delta(5) + 1); }),
               HasSubstr("frame 6 is shown at tick"), v1::MediaCheck::REASON_TIMES);
  ExpectFailed(check([](auto& track) { track.set_codec("hevc"); }), HasSubstr("the video is h264"),
               v1::MediaCheck::REASON_MISMATCH);
  ExpectFailed(check([](auto& track) { track.set_width(320); }), HasSubstr("640"),
               v1::MediaCheck::REASON_MISMATCH);
  ExpectFailed(check([](auto& track) { track.set_time_base_denominator(90'000); }),
               HasSubstr("ticks"), v1::MediaCheck::REASON_MISMATCH);
}

TEST_F(WorkerTest, RefusesAVideoThatDoesNotStartAtAKeyframe) {
  const v1::VideoTrack whole = TrackOf(Good());
  const std::string path = Path("late-start.mp4");
  // Drops the first packet, which is the keyframe.
  MakeVideo("cup.mp4",
            std::string("-c copy -t 2 -copyinkf -bsf:v noise=drop='eq(n\\,0)' ") + kFragmented,
            path);
  ExpectFailed(Check(path, TrackOf(path)), HasSubstr("does not start at a keyframe"),
               v1::MediaCheck::REASON_MISMATCH);
}

TEST_F(WorkerTest, FindsACutOffFile) {
  const v1::VideoTrack track = TrackOf(Good());
  const auto size = std::filesystem::file_size(Good());
  for (const double part : {0.0, 0.01, 0.3, 0.7, 0.99}) {
    const std::string path = Path("cut.mp4");
    std::filesystem::copy_file(Good(), path, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(path, static_cast<uintmax_t>(static_cast<double>(size) * part));
    ExpectFailed(Check(path, track), testing::Not(testing::IsEmpty()));
  }
}

TEST_F(WorkerTest, OneDamagedFrameOfManyLeavesAGoodClip) {
  const std::string path = Path("long.mp4");
  MakeFilm({.seconds = 30,
            .encoder = std::string("-c:v libx264 -preset veryfast -g 20 -bf 0 ") + kFragmented},
           path);
  const v1::VideoTrack track = TrackOf(path);
  ASSERT_EQ(track.frame_count(), 300u);
  Damage(path, {150});
  const WorkerAnswer answer = Check(path, track);
  EXPECT_EQ(answer.verdict.state(), v1::MediaCheck::STATE_OK) << answer.verdict.problem();
  EXPECT_EQ(answer.verdict.reason(), v1::MediaCheck::REASON_DAMAGED_FRAMES);
  EXPECT_EQ(answer.verdict.damaged_frames(), 1u);
  EXPECT_EQ(answer.verdict.problem(), "1 of 300 frames is damaged");
  EXPECT_GE(answer.verdict.decoded_frames(), 299u) << "it went on behind it";
  EXPECT_EQ(answer.thumbnails.size(), 12u);
}

TEST_F(WorkerTest, DamageInEveryFifthFrameFailsTheClipWithThumbnails) {
  const std::string path = Path("long.mp4");
  MakeFilm({.seconds = 10,
            .encoder = std::string("-c:v libx264 -preset veryfast -g 20 -bf 0 ") + kFragmented},
           path);
  const v1::VideoTrack track = TrackOf(path);
  std::set<size_t> frames;
  for (size_t n = 3; n < 100; n += 5) frames.insert(n);
  Damage(path, frames);
  const WorkerAnswer answer = Check(path, track);
  ExpectFailed(answer, HasSubstr("of 100 frames are damaged"));
  EXPECT_EQ(answer.verdict.reason(), v1::MediaCheck::REASON_DAMAGED_FRAMES);
  EXPECT_GE(answer.verdict.damaged_frames(), 20u);
  EXPECT_EQ(answer.thumbnails.size(), 12u);
}

TEST_F(WorkerTest, WhereNoFrameDecodesItSaysSo) {
  const v1::VideoTrack track = TrackOf(Good());
  std::set<size_t> all;
  for (size_t n = 0; n < track.frame_count(); ++n) all.insert(n);
  Damage(Good(), all);
  const WorkerAnswer answer = Check(Good(), track);
  ExpectFailed(answer, HasSubstr("no frame decodes"));
  EXPECT_EQ(answer.verdict.reason(), v1::MediaCheck::REASON_UNDECODABLE);
  EXPECT_EQ(answer.verdict.decoded_frames(), 0u);
  EXPECT_THAT(answer.thumbnails, testing::IsEmpty());
}

TEST_F(WorkerTest, LargePicturesOfPanoramaCamerasAreDecoded) {
  for (const char* size : {"4000x3000", "7680x2160"}) {
    const std::string path = Path("large.mp4");
    MakeFilm({.seconds = 1,
              .rate = 3,
              .size = size,
              .encoder = std::string("-c:v libx264 -preset ultrafast ") + kFragmented},
             path);
    const WorkerAnswer answer = Check(path, TrackOf(path), 2);
    EXPECT_EQ(answer.verdict.state(), v1::MediaCheck::STATE_OK)
        << size << ": " << answer.verdict.problem();
    EXPECT_EQ(answer.verdict.decoded_frames(), 3u);
    EXPECT_EQ(answer.thumbnails.size(), 2u);
  }
}

// Its times are checked to the end all the same.
TEST_F(WorkerTest, AVideoThatCostsTooMuchIsLookedAtKeyframeByKeyframe) {
  const std::string path = Path("costly.mp4");
  MakeFilm({.seconds = 20,
            .size = "2560x1440",
            .encoder = std::string("-c:v libx264 -preset ultrafast -g 10 ") + kFragmented},
           path);
  v1::VideoTrack track = TrackOf(path);
  const WorkerAnswer answer = Check(path, track, 12, kWorker, kNanosPerSecond);
  EXPECT_EQ(answer.verdict.state(), v1::MediaCheck::STATE_OK) << answer.verdict.problem();
  EXPECT_EQ(answer.verdict.reason(), v1::MediaCheck::REASON_UNSPECIFIED);
  EXPECT_LT(answer.verdict.decoded_frames(), track.frame_count());
  EXPECT_GT(answer.verdict.decoded_frames(), 0u);
  EXPECT_EQ(answer.thumbnails.size(), 12u);
  const int last = track.pts_delta_size() - 1;
  track.set_pts_delta(last, track.pts_delta(last) + 1);
  EXPECT_EQ(Check(path, track, 12, kWorker, kNanosPerSecond).verdict.reason(),
            v1::MediaCheck::REASON_TIMES);
}

TEST_F(WorkerTest, ThumbnailsAreUpright) {
  // Red above, blue below; turned by the file, red is where the turn takes it.
  const std::string source = Path("two.mp4");
  RunFfmpeg(
      fmt::format("-f lavfi -i color=red:s=64x48:d=1:r=5 -f lavfi -i color=blue:s=64x48:d=1:r=5 "
                  "-filter_complex vstack -pix_fmt yuv420p -c:v libx264 '{}'",
                  source));
  for (const int degrees : {90, 180, 270}) {
    const std::string path = Path("turned.mp4");
    // FFmpeg 5.1 counts the other way round.
    RunFfmpeg(fmt::format("-i '{}' -c copy -metadata:s:v rotate={} {} '{}'", source, 360 - degrees,
                          kFragmented, path));
    v1::VideoTrack track = TrackOf(path);
    ExpectFailed(Check(path, track, 1), HasSubstr("the file is turned by"));
    track.set_rotation_degrees(static_cast<uint32_t>(degrees));
    const WorkerAnswer answer = Check(path, track, 1);
    ASSERT_EQ(answer.verdict.state(), v1::MediaCheck::STATE_OK) << answer.verdict.problem();
    const std::string jpeg = Path("thumbnail.jpg");
    std::ofstream(jpeg, std::ios::binary) << answer.thumbnails.at(0);
    // Where red lies: the halves of the picture, by their average.
    const auto redness = [&](const char* crop) {
      RunFfmpeg(
          fmt::format("-i '{}' -vf crop={},scale=1:1:flags=area,format=rgb24 -f rawvideo '{}'",
                      jpeg, crop, Path("pixel")));
      std::ifstream in(Path("pixel"), std::ios::binary);
      const int red = in.get();
      in.get();
      return red - in.get();
    };
    const char* red_half = degrees == 90    ? "iw/2:ih:iw/2:0"
                           : degrees == 180 ? "iw:ih/2:0:ih/2"
                                            : "iw/2:ih:0:0";
    EXPECT_GT(redness(red_half), 150) << degrees;
  }
}

TEST_F(WorkerTest, SurvivesGarbageOfManyKinds) {
  const v1::VideoTrack track = TrackOf(Good());
  std::mt19937 random(7);
  std::ifstream in(Good(), std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  for (int round = 0; round < 25; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 200; ++i) {
      // Mostly in the header, where the structures are.
      const size_t at = random() % (i % 2 == 0 ? 2000 : bytes.size());
      bytes[at] = static_cast<char>(random());
    }
    std::ofstream(Path("garbage.mp4"), std::ios::binary) << bytes;
    EXPECT_EQ(Check(Path("garbage.mp4"), track).verdict.state(), v1::MediaCheck::STATE_FAILED)
        << "round " << round;
  }
  std::ofstream(Path("text.mp4")) << "not a video";
  ExpectFailed(Check(Path("text.mp4"), track), HasSubstr("not an MP4"));
}

TEST_F(WorkerTest, RefusesOtherContainersAndStreams) {
  const v1::VideoTrack track = TrackOf(Good());
  for (const char* name : {"other.mkv", "other.avi", "other.ts"}) {
    MakeVideo("cup.mp4", "-c copy -t 1", Path(name));
    ExpectFailed(Check(Path(name), track), HasSubstr("not an MP4"));
  }
  const std::string two = Path("two.mp4");
  const std::string command =
      fmt::format("ffmpeg -nostdin -v error -y -i '{0}' -map 0:v -map 0:v -c copy -t 1 {1} '{2}'",
                  Footage("cup.mp4"), kFragmented, two);
  ASSERT_EQ(std::system(command.c_str()), 0);
  ExpectFailed(Check(two, track), HasSubstr("2 streams"), v1::MediaCheck::REASON_MISMATCH);
  // A codec that FFmpeg knows and a clip may not have.
  const std::string vp9 = Path("vp9.mp4");
  MakeVideo("tree.avi", std::string("-t 0.2 -c:v libvpx-vp9 -cpu-used 8 ") + kFragmented, vp9);
  ExpectFailed(Check(vp9, TrackOf(vp9)), AnyOf(HasSubstr("vp9"), HasSubstr("not an MP4")));
}

TEST_F(WorkerTest, ADecoderBombIsRefusedByItsSize) {
  // 64 million pixels of one colour take less than a megabyte.
  const std::string path = Path("bomb.mp4");
  const std::string command = fmt::format(
      "ffmpeg -nostdin -v error -y -f lavfi -i color=black:s=8000x8000:r=1:d=1 -c:v mpeg4 {} '{}'",
      kFragmented, path);
  ASSERT_EQ(std::system(command.c_str()), 0);
  ASSERT_LT(std::filesystem::file_size(path), 1'000'000u);
  ExpectFailed(Check(path, TrackOf(path)), HasSubstr("8000x8000 is larger"),
               v1::MediaCheck::REASON_TOO_LARGE);
}

TEST_F(WorkerTest, AWorkerThatHangsIsKilledInTime) {
  const v1::VideoTrack track = TrackOf(Good());
  const auto begun = std::chrono::steady_clock::now();
  ExpectFailed(Check(Good(), track, 1, Impostor("sleep 1000 & wait"), kNanosPerSecond / 10),
               HasSubstr("longer than 1 s"));
  // One that closes its answer first, too.
  ExpectFailed(Check(Good(), track, 1, Impostor("exec 1>&-; sleep 1000"), kNanosPerSecond / 10),
               HasSubstr("longer than 1 s"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
}

TEST_F(WorkerTest, AWorkerThatCrashesMakesAFailedClip) {
  const v1::VideoTrack track = TrackOf(Good());
  ExpectFailed(Check(Good(), track, 1, Impostor("kill -SEGV $$")), HasSubstr("SIGSEGV"),
               v1::MediaCheck::REASON_WORKER_DIED);
  ExpectFailed(Check(Good(), track, 1, Impostor("kill -SYS $$")), HasSubstr("sandbox forbids"),
               v1::MediaCheck::REASON_WORKER_DIED);
  ExpectFailed(
      Check(Good(), track, 1, Impostor("ulimit -t 1; while :; do :; done"), kNanosPerSecond),
      HasSubstr("more CPU time"), v1::MediaCheck::REASON_TOO_LARGE);
  ExpectFailed(Check(Good(), track, 1, Impostor("exit 3")), HasSubstr("exit status 3"),
               v1::MediaCheck::REASON_WORKER_DIED);
}

TEST_F(WorkerTest, AWorkerThatIsKilledFromOutsideIsNoVerdict) {
  const auto video = OpenFile(Good(), O_RDONLY);
  const v1::VideoTrack track = TrackOf(Good());
  const auto answer = RunWorker(Impostor("kill -KILL $$"), video->get(),
                                {.track = track, .thumbnails = 1}, 10 * kNanosPerSecond, {});
  EXPECT_TRUE(absl::IsAborted(answer.status())) << answer.status();
}

// A service manager sends it to every process of the service, a terminal to the whole group.
TEST_F(WorkerTest, WhatAsksTheServerToEndEndsNoWorker) {
  const std::string program =
      Impostor("for signal in TERM INT HUP QUIT; do kill -$signal $$ -$$; done\nexec " + kWorker);
  const WorkerAnswer answer = Check(Good(), TrackOf(Good()), 1, program);
  EXPECT_EQ(answer.verdict.state(), v1::MediaCheck::STATE_OK) << answer.verdict.problem();
}

TEST_F(WorkerTest, AWorkerThatTalksWithoutEndIsStopped) {
  ExpectFailed(Check(Good(), TrackOf(Good()), 1, Impostor("yes")), HasSubstr("it has no end"),
               v1::MediaCheck::REASON_WORKER_DIED);
}

TEST_F(WorkerTest, GetsNothingButTheVideoAndTheRequest) {
  // Says what it has through the door for troubles: frame kind 3, then its length.
  const std::string program = Impostor(
      "text=\"fds: $(ls /proc/self/fd | tr '\\n' ' ') env: $(env | grep -vc "
      "'^\\(PWD\\|SHLVL\\|_\\)=')\"\n"
      "printf '\\x03\\0\\0\\0%b\\0\\0\\0%s' \"\\\\x$(printf %x ${#text})\" \"$text\"");
  const Fd secret(::open("/etc/passwd", O_RDONLY));  // not even close-on-exec
  const auto video = OpenFile(Good(), O_RDONLY);
  const v1::VideoTrack track = TrackOf(Good());
  const auto answer =
      RunWorker(program, video->get(), {.track = track, .thumbnails = 1}, 10 * kNanosPerSecond, {});
  EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
  // 4 is ls's own view of the folder, 255 bash's script.
  EXPECT_THAT(std::string(Message(answer.status())),
              testing::MatchesRegex("fds: 0 1 2 3 4 (255 )? env: 0"));
}

TEST_F(WorkerTest, AMissingProgramIsNotTheClipsFault) {
  const auto video = OpenFile(Good(), O_RDONLY);
  const v1::VideoTrack track = TrackOf(Good());
  const auto answer = RunWorker(Path("no-such"), video->get(), {.track = track, .thumbnails = 1},
                                kNanosPerSecond, {});
  EXPECT_TRUE(absl::IsUnavailable(answer.status()));
  EXPECT_THAT(std::string(Message(answer.status())), HasSubstr("no-such"));
}

TEST_F(WorkerTest, AStopEndsItAtOnce) {
  const auto video = OpenFile(Good(), O_RDONLY);
  std::stop_source stop;
  stop.request_stop();
  const v1::VideoTrack track = TrackOf(Good());
  const auto answer =
      RunWorker(Impostor("sleep 1000"), video->get(), {.track = track, .thumbnails = 1},
                100 * kNanosPerSecond, stop.get_token());
  EXPECT_TRUE(absl::IsCancelled(answer.status()));
}

}  // namespace
}  // namespace gleaner::cloud::media
