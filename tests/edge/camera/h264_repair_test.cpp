// The times and bytes of H.264 files, repaired where they need it and nowhere else.
#include "edge/camera/h264_repair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "edge/camera/source.h"
#include "tests/data/footage.h"
#include "tests/edge/camera/camera_rig.h"

namespace gleaner::edge {
namespace {

class H264Repair : public CameraRig {};

TEST_F(H264Repair, GivesFramesWhoseTimesAreInDecodeOrderTheTimesOfTheirPresentation) {
  Collector collector;
  ASSERT_TRUE(Read(FileOptions(Footage("box.mp4")), collector).ok());
  size_t errors = 0;
  const auto pts = DecodedPts(collector.formats[0], collector.packets, &errors);
  EXPECT_EQ(pts.size(), 455u);
  EXPECT_TRUE(std::is_sorted(pts.begin(), pts.end()));
  EXPECT_EQ(errors, 0u);

  // Control: as the container has them, frames come out of the decoder with times that jump.
  std::vector<Packet> raw;
  auto source = Source::OpenFile(Footage("box.mp4"), [] { return false; });
  ASSERT_TRUE(source.ok());
  for (;;) {
    auto packet = (*source)->Read();
    ASSERT_TRUE(packet.ok());
    if (*packet == nullptr) break;
    Packet p;
    p.data = std::shared_ptr<const AVPacket>(packet->release(), AvDeleter());
    raw.push_back(p);
  }
  const auto raw_pts = DecodedPts((*source)->format(), raw, &errors);
  EXPECT_FALSE(std::is_sorted(raw_pts.begin(), raw_pts.end()));
  // The first frame's impossible NAL unit, 686 bytes and its length, is gone; nothing else is.
  EXPECT_EQ(collector.packets[0].data->size, raw[0].data->size - 690);
  for (size_t i = 1; i < raw.size(); ++i) {
    EXPECT_EQ(collector.packets[i].data->size, raw[i].data->size);
  }
}

TEST_F(H264Repair, LeavesTrueTimesOfBFramesAlone) {
  const std::string path = MakeVideo(
      "b.mp4",
      fmt::format("-i {} -an -t 3 -c:v libx264 -preset veryfast -bf 2 -g 30", Footage("cup.mp4")));
  Collector collector;
  ASSERT_TRUE(Read(FileOptions(path), collector).ok());
  const auto reference = Reference(path);
  ASSERT_EQ(collector.packets.size(), reference.size());
  for (size_t i = 0; i < reference.size(); ++i) {
    EXPECT_EQ(collector.packets[i].pts, reference[i].first);
    EXPECT_EQ(collector.packets[i].dts, reference[i].second);
  }
  EXPECT_LT(collector.packets[0].dts, 0) << "the reordering delay at the very start";
}

TEST_F(H264Repair, FindsTheOrderOfBFramesInAnAviThatHasNoPresentationTimes) {
  const std::string path =
      MakeVideo("b.avi", fmt::format("-i {} -an -t 3 -c:v libx264 -preset veryfast -bf 2 -g 30",
                                     Footage("vtest.avi")));
  Collector collector;
  ASSERT_TRUE(Read(FileOptions(path), collector).ok());
  ASSERT_EQ(collector.packets.size(), 30u);
  size_t errors = 0;
  const auto pts = DecodedPts(collector.formats[0], collector.packets, &errors);
  EXPECT_EQ(errors, 0u);
  EXPECT_EQ(pts, collector.SortedPts());
}

}  // namespace
}  // namespace gleaner::edge
