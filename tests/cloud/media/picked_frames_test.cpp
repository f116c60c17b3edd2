// What the worker takes out of videos on its one pass, and single pictures at full size: on real
// footage, by the real program.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <bit>
#include <fstream>

#include "clip_file.h"
#include "cloud/media/frame_times.h"
#include "cloud/media/worker_process.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/status.h"
#include "tests/data/film.h"
#include "tests/data/paths.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud::media {
namespace {

using testing::HasSubstr;

const std::string kWorker = BinDir() + "/gleaner-media";
constexpr int kSide = 64;

class PickedFramesTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) { return folder_ / name; }

  std::vector<ChosenFrame> Pick(const std::string& path, const FramePlan& plan) {
    const v1::VideoTrack track = TrackOf(path);
    const auto video = OpenFile(path, O_RDONLY);
    auto answer = RunWorker(kWorker, video->get(), {.track = track, .frames = plan},
                            20 * kNanosPerSecond, {});
    if (!answer.ok() || answer->verdict.state() != v1::MediaCheck::STATE_OK) {
      ADD_FAILURE() << answer.status() << (answer.ok() ? answer->verdict.problem() : "");
      return {};
    }
    return answer->frames;
  }
  // The frames with these numbers.
  std::vector<ChosenFrame> Pick(const std::string& path, const std::vector<size_t>& numbers) {
    const auto times = FrameTimes(TrackOf(path));
    FramePlan plan;
    for (const size_t n : numbers) {
      plan.frames.push_back({.pts = times.at(n), .reasons = ReasonBit(v1::Frame::REASON_EVENLY)});
    }
    return Pick(path, plan);
  }
  // A second of a film whose pictures went through `filter`.
  ChosenFrame First(const std::string& filter) {
    const std::string path = Path("film.mp4");
    MakeVideo(
        "cup.mp4",
        fmt::format("-t 1 -vf {} -c:v libx264 -preset veryfast -crf 18 {}", filter, kFragmented),
        path);
    const auto frames = Pick(path, std::vector<size_t>{10});
    return frames.empty() ? ChosenFrame() : frames[0];
  }

  absl::StatusOr<std::string> Picture(const std::string& path, const v1::VideoTrack& track,
                                      int64_t pts, const std::string& program = kWorker) {
    const auto video = OpenFile(path, O_RDONLY);
    return RunForPicture(program, video->get(), track, pts, 20 * kNanosPerSecond, {});
  }
  // A picture as kSide x kSide grey values, by FFmpeg's own program.
  std::string Grey(const std::string& path, const std::string& before = "") {
    RunFfmpeg(
        fmt::format("-i '{}' -vf \"{}scale={}:{}:flags=area,format=gray\" -frames:v 1 -f rawvideo "
                    "'{}'",
                    path, before, kSide, kSide, Path("grey")));
    return ReadFile(Path("grey"), 1 << 20).value();
  }
  std::string GreyOfJpeg(const std::string& jpeg) {
    std::ofstream(Path("picture.jpg"), std::ios::binary) << jpeg;
    return Grey(Path("picture.jpg"));
  }
  static double Difference(const std::string& a, const std::string& b) {
    EXPECT_EQ(a.size(), b.size());
    double sum = 0;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      sum += std::abs(static_cast<unsigned char>(a[i]) - static_cast<unsigned char>(b[i]));
    }
    return sum / static_cast<double>(a.size());
  }

  TemporaryFolder folder_;
};

int Distance(uint64_t a, uint64_t b) { return std::popcount(a ^ b); }

TEST_F(PickedFramesTest, TheFramesThatAreWantedComeWithKeyframesBesides) {
  const std::string path = Path("cup.mp4");
  MakeVideo("cup.mp4", std::string("-c copy -t 5 ") + kFragmented, path);
  const auto times = FrameTimes(TrackOf(path));
  const uint32_t fired = ReasonBit(v1::Frame::REASON_FIRING);
  FramePlan plan{.frames = {{times.at(17), fired}, {times.at(61), fired}}, .keyframes = 3};
  plan.gap_ticks = static_cast<uint64_t>(times.at(3) - times.at(0));
  const auto frames = Pick(path, plan);
  // A keyframe is every 30; the one in the second part is too near to what is wanted.
  std::vector<int64_t> got;
  for (const ChosenFrame& frame : frames) got.push_back(frame.pts);
  EXPECT_THAT(got, testing::ElementsAre(times.at(0), times.at(17), times.at(61), times.at(90)));
  for (const ChosenFrame& frame : frames) {
    EXPECT_EQ(frame.reasons, frame.pts == times.at(17) || frame.pts == times.at(61)
                                 ? fired
                                 : ReasonBit(v1::Frame::REASON_KEYFRAME));
    EXPECT_GT(frame.thumbnail.size(), 1000u);
    EXPECT_GT(frame.sharpness, 0.2);
    EXPECT_LT(frame.blocked, 0.9);
  }
}

TEST_F(PickedFramesTest, AThumbnailIsOfThatVeryFrame) {
  const std::string path = Path("b.mp4");
  MakeVideo("vtest.avi",
            std::string("-t 6 -c:v libx264 -preset veryfast -bf 2 -g 30 ") + kFragmented, path);
  for (const size_t n : {7, 31, 58}) {
    const auto frames = Pick(path, std::vector<size_t>{n});
    ASSERT_EQ(frames.size(), 1u);
    const std::string got = GreyOfJpeg(frames[0].thumbnail);
    const double here = Difference(got, Grey(path, fmt::format("select='eq(n,{})',", n)));
    const double beside = Difference(got, Grey(path, fmt::format("select='eq(n,{})',", n + 1)));
    EXPECT_LT(here, 3) << n;
    EXPECT_LT(here, beside) << n;
  }
}

TEST_F(PickedFramesTest, AFrameThatIsNotWholeIsNotTaken) {
  const std::string path = Path("long.mp4");
  MakeFilm({.seconds = 6,
            .encoder = std::string("-c:v libx264 -preset veryfast -g 1 -bf 0 ") + kFragmented},
           path);
  Damage(path, {30});
  const auto times = FrameTimes(TrackOf(path));
  FramePlan plan;
  for (const int64_t pts : times) plan.frames.push_back({pts, 2});
  ASSERT_EQ(plan.frames.size(), 60u);
  const auto frames = Pick(path, plan);
  EXPECT_EQ(frames.size(), 59u);
  for (const ChosenFrame& frame : frames) EXPECT_NE(frame.pts, times.at(30));
}

TEST_F(PickedFramesTest, AHashSurvivesRecompressionSizeAndLightAndTellsScenesApart) {
  const ChosenFrame plain = First("null");
  EXPECT_LE(Distance(plain.phash, First("scale=320:240").phash), 4);
  EXPECT_LE(Distance(plain.phash, First("eq=brightness=0.08:contrast=1.1").phash), 8);
  EXPECT_LE(Distance(plain.phash, First("noise=alls=12:allf=t").phash), 4);
  EXPECT_GE(Distance(plain.phash, First("hflip").phash), 16);
  const std::string other = Path("other.mp4");
  MakeVideo("vtest.avi", std::string("-t 1 -c:v libx264 -preset veryfast ") + kFragmented, other);
  EXPECT_GE(Distance(plain.phash, Pick(other, std::vector<size_t>{5}).at(0).phash), 16);
}

TEST_F(PickedFramesTest, BlurDarknessAndACoveredLensAreMeasured) {
  const ChosenFrame plain = First("null");
  const ChosenFrame blurred = First("gblur=sigma=6");
  const ChosenFrame dark = First("eq=brightness=-0.35");
  const ChosenFrame covered = First("drawbox=c=0x302018:t=fill,noise=alls=4:allf=t");
  EXPECT_LT(blurred.sharpness, plain.sharpness / 2);
  EXPECT_LT(blurred.sharpness, 0.2);
  EXPECT_LT(dark.exposure, plain.exposure - 0.2);
  EXPECT_LT(plain.blocked, 0.9);
  EXPECT_GT(covered.blocked, 0.95);
  // Not of the size: the same picture at twice the width.
  EXPECT_NEAR(First("scale=1280:960").sharpness, plain.sharpness, 0.2);
}

TEST_F(PickedFramesTest, MotionIsSeenAroundAFrameAndStillnessToo) {
  const std::string moving = Path("moving.mp4");
  MakeFilm({.seconds = 4, .encoder = std::string("-c:v libx264 -g 10 ") + kFragmented}, moving);
  EXPECT_GT(Pick(moving, std::vector<size_t>{20}).at(0).motion, 0.02);
  const std::string still = Path("still.mp4");
  // Its light changes by and by.
  RunFfmpeg(fmt::format(
      "-loop 1 -i '{}' -t 4 -r 10 -vf "
      "scale=320:240,eq=brightness=0.02*t:eval=frame,noise=alls=6:allf=t -pix_fmt "
      "yuv420p -c:v libx264 {} '{}'",
      [&] {
        RunFfmpeg(fmt::format("-i '{}' -frames:v 1 '{}'", Footage("cup.mp4"), Path("one.png")));
        return Path("one.png");
      }(),
      kFragmented, still));
  for (const ChosenFrame& frame : Pick(still, std::vector<size_t>{0, 20, 39})) {
    EXPECT_LT(frame.motion, 0.01) << frame.pts;
  }
}

TEST_F(PickedFramesTest, TenBitPicturesAndTurnedOnesAreMeasuredToo) {
  const std::string path = Path("ten.mp4");
  MakeVideo("cup.mp4",
            std::string("-t 1 -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params "
                        "log-level=none ") +
                kFragmented,
            path);
  const auto ten = Pick(path, std::vector<size_t>{10});
  ASSERT_EQ(ten.size(), 1u);
  const ChosenFrame plain = First("null");
  EXPECT_LE(Distance(ten[0].phash, plain.phash), 6);
  EXPECT_NEAR(ten[0].exposure, plain.exposure, 0.03);
}

TEST_F(PickedFramesTest, APictureIsThatFrameAtFullSize) {
  const std::string path = Path("b.mp4");
  MakeVideo("vtest.avi",
            std::string("-t 6 -c:v libx264 -preset veryfast -bf 2 -g 20 ") + kFragmented, path);
  const v1::VideoTrack track = TrackOf(path);
  const auto times = FrameTimes(track);
  for (const size_t n : {0, 19, 20, 43, 59}) {
    const auto picture = Picture(path, track, times.at(n));
    ASSERT_TRUE(picture.ok()) << n << ": " << picture.status();
    const std::string got = GreyOfJpeg(*picture);
    EXPECT_LT(Difference(got, Grey(path, fmt::format("select='eq(n,{})',", n))), 1) << n;
  }
}

TEST_F(PickedFramesTest, APictureOfAStreamWithoutKeyframesIsDecodedFromTheBeginning) {
  const std::string path = Path("refresh.mp4");
  MakeVideo("vtest.avi",
            std::string("-t 5 -c:v libx264 -preset veryfast -bf 0 -x264-params "
                        "intra-refresh=1:keyint=15 ") +
                kFragmented,
            path);
  const v1::VideoTrack track = TrackOf(path);
  const auto picture = Picture(path, track, FrameTimes(track).at(33));
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_LT(Difference(GreyOfJpeg(*picture), Grey(path, "select='eq(n,33)',")), 1);
}

TEST_F(PickedFramesTest, APictureThatCannotBeHadSaysWhy) {
  const std::string path = Path("cup.mp4");
  MakeVideo("cup.mp4", std::string("-c copy -t 1 ") + kFragmented, path);
  v1::VideoTrack track = TrackOf(path);
  EXPECT_THAT(std::string(Message(Picture(path, track, 12'345).status())),
              HasSubstr("the frame at 12345 doesn't decode"));
  const std::string text = Path("text.mp4");
  std::ofstream(text) << "not a video";
  EXPECT_THAT(std::string(Message(Picture(text, track, 0).status())), HasSubstr("not an MP4"));
  // Another program in the worker's place.
  const std::string impostor = Path("impostor");
  const auto as = [&](const std::string& script) {
    std::ofstream(impostor) << "#!/bin/bash\n" << script << "\n";
    ::chmod(impostor.c_str(), 0755);
    return Picture(path, track, track.first_pts(), impostor).status();
  };
  EXPECT_TRUE(absl::IsFailedPrecondition(as("exit 3")));
  EXPECT_THAT(std::string(Message(as("kill -SEGV $$"))), HasSubstr("SIGSEGV"));
  EXPECT_THAT(std::string(Message(as("yes"))), HasSubstr("makes no sense"));
  EXPECT_TRUE(absl::IsAborted(as("kill -KILL $$")));
  track.set_width(320);
  EXPECT_THAT(std::string(Message(Picture(path, track, track.first_pts()).status())),
              HasSubstr("640x480"));
}

}  // namespace
}  // namespace gleaner::cloud::media
