// Twelve kinds of cameras, each watched for ten minutes beside a plain one. Every clip has the
// window that the rule asked for, of both cameras, by the true time; every frame is the source's
// own, at its own time; and every video plays in Chromium from its first frame to its last.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "tests/data/paths.h"
#include "tests/edge/field/device.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

// Holds `text`, or nothing where that is empty.
auto SaysOnly(const std::string& text) {
  return ::testing::Truly([text](const std::string& said) {
    return text.empty() ? said.empty() : said.find(text) != std::string::npos;
  });
}

constexpr int64_t kMs = kNanosPerMilli;
constexpr int64_t kS = kNanosPerSecond;
constexpr int kFilmSeconds = 60;
constexpr double kWatchSeconds = 600;
// How far a frame's moment may be from the truth.
constexpr int64_t kToleranceNs = 250 * kMs;

const std::string kX264 = "-c:v libx264 -preset veryfast -pix_fmt yuv420p ";

struct Profile {
  std::string name;
  FilmOptions film;
  RtpStamp stamp = stamps::True();
  // Seconds at which the camera's clock steps, so that a clip that is open then is cut.
  std::vector<double> steps;
  bool true_stamps = true;  // clips have the camera's own stamps
  std::string problem;      // what the operator is told
  std::string shortfall;    // what every manifest says
};

FilmOptions FilmOf(const std::string& encode) {
  return {.seconds = kFilmSeconds, .moves_from_s = 20, .moves_to_s = 22, .encode = encode};
}

RtpStamp Stepping(const std::vector<double>& steps) {
  return [steps](int64_t, int64_t pts) {
    int64_t by = 0;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (static_cast<double>(pts) >= steps[i] * 90'000) by = i % 2 == 0 ? 3600 : 0;
    }
    return pts + by * 90'000;
  };
}

std::vector<Profile> Profiles() {
  std::vector<Profile> all;
  all.push_back({"long-gop", FilmOf(kX264 + "-g 500 -keyint_min 500 -sc_threshold 0 -bf 0")});
  all.push_back({"b-frames", FilmOf(kX264 + "-g 50 -bf 3")});
  all.push_back(
      {"open-gop", FilmOf(kX264 + "-g 50 -bf 3 -flags -cgop -x264-params open-gop=1:scenecut=0")});
  all.push_back({"intra-refresh", FilmOf(kX264 + "-bf 0 -x264-params intra-refresh=1:keyint=50")});
  // A frame in five where nothing moves, and keyframes far apart.
  FilmOptions smart = FilmOf(kX264 + "-g 200 -keyint_min 200 -sc_threshold 0 -bf 0 -vsync vfr");
  smart.filter = "select='not(mod(n,5))+between(t,19,25)'";
  all.push_back({"smart-codec", smart});
  FilmOptions mjpeg = FilmOf("-c:v mjpeg -huffman default -q:v 4 -pix_fmt yuvj420p");
  mjpeg.extension = "avi";
  mjpeg.frames_per_s = 10;
  mjpeg.height = 176;  // RTP counts in eights
  all.push_back({"mjpeg", mjpeg});
  all.push_back({"h265", FilmOf("-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params "
                                "log-level=error:pools=1:keyint=50:bframes=3")});
  FilmOptions large = FilmOf("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 10 -bf 0");
  large.width = 3840;
  large.height = 2160;
  large.frames_per_s = 5;
  all.push_back({"4k", large});
  Profile slow{"wrong-rate", FilmOf(kX264 + "-g 50 -bf 0"), stamps::Scaled(0.84)};
  slow.problem = "the camera's clock counts 0.84 s in a second";
  all.push_back(slow);
  Profile jittered{"jittered", FilmOf(kX264 + "-g 50 -bf 0"), stamps::Jittered(11, 30 * 90)};
  jittered.true_stamps = false;
  jittered.problem = "the timestamps of single frames are wrong";
  all.push_back(jittered);
  Profile stepping{"stepping", FilmOf(kX264 + "-g 50 -bf 3")};
  stepping.steps = {50, 321, 430};
  stepping.stamp = Stepping(stepping.steps);
  all.push_back(stepping);
  Profile useless{"useless", FilmOf(kX264 + "-g 50 -bf 3"), stamps::Constant()};
  useless.true_stamps = false;
  useless.problem = "the camera's timestamps are of no use";
  all.push_back(useless);
  return all;
}

// What a film is made of, frame by frame.
struct Source {
  std::string path;
  Film film;
  std::map<int, std::string> digests;  // by a frame's number
  std::map<int, int64_t> times_ns;     // of a frame, from the film's start
  std::vector<int64_t> arrivals_ns;    // of each picture in decode order
};

Source Open(const FilmOptions& options) {
  Source source;
  source.path = MakeFilm(options);
  source.film = Film::Load(source.path);
  source.film.length = int64_t{kFilmSeconds} * 90'000;
  for (const Film::Picture& picture : source.film.pictures) {
    source.arrivals_ns.push_back(picture.pts * kS / 90'000);
  }
  std::sort(source.arrivals_ns.begin(), source.arrivals_ns.end());
  int errors = 0;
  size_t shown = 0;
  for (const ShownFrame& frame : ShowFile(source.path, &errors)) {
    source.digests[frame.number] = frame.digest;
    source.times_ns[frame.number] = source.arrivals_ns.at(shown++);
  }
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(source.times_ns.size(), source.film.pictures.size());
  return source;
}

FieldCamera CameraOf(const std::string& name, const Source& source, const RtpStamp& stamp) {
  const auto& arrivals_ns = source.arrivals_ns;
  return {name, source.film, RtspBehavior{.stamp = stamp, .loop = true}, [arrivals_ns](int64_t n) {
            const auto count = static_cast<int64_t>(arrivals_ns.size());
            return n / count * kFilmSeconds * kS + arrivals_ns[n % count];
          }};
}

class FieldProfiles : public FieldDevice, public ::testing::WithParamInterface<Profile> {
 protected:
  // The moment at which a frame was really taken, the nearest to `near_ns` if the film was looped.
  static int64_t TrueNs(const Source& source, int number, int64_t near_ns) {
    const int64_t in_film_ns = source.times_ns.at(number);
    const int64_t round = std::llround(static_cast<double>(near_ns - kStart - in_film_ns) /
                                       (1.0 * kFilmSeconds * kS));
    return kStart + in_film_ns + round * kFilmSeconds * kS;
  }

  // Checks the n-th video of a clip; returns where its file is.
  std::string CheckTrack(const TakenClip& clip, int n, const Source& source, bool true_stamps,
                         bool whole) {
    const v1::VideoTrack& track = clip.manifest.video(n);
    const std::string* video = ObjectOf(clip, v1::ClipObject::KIND_VIDEO, n);
    const std::string path =
        (left_ / fmt::format("{}-{}.mp4", clip.stored.key.sequence, track.camera()));
    std::ofstream(path, std::ios::binary) << *video;
    int errors = 0;
    AVRational base;
    std::vector<ShownFrame> shown = ShowFile(path, &errors, &base);
    EXPECT_EQ(errors, 0);
    const std::vector<int64_t> pts = PtsOf(track);
    EXPECT_EQ(shown.size(), pts.size());
    if (shown.size() != pts.size()) return path;
    const auto first_ns = track.first_frame_monotonic_ns();
    const auto length_ns = static_cast<double>(track.last_frame_monotonic_ns() - first_ns);
    const auto length = static_cast<double>(std::max<int64_t>(1, pts.back() - pts.front()));
    std::set<int64_t> offsets;
    std::vector<int64_t> true_ns;
    for (size_t i = 0; i < shown.size(); ++i) {
      EXPECT_EQ(shown[i].pts, pts[i]);
      const auto moment_ns =
          first_ns +
          static_cast<int64_t>(static_cast<double>(pts[i] - pts.front()) / length * length_ns);
      if (!source.times_ns.contains(shown[i].number)) {
        ADD_FAILURE() << "frame " << shown[i].number << " isn't of the film";
        return path;
      }
      true_ns.push_back(TrueNs(source, shown[i].number, moment_ns));
      EXPECT_NEAR(moment_ns, true_ns.back(), kToleranceNs) << "frame " << shown[i].number;
      if (i > 0) {
        EXPECT_GT(true_ns[i], true_ns[i - 1]) << "frames are shown in their order";
      }
      if (track.encoder() == "remux") {
        EXPECT_EQ(shown[i].digest, source.digests.at(shown[i].number)) << shown[i].number;
      }
      const int64_t true_pts = (true_ns.back() - kStart) * 9 / 100'000;
      if (true_stamps) offsets.insert(pts[i] - GetParam().stamp(0, true_pts));
    }
    if (true_stamps && !offsets.empty()) {
      EXPECT_LE(*offsets.rbegin() - *offsets.begin(), 2) << "the camera's own stamps, moved by one "
                                                            "constant";
    }
    if (whole) {
      const v1::Window& asked = clip.manifest.requested();
      EXPECT_LE(true_ns.front(), asked.start_monotonic_ns() + kToleranceNs);
      EXPECT_GE(true_ns.back(), asked.end_monotonic_ns() - kToleranceNs - 250 * kMs);
    }
    return path;
  }

  std::filesystem::path left_;  // where the clips' videos stay
};

TEST_P(FieldProfiles, TenMinutesBesideAPlainCamera) {
  const Profile& profile = GetParam();
  left_ = std::filesystem::path(BinDir()).parent_path() / "field" / profile.name;
  std::filesystem::remove_all(left_);
  std::filesystem::create_directories(left_);
  const Source source = Open(profile.film);
  const Source plain = Open(FilmOf(kX264 + "-g 50 -bf 0"));
  RuleOptions rule;
  rule.name = "moves";
  rule.when = "motion > 0.02";
  rule.pre_ns = 3 * kS;
  rule.post_ns = 2 * kS;
  rule.cooldown_ns = 5 * kS;
  const auto clips =
      Watch({CameraOf("tried", source, profile.stamp), CameraOf("plain", plain, stamps::True())},
            rule, kWatchSeconds);
  EXPECT_GE(clips.size(), 10u) << "something moves once a minute";
  EXPECT_LE(clips.size(), 12u);
  for (const TakenClip& clip : clips) {
    SCOPED_TRACE(fmt::format("clip {}", clip.stored.key.sequence));
    const v1::ClipManifest& manifest = clip.manifest;
    const v1::Window& asked = manifest.requested();
    const bool cut = std::any_of(profile.steps.begin(), profile.steps.end(), [&](double at_s) {
      const int64_t at_ns = kStart + static_cast<int64_t>(at_s * kS);
      return at_ns > asked.start_monotonic_ns() && at_ns < asked.end_monotonic_ns();
    });
    ASSERT_EQ(manifest.video_size(), 2) << manifest.shortfall();
    EXPECT_FALSE(manifest.truncated());
    if (cut) {
      EXPECT_THAT(manifest.shortfall(), HasSubstr("camera tried: the camera's clock jumped"));
    } else {
      EXPECT_THAT(manifest.shortfall(), SaysOnly(profile.shortfall));
    }
    CheckTrack(clip, 0, source, profile.true_stamps && !cut, !cut);
    CheckTrack(clip, 1, plain, false, true);
  }
  EXPECT_THAT(statuses_[0].problem, SaysOnly(profile.problem));
  EXPECT_EQ(statuses_[0].dropped, 0u);
  EXPECT_EQ(statuses_[1].problem, "");
}

INSTANTIATE_TEST_SUITE_P(Of, FieldProfiles, ::testing::ValuesIn(Profiles()), [](const auto& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace gleaner::edge
