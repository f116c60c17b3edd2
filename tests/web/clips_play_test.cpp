// Clips of cameras of every kind in a real Chromium: each plays from the first frame of its
// manifest to the last, upright and in the right colours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/data/film.h"
#include "tests/edge/clip/recorder_testing.h"
#include "tests/web/play.h"

namespace gleaner::edge {
namespace {

using ::testing::SizeIs;

class ClipsPlay : public RecorderRig {
 protected:
  struct Made {
    std::string name;
    std::string path;
    v1::VideoTrack track;
  };

  // The clip that a firing in the middle of `recording` makes.
  Made Remux(const std::string& name, const Recording& recording) {
    const auto clips = Record(recording, Rule(kS, kS), {recording.start_ns() + 3 * kS});
    return Take(name, clips);
  }

  // The same for a camera whose packets a clip can't hold.
  Made Encode(const std::string& name, const Recording& recording) {
    Recorder recorder(Options({"front"}, kS), *spool_, clock_);
    const RuleOptions rule = Rule(kS, kS);
    bool fired = false;
    auto transcoder =
        Transcoder::Open(recording.format, {"openh264"},
                         {.on_frame = [](const Frame&) {},
                          .on_format = [&](const VideoFormat& f,
                                           const std::string& e) { recorder.OnFormat(0, f, e); },
                          .on_packet =
                              [&](const Packet& packet) {
                                recorder.OnPacket(0, packet);
                                if (!fired && packet.monotonic_ns > recording.start_ns() + kS) {
                                  fired = true;
                                  recorder.OnFiring({&rule, packet.monotonic_ns}, kSignals);
                                }
                              }});
    EXPECT_TRUE(transcoder.ok());
    for (const Packet& packet : recording.packets) {
      EXPECT_TRUE((*transcoder)->OnPacket(packet).ok());
    }
    EXPECT_TRUE((*transcoder)->Flush().ok());
    recorder.Finish();
    return Take(name, TakeAll());
  }

  Made Take(const std::string& name, const std::vector<TakenClip>& clips) {
    // The newest: those of other cameras are in the same spool.
    EXPECT_FALSE(clips.empty()) << name;
    if (clips.empty()) return {};
    const std::string* video = ObjectOf(clips.back(), v1::ClipObject::KIND_VIDEO);
    return {name, Save(*video, name + ".mp4"), clips.back().manifest.video(0)};
  }

  Recording Film(const std::string& name, const std::string& encoder, int skip_keyframes = 0,
                 const std::string& size = "160x120") {
    Recording recording = ReadFootage(MakeFilm({.seconds = 7, .size = size, .encoder = encoder},
                                               folder_ / (name + "-source.mp4")),
                                      kStart);
    auto at = recording.packets.begin();
    while (!at->keyframe || skip_keyframes-- > 0) ++at;
    recording.packets.erase(recording.packets.begin(), at);
    return recording;
  }

  static void ExpectPlaysWhole(const Made& made, const Played& played) {
    SCOPED_TRACE(made.name);
    EXPECT_EQ(played.error, "");
    EXPECT_TRUE(played.ended);
    EXPECT_EQ(played.frames, static_cast<int>(made.track.frame_count()));
    const double tick_s =
        static_cast<double>(made.track.time_base_numerator()) / made.track.time_base_denominator();
    const auto pts = PtsOf(made.track);
    EXPECT_NEAR(played.first_s, static_cast<double>(pts.front()) * tick_s, 1e-3);
    // The count says that every frame came out of the decoder; the browser's own end is that of the
    // last frame in decode order, a frame or two early where there are B-frames.
    EXPECT_GT(played.last_s, static_cast<double>(pts.at(pts.size() - 4)) * tick_s);
  }
};

TEST_F(ClipsPlay, FromTheFirstFrameToTheLastWhateverTheCameraSends) {
  const std::string x264 = "-c:v libx264 -preset veryfast -g 10 ";
  const std::string open = x264 + "-flags -cgop -x264-params open-gop=1:scenecut=0";
  const std::string refresh =
      "-c:v libx264 -preset veryfast -bf 0 -x264-params intra-refresh=1:keyint=10";
  std::vector<Made> made;
  made.push_back(Remux("plain", Film("plain", x264 + "-bf 0")));
  made.push_back(Remux("b-frames", Film("b-frames", x264 + "-bf 3")));
  for (const int skip : {1, 2, 3}) {
    for (const int depth : {1, 3}) {
      const std::string name = fmt::format("open-gop-{}-{}", skip, depth);
      made.push_back(
          Remux(name, Film(name, fmt::format("{}:b-pyramid=2:bframes={}", open, depth), skip)));
    }
    const std::string name = fmt::format("intra-refresh-{}", skip);
    made.push_back(Remux(name, Film(name, refresh, skip)));
  }
  made.push_back(Remux("cavlc", Film("cavlc", open + ":cabac=0:bframes=3:slices=3", 2)));
  made.push_back(
      Remux("large", Film("large", "-c:v libx264 -preset ultrafast -r 2", 0, "4000x3000")));
  made.push_back(Encode("mjpeg", Film("mjpeg", "-c:v mjpeg -q:v 4")));
  made.push_back(Encode("mpeg4", Film("mpeg4", "-c:v mpeg4 -q:v 4")));
  std::vector<std::string> paths;
  for (const Made& one : made) paths.push_back(one.path);
  const auto played = PlayInChromium(paths);
  ASSERT_THAT(played, SizeIs(made.size()));
  for (size_t i = 0; i < made.size(); ++i) ExpectPlaysWhole(made[i], played[i]);
}

TEST_F(ClipsPlay, TurnedAsTheCameraSays) {
  const std::string plain =
      MakeFilm({.seconds = 7, .encoder = "-c:v libx264 -g 10"}, folder_ / "plain-source.mp4");
  const std::string turned = folder_ / "turned-source.mp4";
  RunFfmpeg(fmt::format("-i '{}' -c copy -metadata:s:v rotate=90 '{}'", plain, turned));
  const std::string jpeg = folder_ / "jpeg-source.mp4";
  MakeFilm({.seconds = 7, .encoder = "-c:v mjpeg"}, folder_ / "plain-jpeg.mp4");
  RunFfmpeg(fmt::format("-i '{}' -c copy -metadata:s:v rotate=90 '{}'",
                        std::string(folder_ / "plain-jpeg.mp4"), jpeg));
  const Made remuxed = Remux("turned", ReadFootage(turned, kStart));
  EXPECT_EQ(remuxed.track.rotation_degrees(), 270u);
  EXPECT_EQ(remuxed.track.width(), 160u) << "as it is coded";
  const Made encoded = Encode("turned-jpeg", ReadFootage(jpeg, kStart));
  EXPECT_EQ(encoded.track.rotation_degrees(), 270u);
  for (const Played& played : PlayInChromium({remuxed.path, encoded.path})) {
    EXPECT_EQ(played.error, "");
    EXPECT_EQ(played.width, 120);
    EXPECT_EQ(played.height, 160);
  }
}

// Five patches, side by side.
constexpr std::array<std::array<int, 3>, 5> kPatches = {
    {{200, 30, 40}, {30, 180, 60}, {40, 60, 200}, {128, 128, 128}, {220, 210, 60}}};

TEST_F(ClipsPlay, InTheColoursThatFfmpegShowsAndTheCameraSaw) {
  std::string inputs, stack;
  for (const auto& [r, g, b] : kPatches) {
    inputs += fmt::format("-f lavfi -i color=0x{:02x}{:02x}{:02x}:s=256x720:r=5:d=3,format=rgb24 ",
                          r, g, b);
  }
  const auto make = [&](const char* name, const char* encoder) {
    const std::string path = folder_ / name;
    RunFfmpeg(fmt::format("{} -filter_complex hstack=inputs=5 {} '{}'", inputs, encoder, path));
    return Encode(std::string(name) + "-clip", ReadFootage(path, kStart));
  };
  const std::vector<Made> made = {
      make("jpeg.avi", "-c:v mjpeg -q:v 2 -pix_fmt yuvj422p"),
      make("yuyv.avi", "-c:v rawvideo -pix_fmt yuyv422"),
      make("bgr.avi", "-c:v rawvideo -pix_fmt bgr24"),
  };
  std::vector<std::string> paths;
  for (const Made& one : made) paths.push_back(one.path);
  const auto played = PlayInChromium(paths, {.pixels = "0.1,0.5;0.3,0.5;0.5,0.5;0.7,0.5;0.9,0.5"});
  ASSERT_THAT(played, SizeIs(made.size()));
  for (size_t i = 0; i < made.size(); ++i) {
    SCOPED_TRACE(made[i].name);
    const std::string raw = folder_ / "patches.rgb";
    RunFfmpeg(
        fmt::format("-i '{}' -frames:v 1 -vf scale=1280:720:out_range=full,format=rgb24 -f "
                    "rawvideo '{}'",
                    made[i].path, raw));
    std::ifstream in(raw, std::ios::binary);
    const std::string pixels((std::istreambuf_iterator<char>(in)), {});
    ASSERT_EQ(pixels.size(), 1280u * 720 * 3);
    ASSERT_THAT(played[i].pixels, SizeIs(5));
    for (size_t patch = 0; patch < 5; ++patch) {
      const size_t at = (360 * 1280 + 128 + patch * 256) * 3;
      for (size_t c = 0; c < 3; ++c) {
        const int ffmpeg = static_cast<uint8_t>(pixels[at + c]);
        EXPECT_NEAR(played[i].pixels[patch][c], ffmpeg, 3) << "patch " << patch << " channel " << c;
        EXPECT_NEAR(ffmpeg, kPatches[patch][c], 5) << "patch " << patch << " channel " << c;
      }
    }
  }
}

}  // namespace
}  // namespace gleaner::edge
