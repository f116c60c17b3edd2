// The small parts of a clip: ring, samples, evidence, muxer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/camera/nal_units.h"
#include "edge/clip/evidence.h"
#include "edge/clip/muxer.h"
#include "edge/clip/recent_samples.h"
#include "edge/clip/ring.h"
#include "tests/data/film.h"
#include "tests/edge/clip/clip_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kS = kNanosPerSecond;

StreamPacket At(int64_t number, bool keyframe, size_t size = 100) {
  StreamPacket packet;
  packet.packet.pts = packet.packet.dts = number;
  packet.packet.monotonic_ns = number * kS;
  packet.packet.keyframe = keyframe;
  packet.packet.size_bytes = size;
  return packet;
}

std::vector<int64_t> Numbers(const std::vector<StreamPacket>& packets) {
  std::vector<int64_t> numbers;
  numbers.reserve(packets.size());
  for (const StreamPacket& packet : packets) numbers.push_back(packet.packet.pts);
  return numbers;
}

TEST(PacketRing, DropsAWholeGroupOnlyWhenTheRestStillCoversTheSpan) {
  PacketRing ring(5 * kS, 1 << 20);
  for (int i = 0; i <= 8; ++i) ring.Push(At(i, i % 4 == 0));
  // Newest 8: from 4 on only 4 s would be left.
  EXPECT_THAT(Numbers(ring.From(INT64_MIN)), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
  ring.Push(At(9, false));
  EXPECT_THAT(Numbers(ring.From(INT64_MIN)), ElementsAre(4, 5, 6, 7, 8, 9));
  EXPECT_EQ(ring.bytes(), 600u);
}

TEST(PacketRing, StartsAtTheLastKeyframeAtOrBeforeTheMoment) {
  PacketRing ring(100 * kS, 1 << 20);
  for (int i = 10; i < 22; ++i) ring.Push(At(i, i % 4 == 0));
  EXPECT_EQ(Numbers(ring.From(15 * kS)).front(), 12) << "10 and 11 precede the first keyframe";
  EXPECT_EQ(Numbers(ring.From(16 * kS)).front(), 16);
  EXPECT_EQ(Numbers(ring.From(25 * kS)).front(), 20);
  EXPECT_EQ(Numbers(ring.From(3 * kS)).front(), 12) << "there is nothing older";
  ring.Clear();
  EXPECT_TRUE(ring.From(0).empty());
}

TEST(PacketRing, ForgetsWhatCameBeforeAnOutage) {
  PacketRing ring(5 * kS, 1 << 20);
  for (int i = 0; i <= 8; ++i) ring.Push(At(i, i % 4 == 0));
  for (int i = 100; i <= 102; ++i) ring.Push(At(i, i == 100));
  EXPECT_THAT(Numbers(ring.From(99 * kS)), ElementsAre(100, 101, 102));
}

TEST(PacketRing, ForgetsWhatCameBeforeAJumpOfTheCamerasClock) {
  PacketRing ring(5 * kS, 1 << 20);
  for (int i = 0; i <= 8; ++i) ring.Push(At(i, i % 4 == 0));
  for (int i = 9; i <= 14; ++i) {
    StreamPacket packet = At(i, i == 12);
    packet.packet.run = 1;
    ring.Push(packet);
  }
  EXPECT_THAT(Numbers(ring.From(8 * kS)), ElementsAre(12, 13, 14));
}

TEST(PacketRing, KeepsTheFramesOfACameraThatSendsOneInAWhile) {
  PacketRing ring(2 * kS, 1 << 20);
  for (int i = 0; i <= 16; i += 8) ring.Push(At(i, i == 0));
  EXPECT_THAT(Numbers(ring.From(15 * kS)), ElementsAre(0, 8, 16));
  EXPECT_THAT(Numbers(ring.From(24 * kS)), ElementsAre(0, 8, 16)) << "the next may be on its way";
  ring.Push(At(76, false));
  EXPECT_THAT(Numbers(ring.From(75 * kS)), ElementsAre(0, 8, 16, 76)) << "it refers to those";
}

TEST(PacketRing, HasNothingOfACameraThatFellSilentLongBeforeTheMoment) {
  PacketRing ring(5 * kS, 1 << 20);
  for (int i = 0; i <= 8; ++i) ring.Push(At(i, i % 4 == 0));
  EXPECT_FALSE(ring.From(18 * kS).empty());
  EXPECT_TRUE(ring.From(19 * kS).empty());
}

TEST(PacketRing, NeverHoldsMoreThanItsBytes) {
  PacketRing ring(1000 * kS, 1000);
  for (int i = 0; i < 500; ++i) {
    ring.Push(At(i, i % 4 == 0));
    ASSERT_LE(ring.bytes(), 1000u);
  }
  EXPECT_THAT(Numbers(ring.From(INT64_MIN)), ElementsAre(492, 493, 494, 495, 496, 497, 498, 499));
  // One group larger than all of it: nothing of that can be kept.
  for (int i = 500; i < 520; ++i) ring.Push(At(i, i == 500));
  EXPECT_EQ(ring.size(), 0u);
  ring.Push(At(520, true));
  EXPECT_THAT(Numbers(ring.From(INT64_MIN)), ElementsAre(520));
}

TEST(SampleHistory, KnowsTheValueAtTheStartAndEverySampleAfter) {
  SampleHistory history;
  for (int i = 0; i < 10; ++i) history.Add({"a", i * kS, 0.5 * i});
  const v1::SignalTrace trace = history.Trace("a", 3'500'000'000, 6 * kS);
  EXPECT_THAT(trace.offset_us(), ElementsAre(-500'000, 500'000, 1'500'000));
  EXPECT_THAT(trace.value(), ElementsAre(1.5, 2.0, 2.5));
  EXPECT_THAT(history.Trace("a", 4 * kS, 5 * kS).value(), ElementsAre(2.0));
  EXPECT_THAT(history.Trace("a", 100 * kS, 101 * kS).value(), ElementsAre(4.5)) << "it still holds";
  EXPECT_EQ(history.Trace("b", 0, 10 * kS).value_size(), 0);
  history.Trim(7'500'000'000);
  EXPECT_THAT(history.Trace("a", 0, 100 * kS).value(), ElementsAre(3.5, 4.0, 4.5));
  EXPECT_THAT(history.Since(8 * kS).Trace("a", 0, 100 * kS).value(), ElementsAre(4.0, 4.5));
}

TEST(SampleHistory, IsBounded) {
  SampleHistory history;
  for (int i = 0; i < 50'000; ++i) history.Add({"a", i * kS, 1});
  for (int i = 0; i < 200; ++i) history.Add({std::to_string(i), 0, 1});
  EXPECT_EQ(history.Names().size(), SampleHistory::kMaxHistories);
  EXPECT_EQ(history.Trace("a", 0, INT64_MAX).value_size(),
            static_cast<int>(SampleHistory::kMaxSamples));
}

TEST(RecentSamples, KeepsWhatAnOpenClipNeedsAndOtherwiseOnlyThePreRoll) {
  RecentSamples samples(5 * kS);
  int64_t next = 0;
  auto add_until = [&](int64_t end) {
    for (; next < end; ++next) samples.Add({"a", next * kS, static_cast<double>(next)});
  };
  add_until(200);
  samples.KeepFor(100 * kS);
  add_until(512);
  const v1::SignalTrace open = samples.For(100 * kS).Trace("a", 0, INT64_MAX);
  ASSERT_EQ(open.value_size(), 472);
  EXPECT_EQ(open.value(0), 40) << "its keyframe may be a minute before its start";

  samples.KeepFor(INT64_MAX);
  add_until(768);
  const v1::SignalTrace recent = samples.For(0).Trace("a", 0, INT64_MAX);
  ASSERT_EQ(recent.value_size(), 66);
  EXPECT_EQ(recent.value(0), 767 - 5 - 60);
}

TEST(Thin, KeepsEveryExtreme) {
  v1::SignalTrace trace;
  for (int i = 0; i < 10'000; ++i) {
    trace.add_offset_us(i);
    trace.add_value(i == 4'321 ? 9 : i == 8'765 ? -9 : 0.001 * (i % 10));
  }
  Thin(512, &trace);
  EXPECT_LE(trace.value_size(), 512);
  EXPECT_GE(trace.value_size(), 400);
  EXPECT_EQ(trace.offset_us_size(), trace.value_size());
  EXPECT_EQ(trace.offset_us(0), 0);
  EXPECT_EQ(trace.offset_us(trace.value_size() - 1), 9'999);
  EXPECT_TRUE(std::is_sorted(trace.offset_us().begin(), trace.offset_us().end()));
  for (int i = 0; i < trace.value_size(); ++i) {
    EXPECT_TRUE(trace.value(i) != 9 || trace.offset_us(i) == 4'321);
  }
  EXPECT_EQ(*std::max_element(trace.value().begin(), trace.value().end()), 9);
  EXPECT_EQ(*std::min_element(trace.value().begin(), trace.value().end()), -9);
}

// An object in memory; can be made to fail.
class MemoryObject : public ObjectWriter {
 public:
  absl::Status Append(std::span<const uint8_t> data) override {
    largest = std::max(largest, data.size());
    if (bytes.size() + data.size() > limit) return absl::ResourceExhaustedError("spool full");
    bytes.append(reinterpret_cast<const char*>(data.data()), data.size());
    return absl::OkStatus();
  }
  absl::Status Finish() override { return absl::OkStatus(); }
  uint64_t size_bytes() const override { return bytes.size(); }
  const Sha256Digest& sha256() const override { return digest_; }
  const std::vector<uint64_t>& block_xxh3() const override { return hashes_; }
  std::string bytes;
  size_t limit = SIZE_MAX;
  size_t largest = 0;

 private:
  Sha256Digest digest_{};
  std::vector<uint64_t> hashes_;
};

// The boxes of an MP4 file at the top level, in order, with their sizes.
std::vector<std::pair<std::string, size_t>> Boxes(const std::string& bytes) {
  std::vector<std::pair<std::string, size_t>> boxes;
  for (size_t at = 0; at + 8 <= bytes.size();) {
    size_t size = 0;
    for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<uint8_t>(bytes[at + i]);
    boxes.emplace_back(bytes.substr(at + 4, 4), size);
    at += size;
  }
  return boxes;
}

TEST(Muxer, WritesTheHeaderFirstAndAFragmentASecond) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), 0);
  MemoryObject object;
  auto muxer = Muxer::Open(cup.format, object);
  ASSERT_TRUE(muxer.ok());
  EXPECT_NE(object.bytes.find("avcC"), std::string::npos) << "before the first packet";
  for (const Packet& packet : cup.packets) ASSERT_TRUE((*muxer)->Write(packet).ok());
  ASSERT_TRUE((*muxer)->Finish().ok());
  EXPECT_EQ((*muxer)->bytes_written(), object.bytes.size());
  const auto boxes = Boxes(object.bytes);
  ASSERT_GT(boxes.size(), 4u);
  EXPECT_EQ(boxes[0].first, "ftyp");
  EXPECT_EQ(boxes[1].first, "moov");
  EXPECT_EQ(boxes.back().first, "mfra");
  const auto fragments = std::count_if(boxes.begin(), boxes.end(),
                                       [](const auto& box) { return box.first == "moof"; });
  EXPECT_GE(fragments, 8);
  EXPECT_LE(fragments, 10);  // 8.1 s
}

// As MP4 frames it and as a network camera sends it, with parameter sets in front of each keyframe.
TEST(Muxer, WritesHevcAsApplesPlayersWantIt) {
  const std::string folder = ScratchFolder().string();
  std::filesystem::create_directories(folder);
  for (const char* name : {"film.mp4", "film.ts"}) {
    SCOPED_TRACE(name);
    const Recording film =
        ReadFootage(MakeFilm({.seconds = 3,
                              .encoder = "-c:v libx265 -preset ultrafast -g 10 -x265-params "
                                         "log-level=none:pools=1:repeat-headers=1"},
                             folder + "/" + name),
                    0);
    MemoryObject object;
    auto muxer = Muxer::Open(film.format, object);
    ASSERT_TRUE(muxer.ok());
    for (const Packet& packet : film.packets) ASSERT_TRUE((*muxer)->Write(packet).ok());
    ASSERT_TRUE((*muxer)->Finish().ok());
    EXPECT_NE(object.bytes.find("hvc1"), std::string::npos);
    EXPECT_EQ(object.bytes.find("hev1"), std::string::npos);
    const std::string path = folder + "/muxed.mp4";
    std::ofstream(path, std::ios::binary) << object.bytes;
    const Recording muxed = ReadFootage(path, 0);
    ASSERT_EQ(muxed.packets.size(), film.packets.size());
    const AVCodecParameters& parameters = *muxed.format.parameters;
    ASSERT_GT(parameters.extradata_size, 23);
    EXPECT_GE(parameters.extradata[22], 3) << "arrays of VPS, SPS and PPS in hvcC";
    for (const Packet& packet : muxed.packets) {
      ForEachNalUnit({packet.data->data, static_cast<size_t>(packet.data->size)}, 4,
                     [](Bytes unit) {
                       const int type = unit[0] >> 1 & 0x3f;
                       EXPECT_FALSE(type >= 32 && type <= 34) << "a parameter set in a sample";
                     });
    }
    EXPECT_EQ(Judge(path).errors, 0);
    EXPECT_EQ(Judge(path).frame_pts.size(), film.packets.size());
  }
  std::filesystem::remove_all(folder);
}

TEST(Muxer, ReturnsTheObjectsOwnError) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), 0);
  MemoryObject object;
  object.limit = 100'000;
  auto muxer = Muxer::Open(cup.format, object);
  ASSERT_TRUE(muxer.ok());
  absl::Status status;
  for (size_t i = 0; i < cup.packets.size() && status.ok(); ++i) {
    status = (*muxer)->Write(cup.packets[i]);
  }
  EXPECT_EQ(status, absl::ResourceExhaustedError("spool full"));
}

TEST(Muxer, KeepsTimesThatStartAfterYears) {
  Recording cup = ReadFootage(Footage("cup.mp4"), 0);
  const int64_t years = int64_t{26'777} * 3600 * 24 * 1000;
  MemoryObject object;
  auto muxer = Muxer::Open(cup.format, object);
  ASSERT_TRUE(muxer.ok());
  for (Packet packet : cup.packets) {
    packet.pts += years;
    packet.dts += years;
    ASSERT_TRUE((*muxer)->Write(packet).ok());
  }
  ASSERT_TRUE((*muxer)->Finish().ok());
  const std::string path = ScratchFolder().string() + ".mp4";
  std::ofstream(path, std::ios::binary) << object.bytes;
  const Judged judged = Judge(path);
  std::filesystem::remove(path);
  ASSERT_EQ(judged.frame_pts.size(), 217u);
  EXPECT_EQ(judged.frame_pts.front(), years);
  EXPECT_EQ(judged.frame_pts.back(), years + 216'000);
}

}  // namespace
}  // namespace gleaner::edge
