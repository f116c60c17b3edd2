#include "edge/trigger/detector/barcode.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/status.h"
#include "edge/trigger/detector/changed_parts.h"
#include "edge/trigger/detector/registry.h"
#include "edge/trigger/stream_watcher.h"
#include "tests/data/footage.h"
#include "tests/edge/trigger/gray_picture.h"
#include "tests/edge/trigger/streams.h"
#include "tests/edge/trigger/video_file.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kS = kNanosPerSecond;
constexpr int64_t kMs = kNanosPerMilli;
constexpr char kProduct[] = "4006381333931";

void RunCommand(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
}

// A real code, as zint draws it, in a PNG file.
std::string Code(const std::string& symbology, const std::string& data, int scale = 2) {
  const std::string path = fmt::format("{}/{}-{}-{}.png", ::testing::TempDir(), symbology,
                                       std::hash<std::string>()(data), scale);
  RunCommand(fmt::format("zint --barcode={} --data='{}' --scale={} --whitesp=10 --vwhitesp=6 -o {}",
                         symbology, data, scale, path));
  return path;
}

// The code on a grey table, after `filter`.
std::shared_ptr<AVFrame> Shown(const std::string& code, const std::string& filter = "null",
                               int x = 500, int y = 250) {
  return GrayPicture(fmt::format("-f lavfi -i color=gray:s=1280x720 -i {} -filter_complex "
                                 "'[1]{}[code];[0][code]overlay={}:{}'",
                                 code, filter, x, y),
                     1280, 720);
}
std::shared_ptr<AVFrame> Empty() {
  return GrayPicture("-f lavfi -i color=gray:s=1280x720", 1280, 720);
}

struct Samples : SampleSink {
  void OnSample(const SignalSample& sample) override { all.push_back(sample); }
  std::vector<SignalSample> Of(std::string_view name) const {
    std::vector<SignalSample> found;
    for (const SignalSample& sample : all) {
      if (sample.name == SignalName("till", name)) found.push_back(sample);
    }
    return found;
  }
  std::vector<SignalSample> all;
};

// A detector that is shown one picture after the other, a quarter of a second apart.
struct World {
  World() { detector->OnFormat({.codec = "rawvideo", .width = 1280, .height = 720}, sizes); }

  std::string Look(const std::shared_ptr<AVFrame>& picture) {
    now_ns += 250 * kMs;
    detector->OnPicture(
        {.frame = {.data = picture, .monotonic_ns = now_ns}, .luma = whole.Reduce(picture)});
    return sink.Of("barcode").back().value.text();
  }
  double count() const { return sink.Of("barcode.count").back().value.number(); }

  Samples sink;
  PacketWatch sizes;
  LumaReducer whole{{}};
  std::unique_ptr<Detector> detector = *MakeDetector("barcode", "till", sink);
  int64_t now_ns = kS;
};

TEST(Barcode, ReadsEachKindOfCode) {
  struct Case {
    const char* symbology;
    const char* data;
    const char* text;
  };
  for (const Case& c :
       {Case{"EANX", "400638133393", kProduct}, Case{"EANX", "9638507", "96385074"},
        Case{"UPCA", "72527270270", "725272702703"}, Case{"CODE128", "SHELF-17/b", "SHELF-17/b"},
        Case{"QRCODE", "https://gleaner.example/p/17?x=ü", "https://gleaner.example/p/17?x=ü"}}) {
    SCOPED_TRACE(c.data);
    World world;
    EXPECT_EQ(world.Look(Shown(Code(c.symbology, c.data))), c.text);
    EXPECT_EQ(world.count(), 1);
  }
}

TEST(Barcode, ReadsACodeThatIsTurnedOrBlurred) {
  const std::string code = Code("EANX", "400638133393");
  for (const char* filter : {"transpose=1", "hflip,vflip", "gblur=sigma=1.5",
                             "rotate=0.2:c=white:ow=rotw(0.2):oh=roth(0.2)"}) {
    World world;
    EXPECT_EQ(world.Look(Shown(code, filter, 400, 100)), kProduct) << filter;
  }
}

TEST(Barcode, IsAnEmptyTextWhileNoneIsInView) {
  World world;
  EXPECT_EQ(world.Look(Empty()), "");
  EXPECT_EQ(world.count(), 0);
}

TEST(Barcode, StaysForAMomentWhenItIsHidden) {
  World world;
  const auto code = Shown(Code("EANX", "400638133393"));
  EXPECT_EQ(world.Look(code), kProduct);
  EXPECT_EQ(world.Look(Empty()), kProduct);
  EXPECT_EQ(world.count(), 0);
  EXPECT_EQ(world.Look(code), kProduct);
  EXPECT_EQ(world.Look(Empty()), kProduct);
  EXPECT_EQ(world.Look(Empty()), "") << "half a second after it was read last";
}

TEST(Barcode, StaysAsLongAsNothingChanges) {
  World world;
  const auto code = Shown(Code("EANX", "400638133393"));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(world.Look(code), kProduct);
  const auto samples = world.sink.Of("barcode");
  EXPECT_LE(samples.size(), 6u) << "one a second";
  for (size_t i = 1; i < samples.size(); ++i) {
    EXPECT_LE(samples[i].monotonic_ns - samples[i - 1].monotonic_ns, kS);
  }
}

TEST(Barcode, KeepsTheOneThatIsThereWhenAnotherComes) {
  World world;
  const std::string first = Code("EANX", "400638133393"), second = Code("CODE128", "TRAY");
  const auto both =
      GrayPicture(fmt::format("-f lavfi -i color=gray:s=1280x720 -i {} -i {} -filter_complex "
                              "'[0][1]overlay=100:250[a];[a][2]overlay=860:250'",
                              first, second),
                  1280, 720);
  EXPECT_EQ(world.Look(Shown(second, "null", 860, 250)), "TRAY");
  EXPECT_EQ(world.Look(Empty()), "TRAY");
  // Two parts have changed, and each has its own code.
  EXPECT_EQ(world.Look(both), "TRAY");
  EXPECT_EQ(world.count(), 2);
}

// A product that is carried through the picture, over what the camera really saw.
TEST(Barcode, ReadsACodeThatIsCarriedThroughAFilm) {
  const std::string film = ::testing::TempDir() + "/carried.mp4";
  RunCommand(fmt::format(
      "ffmpeg -v error -nostdin -y -i {} -i {} -filter_complex \"[0]scale=1280:720,fps=30[v];"
      "[v][1]overlay=x='-w+max(0\\,t-2)*400':y=300\" -t 8 -c:v libx264 -preset veryfast -g 30 -bf "
      "0 "
      "-pix_fmt yuv420p {}",
      Footage("cup.mp4"), Code("EANX", "400638133393"), film));
  const VideoFile file(film);
  Samples sink;
  std::vector<std::unique_ptr<Detector>> detectors;
  detectors.push_back(*MakeDetector("motion", "till", sink));
  detectors.push_back(*MakeDetector("barcode", "till", sink));
  StreamWatcher watcher("till", std::move(detectors), sink);
  watcher.OnFormat(file.format);
  for (const Packet& packet : file.packets) watcher.OnPacket(packet);
  std::set<std::string> texts;
  int64_t first_ns = 0, last_ns = 0;
  for (const SignalSample& sample : sink.Of("barcode")) {
    texts.insert(sample.value.text());
    if (sample.value.text() != kProduct) continue;
    first_ns = first_ns == 0 ? sample.monotonic_ns : first_ns;
    last_ns = sample.monotonic_ns;
  }
  EXPECT_THAT(texts, ElementsAre("", kProduct));
  // Wholly in view from a second after it comes in to when its right edge leaves.
  EXPECT_GE(first_ns, 2 * kS);
  EXPECT_LE(first_ns, 3750 * kMs);
  EXPECT_GE(last_ns, 4500 * kMs);
}

TEST(Barcode, SeesNoneWhereThereIsNone) {
  for (const std::string& stream : {Stream("tree"), Footage("cup.mp4")}) {
    const VideoFile file(stream);
    Samples sink;
    std::vector<std::unique_ptr<Detector>> detectors;
    detectors.push_back(*MakeDetector("motion", "till", sink));
    detectors.push_back(*MakeDetector("barcode", "till", sink));
    StreamWatcher watcher("till", std::move(detectors), sink);
    watcher.OnFormat(file.format);
    for (const Packet& packet : file.packets) watcher.OnPacket(packet);
    const auto samples = sink.Of("barcode");
    ASSERT_FALSE(samples.empty());
    for (const SignalSample& sample : samples) EXPECT_EQ(sample.value.text(), "") << stream;
  }
}

TEST(Barcode, RunsWithMotionBesideIt) {
  Samples sink;
  ConfigReader empty = *ConfigReader::Parse("", "edge.toml");
  const auto made = MakeDetectors(ReadDetectors(empty), {"till", sink}, [](const std::string& s) {
    return s == "camera.till.barcode.count";
  });
  EXPECT_EQ(made.size(), 2u);
}

TEST(Barcode, TakesTheFormatsOfTheConfiguration) {
  const auto errors = [](const std::string& lines) {
    ConfigReader reader =
        *ConfigReader::Parse("[[detector]]\nname = \"barcode\"\n" + lines, "edge.toml");
    ReadDetectors(reader);
    return std::string(Message(reader.Finish()));
  };
  EXPECT_EQ(errors("formats = [\"qr\", \"data-matrix\"]\nevery = \"500ms\"\nhold = \"0s\""), "");
  EXPECT_THAT(errors("formats = [\"ean13\"]"),
              HasSubstr("edge.toml:3:11: detector[1].formats: \"ean13\" is not one of ean-13, "));
  EXPECT_THAT(errors("formats = []"), HasSubstr("must name one at least"));
  EXPECT_THAT(errors("every = \"1ms\""), HasSubstr("every: is 0.001 s, must be"));
}

TEST(ChangedParts, AreBoxesAroundWhatMoved) {
  ChangedParts changed;
  const auto with = [](const std::string& boxes) {
    return GrayPicture("-f lavfi -i color=gray:s=1280x720 -vf " + boxes, 1280, 720);
  };
  EXPECT_THAT(changed.Look(with("null")), ElementsAre(PicturePart{0, 0, 1, 1})) << "the first";
  EXPECT_THAT(changed.Look(with("noise=alls=8")), IsEmpty());
  const auto parts =
      changed.Look(with("drawbox=400:200:160:80:white:fill,drawbox=1000:600:40:40:"
                        "black:fill"));
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_LE(parts[0].x * 1280, 400);
  EXPECT_LE(parts[0].y * 720, 200);
  EXPECT_GE((parts[0].x + parts[0].width) * 1280, 560);
  EXPECT_GE((parts[0].y + parts[0].height) * 720, 280);
  EXPECT_LT(parts[0].width, 0.25);
  EXPECT_LE(parts[1].x * 1280, 1000);
  EXPECT_THAT(changed.Look(with("negate,drawbox=0:0:1280:700:white:fill")),
              ElementsAre(PicturePart{0, 0, 1, 1}))
      << "nearly all";
}

}  // namespace
}  // namespace gleaner::edge
