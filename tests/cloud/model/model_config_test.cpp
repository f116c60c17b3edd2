#include "cloud/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/digest.h"
#include "common/status.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ModelConfigTest : public testing::Test {
 protected:
  ModelConfigTest() {
    std::ofstream(folder_ / "m.onnx") << "onnx";
    std::ofstream(folder_ / "m.labels") << "Box\nCoffee cup\n";
    std::ofstream(folder_ / "gleaner-model") << "#!/bin/sh\n";
    std::filesystem::permissions(folder_ / "gleaner-model", std::filesystem::perms::owner_all);
  }
  // Reads it; what is wrong into problem_, what is odd into warnings_.
  ModelsConfig Read(const std::string& text) {
    std::ofstream(folder_ / "cloud.toml") << text;
    ConfigReader reader = ConfigReader::Load(folder_ / "cloud.toml").value();
    ModelsConfig config = ReadModels(reader, folder_.path());
    problem_ = Message(reader.Finish());
    for (const std::string& one : reader.warnings()) warnings_ += one + "\n";
    return config;
  }
  static std::string Model(const std::string& more = "") {
    return "[[model]]\nname = \"m\"\nversion = \"1\"\nkind = \"ssd\"\nfile = \"m.onnx\"\n"
           "input = \"300x200\"\nlabels = \"m.labels\"\nschema = \"things\"\n" +
           (more.empty() ? "classes = [\"Coffee cup=mug\"]\n" : more);
  }

  TemporaryFolder folder_;
  std::string problem_, warnings_;
};

TEST_F(ModelConfigTest, AModelIsReadWhole) {
  const ModelsConfig config = Read(
      Model("classes = [\"Coffee cup=mug\"]\nmean = [1.5, 2, 3]\nscale = [0.5]\ncolours = \"bgr\"\n"
            "embedding = \"pool\"\nthreshold = 0.4\nsha256 = \"" +
            Hex(AsBytes(Sha256::Of("onnx"))) + "\"\n"));
  EXPECT_EQ(problem_, "");
  ASSERT_EQ(config.models.size(), 1u);
  const ModelConfig& model = config.models[0];
  EXPECT_EQ(model.width, 300u);
  EXPECT_EQ(model.height, 200u);
  EXPECT_EQ(model.mean, (std::array<float, 3>{1.5, 2, 3}));
  EXPECT_EQ(model.scale, (std::array<float, 3>{0.5, 0.5, 0.5}));
  EXPECT_FALSE(model.rgb);
  EXPECT_EQ(model.labels, (std::vector<std::string>{"Box", "Coffee cup"}));
  EXPECT_EQ(model.classes.at("Coffee cup"), "mug");
  EXPECT_EQ(model.missing, "");
}

TEST_F(ModelConfigTest, WhatIsMissingIsSaidAndEverythingElseWorks) {
  std::filesystem::remove(folder_ / "m.onnx");
  const ModelsConfig config = Read(Model());
  EXPECT_EQ(problem_, "");
  EXPECT_THAT(config.models.at(0).missing,
              AllOf(HasSubstr("m.onnx isn't there"), HasSubstr("./dev setup models")));
  EXPECT_THAT(warnings_, AllOf(HasSubstr("cloud.toml:5:"), HasSubstr("the model m doesn't run")));
  std::filesystem::remove(folder_ / "gleaner-model");
  std::ofstream(folder_ / "m.onnx") << "onnx";
  EXPECT_THAT(Read(Model()).models.at(0).missing, HasSubstr("the package gleaner-model brings it"));
}

TEST_F(ModelConfigTest, EachMistakeIsNamedWithItsLine) {
  Read(
      Model("classes = [\"Bicycle=bicycle\", \"Box\"]\nthreshold = 2\nmean = [1, 2]\n"
            "colours = \"cmyk\"\nsha256 = \"00\"\n"));
  EXPECT_THAT(problem_, HasSubstr("Bicycle is none of the model's labels"));
  EXPECT_THAT(problem_, HasSubstr("\"Box\" must be LABEL=CLASS"));
  EXPECT_THAT(problem_, HasSubstr("cloud.toml:10:"));
  EXPECT_THAT(problem_, HasSubstr("one for each of three channels"));
  EXPECT_THAT(problem_, HasSubstr("must be rgb or bgr"));
  EXPECT_THAT(problem_, HasSubstr("is another file: its SHA-256 is"));
  Read(Model() + Model());
  EXPECT_THAT(problem_, HasSubstr("m is there twice"));
  Read(
      "[[model]]\nname = \"M\"\nversion = \"1 2\"\nkind = \"yolo\"\nfile = \"m.onnx\"\n"
      "input = \"big\"\n");
  EXPECT_THAT(problem_, HasSubstr("must be ssd or embedding"));
  EXPECT_THAT(problem_, HasSubstr("WIDTHxHEIGHT"));
  EXPECT_THAT(problem_, HasSubstr("no spaces"));
  Read(
      "[[model]]\nname = \"m\"\nversion = \"1\"\nkind = \"embedding\"\nfile = \"m.onnx\"\n"
      "input = \"32x32\"\n");
  EXPECT_THAT(problem_, HasSubstr("the name of the layer is needed"));
}

}  // namespace
}  // namespace gleaner::cloud
