#include "edge/trigger/detector/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/status.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

struct Nowhere : SampleSink {
  void OnSample(const SignalSample&) override {}
};

TEST(Detectors, AreMadeByName) {
  Nowhere sink;
  EXPECT_TRUE(MakeDetector("motion", "front", sink).ok());
  const auto unknown = MakeDetector("smell", "front", sink);
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(unknown.status())), HasSubstr("there are: motion"));
}

TEST(Detectors, AreFoundByEachOfTheirSignals) {
  for (const DetectorKind& kind : DetectorKinds()) {
    for (const SignalKind& signal : kind.signals) {
      EXPECT_EQ(FindSignal(signal.name), &signal);
      EXPECT_EQ(FindSignal(SignalName("front-door", signal.name)), &signal);
    }
  }
  EXPECT_EQ(FindSignal("smell"), nullptr);
  EXPECT_EQ(FindSignal("camera.front.smell"), nullptr);
}

// What is wrong with one [[camera]] of these lines.
std::string ErrorsOf(const std::string& lines) {
  ConfigReader reader = *ConfigReader::Parse("[[camera]]\n" + lines, "edge.toml");
  for (ConfigReader& camera : reader.Tables("camera")) ReadDetectors(camera);
  return std::string(Message(reader.Finish()));
}

TEST(Detectors, AreReadWithTheirOptionsOrDefaults) {
  ConfigReader reader = *ConfigReader::Parse("[[detector]]\nname = \"motion\"", "edge.toml");
  for (const auto& settings : {ReadDetectors(reader), [] {
                                 ConfigReader empty = *ConfigReader::Parse("", "edge.toml");
                                 return ReadDetectors(empty);
                               }()}) {
    ASSERT_EQ(settings.size(), DetectorKinds().size());
    Nowhere sink;
    for (size_t i = 0; i < settings.size(); ++i) {
      EXPECT_EQ(settings[i].kind, &DetectorKinds()[i]);
      EXPECT_NE(settings[i].make({"front", sink}), nullptr);
    }
  }
}

TEST(Detectors, PointAtMistakesInTheirOptions) {
  const std::string motion = "[[camera.detector]]\nname = \"motion\"\n";
  EXPECT_EQ(ErrorsOf(motion + "check = \"1s\""), "");
  EXPECT_THAT(ErrorsOf(motion + "check = \"10ms\""),
              HasSubstr("edge.toml:4:9: camera[1].detector[1].check: is 0.01 s, must be"));
  EXPECT_THAT(ErrorsOf(motion + "cheek = \"1s\""), HasSubstr("edge.toml:4"));
  EXPECT_THAT(ErrorsOf(motion + motion),
              HasSubstr("edge.toml:5:8: camera[1].detector[2].name: \"motion\" is there twice"));
  EXPECT_THAT(ErrorsOf("[[camera.detector]]\nname = \"smell\""),
              HasSubstr("no detector is called \"smell\"; there are: motion"));
  EXPECT_THAT(ErrorsOf("[[camera.detector]]\ncheck = \"1s\""), HasSubstr("name: is required"));
}

}  // namespace
}  // namespace gleaner::edge
