// Twelve kinds of cameras, each watched beside a plain one. Every clip has the window that the rule
// asked for, of both cameras, by the true time; both show the same moment at the same time; every
// frame is the source's own, at its own time; and every video plays in Chromium from its first
// frame to its last. Debian's Chromium can't decode H.265: of that FFmpeg is the judge alone.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <ostream>
#include <set>

#include "tests/data/paths.h"
#include "tests/edge/field/device.h"
#include "tests/web/play.h"

namespace gleaner::edge {

// Holds `text`, or nothing where that is empty.
inline auto SaysOnly(const std::string& text) {
  return ::testing::Truly([text](const std::string& said) {
    return text.empty() ? said.empty() : said.find(text) != std::string::npos;
  });
}

inline constexpr int64_t kMs = kNanosPerMilli;
inline constexpr int64_t kS = kNanosPerSecond;
inline constexpr int kFilmSeconds = 60;
// How far a frame's moment may be from the truth, and what two cameras show at one moment apart.
inline constexpr int64_t kToleranceNs = 250 * kMs;
inline constexpr int64_t kApartNs = 150 * kMs;

inline const std::string kX264 = "-c:v libx264 -preset veryfast -pix_fmt yuv420p ";

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

inline void PrintTo(const Profile& profile, std::ostream* out) { *out << profile.name; }

inline FilmOptions FilmOf(const std::string& encode) {
  return {.seconds = kFilmSeconds, .moves_from_s = 20, .moves_to_s = 22, .encode = encode};
}

inline RtpStamp Stepping(const std::vector<double>& steps) {
  return [steps](int64_t, int64_t pts) {
    int64_t by = 0;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (static_cast<double>(pts) >= steps[i] * 90'000) by = i % 2 == 0 ? 3600 : 0;
    }
    return pts + by * 90'000;
  };
}

inline std::vector<Profile> Profiles() {
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
  stepping.steps = {50, 81, 430};
  stepping.stamp = Stepping(stepping.steps);
  all.push_back(stepping);
  Profile useless{"useless", FilmOf(kX264 + "-g 50 -bf 3"), stamps::Constant()};
  useless.true_stamps = false;
  useless.problem = "the camera's timestamps are of no use";
  all.push_back(useless);
  return all;
}

// What a film is made of, frame by frame.
struct FieldFilm {
  std::string path;
  Film film;
  std::map<int, std::string> digests;  // by a frame's number
  std::map<int, int64_t> times_ns;     // of a frame, from the film's start
  std::vector<int64_t> taken_ns;       // of each picture, in the order of presentation
  int64_t lead_ns = 0;                 // by how much pictures are sent before their turn
};

inline FieldFilm OpenFilm(const FilmOptions& options) {
  FieldFilm source;
  source.path = MakeFilm(options);
  source.film = Film::Load(source.path);
  source.film.length = int64_t{kFilmSeconds} * 90'000;
  for (const Film::Picture& picture : source.film.pictures) {
    source.taken_ns.push_back(picture.pts * kS / 90'000);
  }
  const std::vector<int64_t> in_decode_order = source.taken_ns;
  std::sort(source.taken_ns.begin(), source.taken_ns.end());
  for (size_t i = 0; i < source.taken_ns.size(); ++i) {
    source.lead_ns = std::max(source.lead_ns, in_decode_order[i] - source.taken_ns[i]);
  }
  int errors = 0;
  size_t shown = 0;
  for (const ShownFrame& frame : ShowFile(source.path, &errors)) {
    source.digests[frame.number] = frame.digest;
    source.times_ns[frame.number] = source.taken_ns.at(shown++);
  }
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(source.times_ns.size(), source.film.pictures.size());
  return source;
}

inline FieldCamera CameraOf(const std::string& name, const FieldFilm& source,
                            const RtpStamp& stamp) {
  // A picture is sent when all that is shown before it has been taken.
  return {name, source.film, RtspBehavior{.stamp = stamp, .loop = true},
          [taken_ns = source.taken_ns, lead_ns = source.lead_ns](int64_t n) {
            const auto count = static_cast<int64_t>(taken_ns.size());
            return n / count * kFilmSeconds * kS + taken_ns[n % count] + lead_ns;
          }};
}

class FieldProfiles : public FieldDevice, public ::testing::WithParamInterface<Profile> {
 protected:
  // The moment at which a frame was really taken, the nearest to `near_ns` if the film was looped.
  static int64_t TrueNs(const FieldFilm& source, int number, int64_t near_ns) {
    const int64_t in_film_ns = source.times_ns.at(number);
    const int64_t round = std::llround(static_cast<double>(near_ns - kStart - in_film_ns) /
                                       (1.0 * kFilmSeconds * kS));
    return kStart + in_film_ns + round * kFilmSeconds * kS;
  }

  struct Checked {
    std::string path;                       // of its file
    int64_t least_ns = 0, greatest_ns = 0;  // errors of its frames' moments
  };

  // Checks the n-th video of a clip.
  Checked CheckTrack(const TakenClip& clip, int n, const FieldFilm& source, bool true_stamps,
                     bool whole) {
    const v1::VideoTrack& track = clip.manifest.video(n);
    const std::string* video = ObjectOf(clip, v1::ClipObject::KIND_VIDEO, n);
    Checked checked;
    checked.path = Save(*video, fmt::format("{}-{}.mp4", clip.stored.key.sequence, track.camera()));
    int errors = 0;
    AVRational base;
    std::vector<ShownFrame> shown = ShowFile(checked.path, &errors, &base);
    EXPECT_EQ(errors, 0);
    const std::vector<int64_t> pts = PtsOf(track);
    EXPECT_EQ(shown.size(), pts.size());
    if (shown.size() != pts.size()) return checked;
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
        return checked;
      }
      true_ns.push_back(TrueNs(source, shown[i].number, moment_ns));
      const int64_t error_ns = moment_ns - true_ns.back();
      EXPECT_LE(std::abs(error_ns), kToleranceNs) << "frame " << shown[i].number;
      checked.least_ns = i == 0 ? error_ns : std::min(checked.least_ns, error_ns);
      checked.greatest_ns = i == 0 ? error_ns : std::max(checked.greatest_ns, error_ns);
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
    return checked;
  }

  // In Chromium, at many times the speed.
  void ExpectPlays(const std::vector<std::string>& paths,
                   const std::vector<v1::VideoTrack>& tracks);
  void WatchAndCheck(double seconds);
};

inline void FieldProfiles::ExpectPlays(const std::vector<std::string>& paths,
                                       const std::vector<v1::VideoTrack>& tracks) {
  const std::vector<Played> played = PlayInChromium(paths, {.rate = 16});
  ASSERT_EQ(played.size(), paths.size());
  for (size_t i = 0; i < played.size(); ++i) {
    SCOPED_TRACE(paths[i]);
    EXPECT_EQ(played[i].error, "");
    EXPECT_TRUE(played[i].ended);
    EXPECT_EQ(played[i].frames, static_cast<int>(tracks[i].frame_count()));
    const double tick_s =
        static_cast<double>(tracks[i].time_base_numerator()) / tracks[i].time_base_denominator();
    EXPECT_NEAR(played[i].first_s, static_cast<double>(tracks[i].first_pts()) * tick_s, 1e-3);
  }
}

inline void FieldProfiles::WatchAndCheck(double seconds) {
  const Profile& profile = GetParam();
  const FieldFilm source = OpenFilm(profile.film);
  const FieldFilm plain = OpenFilm(FilmOf(kX264 + "-g 50 -bf 0"));
  RuleOptions rule;
  rule.name = "moves";
  rule.when = "motion > 0.02";
  rule.pre_ns = 3 * kS;
  rule.post_ns = 2 * kS;
  rule.cooldown_ns = 5 * kS;
  const auto clips =
      Watch({CameraOf("tried", source, profile.stamp), CameraOf("plain", plain, stamps::True())},
            rule, seconds);
  const auto minutes = static_cast<size_t>(seconds / kFilmSeconds);
  EXPECT_GE(clips.size(), minutes) << "something moves once a minute";
  EXPECT_LE(clips.size(), minutes + 2);
  std::vector<std::string> paths;
  std::vector<v1::VideoTrack> tracks;
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
      EXPECT_THAT(manifest.shortfall(),
                  ::testing::HasSubstr("camera tried: the camera's clock jumped"));
    } else {
      EXPECT_THAT(manifest.shortfall(), SaysOnly(profile.shortfall));
    }
    const Checked tried = CheckTrack(clip, 0, source, profile.true_stamps && !cut, !cut);
    const Checked beside = CheckTrack(clip, 1, plain, false, true);
    EXPECT_LE(
        std::max(tried.greatest_ns, beside.greatest_ns) - std::min(tried.least_ns, beside.least_ns),
        kApartNs)
        << "what both show at one moment is of one moment";
    for (const auto& [n, checked] : {std::pair(0, tried), std::pair(1, beside)}) {
      if (manifest.video(n).codec() == "hevc") continue;
      paths.push_back(checked.path);
      tracks.push_back(manifest.video(n));
    }
  }
  ExpectPlays(paths, tracks);
  // The operator is told of a jump for a minute.
  const bool jumped = std::any_of(profile.steps.begin(), profile.steps.end(), [&](double at_s) {
    return at_s < seconds && at_s > seconds - kFilmSeconds;
  });
  EXPECT_THAT(statuses_[0].problem,
              SaysOnly(jumped ? "the camera's clock jumped" : profile.problem));
  EXPECT_EQ(statuses_[0].dropped, 0u);
  EXPECT_EQ(statuses_[1].problem, "");
}

inline std::string ProfileName(const ::testing::TestParamInfo<Profile>& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace gleaner::edge
