// Where a clip may start: IDR pictures, open GOPs, recovery points. What is written must decode
// from its first packet without an error, and show the source's own pictures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "edge/camera/nal_units.h"
#include "edge/camera/random_access.h"
#include "edge/clip/open_start.h"
#include "edge/clip/ring.h"
#include "tests/data/film.h"
#include "tests/data/seed.h"
#include "tests/edge/clip/recorder_testing.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

constexpr char kOpenGop[] =
    "-c:v libx264 -preset veryfast -g 10 -bf 3 -flags -cgop -x264-params open-gop=1:scenecut=0";
constexpr char kIntraRefresh[] =
    "-c:v libx264 -preset veryfast -bf 0 -x264-params intra-refresh=1:keyint=10:scenecut=0";

// Every picture of a file as its decoder shows it, by PTS.
std::map<int64_t, std::string> PicturesOf(const std::string& path) {
  std::map<int64_t, std::string> pictures;
  AVFormatContext* context = nullptr;
  EXPECT_EQ(avformat_open_input(&context, path.c_str(), nullptr, nullptr), 0);
  EXPECT_GE(avformat_find_stream_info(context, nullptr), 0);
  const AVCodecParameters& parameters = *context->streams[0]->codecpar;
  const AvPtr<AVCodecContext> decoder(
      avcodec_alloc_context3(avcodec_find_decoder(parameters.codec_id)));
  avcodec_parameters_to_context(decoder.get(), &parameters);
  decoder->thread_count = 1;
  // As strict as browsers: FFmpeg would go on where a slice tells what to do with a picture that is
  // not there.
  decoder->err_recognition = AV_EF_EXPLODE;
  EXPECT_EQ(avcodec_open2(decoder.get(), nullptr, nullptr), 0);
  const auto packet = NewPacket();
  const auto frame = NewFrame();
  const auto drain = [&] {
    while (avcodec_receive_frame(decoder.get(), frame.get()) == 0) {
      std::string& pixels = pictures[frame->best_effort_timestamp];
      for (int plane = 0; plane < 3; ++plane) {
        const int shift = plane == 0 ? 0 : 1;
        for (int y = 0; y < frame->height >> shift; ++y) {
          pixels.append(reinterpret_cast<char*>(frame->data[plane]) + y * frame->linesize[plane],
                        frame->width >> shift);
        }
      }
    }
  };
  while (av_read_frame(context, packet.get()) >= 0) {
    EXPECT_GE(avcodec_send_packet(decoder.get(), packet.get()), 0) << "at " << packet->pts;
    drain();
    av_packet_unref(packet.get());
  }
  avcodec_send_packet(decoder.get(), nullptr);
  drain();
  avformat_close_input(&context);
  return pictures;
}

class StartTest : public RecorderRig {
 protected:
  std::string Make(const Film& film, const std::string& name) {
    return MakeFilm(film, folder_ / name);
  }

  // A camera that is met in mid-stream: its packets from the n-th keyframe (from 0) on.
  static Recording From(Recording recording, int n) {
    auto at = recording.packets.begin();
    for (; at != recording.packets.end(); ++at) {
      if (at->keyframe && n-- == 0) break;
    }
    recording.packets.erase(recording.packets.begin(), at);
    return recording;
  }

  // The clip that a firing `after_s` behind the first packet makes.
  TakenClip Clip(const Recording& recording, double after_s, double pre_s) {
    RuleOptions rule = Rule(static_cast<int64_t>(pre_s * kS), kS);
    auto clips = Record(recording, rule,
                        {recording.start_ns() + static_cast<int64_t>(after_s * kNanosPerSecond)});
    EXPECT_FALSE(clips.empty());
    return clips.empty() ? TakenClip{} : std::move(clips.back());  // the newest in the spool
  }

  // Every frame of the manifest decodes and is the source's picture of that time, but for at most
  // so much a sample on average.
  void ExpectTheSourcesPictures(const TakenClip& clip, const std::string& source,
                                double tolerance = 0) {
    const std::string* video = ObjectOf(clip, v1::ClipObject::KIND_VIDEO);
    ASSERT_NE(video, nullptr);
    const auto wanted = PicturesOf(source);
    const auto got = PicturesOf(Save(*video, "clip.mp4"));
    std::vector<int64_t> times;
    for (const auto& [pts, pixels] : got) {
      times.push_back(pts);
      const auto same = wanted.find(pts);
      ASSERT_NE(same, wanted.end()) << pts;
      ASSERT_EQ(pixels.size(), same->second.size());
      double sum = 0;
      for (size_t i = 0; i < pixels.size(); ++i) {
        sum += std::abs(static_cast<uint8_t>(pixels[i]) - static_cast<uint8_t>(same->second[i]));
      }
      EXPECT_LE(sum / static_cast<double>(pixels.size()), tolerance) << "the picture at " << pts;
    }
    EXPECT_EQ(times, PtsOf(clip.manifest.video(0)));
  }

  static bool CoversTheWindow(const v1::ClipManifest& manifest) {
    const int64_t rounding_ns = 10;  // ticks are no whole nanoseconds
    return manifest.delivered().start_monotonic_ns() <=
               manifest.requested().start_monotonic_ns() + rounding_ns &&
           manifest.delivered().end_monotonic_ns() >=
               manifest.requested().end_monotonic_ns() - rounding_ns;
  }
};

TEST_F(StartTest, KeyframesAreToldApart) {
  const auto kinds = [&](const std::string& encoder) {
    const Recording film = ReadFootage(Make({.encoder = encoder}, "kinds.mp4"), kStart);
    std::string kinds;
    for (const Packet& packet : film.packets) {
      if (!packet.keyframe) continue;
      kinds += packet.CleanStart() ? 'I' : packet.recovery_frames == 0 ? 'o' : 'r';
    }
    return kinds;
  };
  EXPECT_EQ(kinds("-c:v libx264 -g 10 -bf 2 -x264-params scenecut=0"), "IIIIII");
  EXPECT_EQ(kinds(kOpenGop), "Iooooo");
  EXPECT_EQ(kinds(kIntraRefresh), "Irrrrr");
  const std::string hevc =
      "-c:v libx265 -preset ultrafast -g 10 -x265-params log-level=none:pools=1:";
  EXPECT_EQ(kinds(hevc + "open-gop=0:scenecut=0"), "IIIIII");
  EXPECT_EQ(kinds(hevc + "open-gop=1:scenecut=0"), "Iooooo");
  EXPECT_EQ(kinds("-c:v mjpeg -q:v 5"), std::string(60, 'I'));
  // Annex B, as RTSP has it.
  const std::string annex_b = folder_ / "kinds.h264";
  RunFfmpeg(fmt::format("-i '{}' -c copy -f h264 '{}'", Make({.encoder = kOpenGop}, "kinds.mp4"),
                        annex_b));
  const Recording raw = ReadFootage(annex_b, kStart);
  ASSERT_FALSE(raw.packets.empty());
  EXPECT_TRUE(raw.packets[0].CleanStart());
  EXPECT_EQ(std::count_if(raw.packets.begin(), raw.packets.end(),
                          [](const Packet& p) { return p.keyframe && p.open_start; }),
            5);
}

TEST_F(StartTest, AnEarlierIdrIsPreferredToTheLastKeyframeOfAnOpenGop) {
  const std::string source = Make({.encoder = kOpenGop}, "open.mp4");
  const Recording film = ReadFootage(source, kStart);
  const TakenClip clip = Clip(film, 4.5, 1);
  EXPECT_EQ(clip.manifest.video(0).first_pts(), film.packets[0].pts) << "the only IDR there is";
  EXPECT_EQ(clip.manifest.shortfall(), "");
  ExpectTheSourcesPictures(clip, source);
}

TEST_F(StartTest, AnIdrMoreThanAMinuteOldIsNotWorthItsBytes) {
  const std::string source = Make({.seconds = 80, .rate = 5, .encoder = kOpenGop}, "open.mp4");
  const Recording film = ReadFootage(source, kStart);
  const TakenClip clip = Clip(film, 75, 3);
  EXPECT_GT(clip.manifest.delivered().start_monotonic_ns(),
            clip.manifest.requested().start_monotonic_ns() - 3 * kS);
  EXPECT_TRUE(CoversTheWindow(clip.manifest));
  EXPECT_THAT(clip.manifest.shortfall(), HasSubstr("front: it has sent no IDR picture for 60 s"));
  ExpectTheSourcesPictures(clip, source);
}

// Open GOPs of every making, met in mid-stream.
TEST_F(StartTest, WithoutAnIdrAnOpenGopStartsWholeWhateverTheEncodersChoices) {
  const uint64_t seed = Seed(20261129);
  std::mt19937_64 random(seed);
  const auto pick = [&](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(random);
  };
  for (int round = 0; round < 12; ++round) {
    const std::string encoder = fmt::format(
        "-c:v libx264 -preset veryfast -g {} -bf {} -refs {} -flags -cgop -x264-params "
        "open-gop=1:scenecut=0:b-pyramid={}:cabac={}:slices={}:weightp={}:8x8dct={}:deblock={},{}",
        pick(8, 25), pick(1, 5), pick(1, 6), pick(0, 2), pick(0, 1), pick(1, 3), pick(0, 2),
        pick(0, 1), pick(-6, 6), pick(-6, 6));
    SCOPED_TRACE(fmt::format("seed {}, round {}: {}", seed, round, encoder));
    const std::string source = Make({.seconds = 8, .rate = 12, .encoder = encoder}, "open.mp4");
    const Recording film = From(ReadFootage(source, kStart), pick(1, 2));
    ASSERT_TRUE(film.packets[0].open_start);
    const TakenClip clip = Clip(film, pick(20, 35) / 10.0, pick(5, 15) / 10.0);
    EXPECT_TRUE(CoversTheWindow(clip.manifest)) << clip.manifest.shortfall();
    EXPECT_EQ(clip.manifest.video(0).lead_in_ticks(), 0u);
    CheckVideo(clip);
    ExpectTheSourcesPictures(clip, source);
  }
}

TEST_F(StartTest, ACameraThatRefreshesBitByBitStartsWithALeadIn) {
  const uint64_t seed = Seed(5);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 6; ++round) {
    const int bframes = round % 3;
    const std::string encoder = fmt::format(
        "-c:v libx264 -preset veryfast -bf {} -x264-params "
        "intra-refresh=1:keyint={}:scenecut=0:b-pyramid=0:cabac={}",
        bframes, 8 + round * 3, round % 2);
    SCOPED_TRACE(fmt::format("seed {}, round {}: {}", seed, round, encoder));
    const std::string source = Make({.seconds = 16, .rate = 12, .encoder = encoder}, "refresh.mp4");
    const Recording film = From(ReadFootage(source, kStart), 1 + random() % 2);
    ASSERT_GT(film.packets[0].recovery_frames, 0u);
    const TakenClip clip = Clip(film, 8, 2);
    EXPECT_TRUE(CoversTheWindow(clip.manifest)) << clip.manifest.shortfall();
    EXPECT_THAT(clip.manifest.shortfall(),
                HasSubstr("front: it sends no IDR pictures but refreshes"));
    EXPECT_GT(clip.manifest.video(0).lead_in_ticks(), 0u);
    // With B-frames x264 says a frame or two too early that all is refreshed.
    ExpectTheSourcesPictures(clip, source, bframes == 0 ? 0 : 5);
    EXPECT_NE(ObjectOf(clip, v1::ClipObject::KIND_PREVIEW), nullptr);
  }
}

TEST_F(StartTest, AWindowBeforeTheFirstWholePictureIsShort) {
  const std::string source = Make({.encoder = kIntraRefresh}, "refresh.mp4");
  const Recording film = From(ReadFootage(source, kStart), 1);
  const TakenClip clip = Clip(film, 1.5, 3);
  EXPECT_THAT(clip.manifest.shortfall(), HasSubstr("pre-roll ring held"));
  EXPECT_GT(clip.manifest.delivered().start_monotonic_ns(), film.start_ns());
  ExpectTheSourcesPictures(clip, source);
}

TEST_F(StartTest, AKeyframeThatSaysNothingOfItselfGetsARecoveryPoint) {
  // A container may mark it as a keyframe although no SEI says so.
  const std::string source = Make({.encoder = kOpenGop}, "open.mp4");
  Recording film = From(ReadFootage(source, kStart), 2);
  ASSERT_TRUE(film.packets[0].open_start);
  const AVPacket& keyframe = *film.packets[0].data;
  std::string silent;
  ForEachNalUnit({keyframe.data, static_cast<size_t>(keyframe.size)}, 4, [&](Bytes unit) {
    if ((unit[0] & 0x1f) == 6) return;
    for (int shift = 24; shift >= 0; shift -= 8) silent += static_cast<char>(unit.size() >> shift);
    silent.append(reinterpret_cast<const char*>(unit.data()), unit.size());
  });
  ASSERT_LT(silent.size(), static_cast<size_t>(keyframe.size));
  AvPtr<AVPacket> packet = NewPacket();
  ASSERT_EQ(av_new_packet(packet.get(), static_cast<int>(silent.size())), 0);
  av_packet_copy_props(packet.get(), &keyframe);
  std::copy(silent.begin(), silent.end(), packet->data);
  film.packets[0].data = {packet.release(), AvDeleter()};
  const TakenClip clip = Clip(film, 2, 1);
  ExpectTheSourcesPictures(clip, source);
}

TEST_F(StartTest, HevcStartsAtACraWithoutItsLeadingPictures) {
  const std::string source =
      Make({.encoder = "-c:v libx265 -preset ultrafast -g 10 -bf 3 -x265-params "
                       "log-level=none:pools=1:open-gop=1:scenecut=0"},
           "open.mp4");
  const Recording film = From(ReadFootage(source, kStart), 2);
  ASSERT_TRUE(film.packets[0].open_start);
  const TakenClip clip = Clip(film, 2, 1);
  EXPECT_TRUE(CoversTheWindow(clip.manifest));
  EXPECT_THAT(clip.manifest.shortfall(), HasSubstr("open GOP"));
  ExpectTheSourcesPictures(clip, source);
}

TEST_F(StartTest, SoundPacketsArePassedOnAsTheyAre) {
  const Recording film =
      ReadFootage(Make({.encoder = "-c:v libx264 -g 10 -bf 0"}, "sound.mp4"), kStart);
  OpenStart open_start(film.format.parameters);
  EXPECT_EQ(open_start.Mend(film.packets[0].data), film.packets[0].data) << "the same, not a copy";
  EXPECT_TRUE(open_start.done());
}

// The ring alone.
StreamPacket At(int64_t number, char kind) {
  StreamPacket packet;
  packet.packet.pts = packet.packet.dts = number;
  packet.packet.monotonic_ns = number * kS;
  packet.packet.keyframe = kind != '.';
  packet.packet.open_start = kind == 'o';
  packet.packet.size_bytes = 100;
  return packet;
}

std::vector<int64_t> Pushed(PacketRing& ring, const std::string& kinds, int64_t from_s) {
  for (size_t i = 0; i < kinds.size(); ++i) ring.Push(At(static_cast<int64_t>(i), kinds[i]));
  std::vector<int64_t> numbers;
  for (const StreamPacket& packet : ring.From(from_s * kS)) numbers.push_back(packet.packet.pts);
  return numbers;
}

TEST(PacketRing, KeepsBackToTheIdrThatAVideoShouldStartAt) {
  PacketRing one(3 * kS, 1 << 20);
  EXPECT_EQ(Pushed(one, "I.o.o.o.o.o.", 8).front(), 0);
  PacketRing two(3 * kS, 1 << 20);
  EXPECT_EQ(Pushed(two, "I.o.I.o.o.o.", 8).front(), 4);
}

TEST(PacketRing, LetsGoOfAnIdrThatIsTooFarBackToBeUsed) {
  PacketRing ring(3 * kS, 1 << 20, 5 * kS);
  const auto numbers = Pushed(ring, "I.o.o.o.o.o.", 8);
  EXPECT_EQ(numbers.front(), 8);
  EXPECT_EQ(ring.size(), 4u);
}

TEST(PacketRing, ACleanStartGivesWayToTheBoundOnBytes) {
  PacketRing ring(3 * kS, 600);
  EXPECT_EQ(Pushed(ring, "I.o.o.o.o.o.", 8).front(), 8);
  EXPECT_LE(ring.bytes(), 600u);
}

}  // namespace
}  // namespace gleaner::edge
