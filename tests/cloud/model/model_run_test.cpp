// The worker program itself, sandbox and all, with a real model, hostile ones, and hostile
// pictures.
#include "cloud/model/model_run.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cmath>
#include <fstream>

#include "cloud/model/worker/network.h"
#include "common/status.h"
#include "model_testing.h"

namespace gleaner::cloud {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

class ModelRunTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<model::Said>> Run(const std::vector<std::string>& pictures) {
    return RunModel(config_, model_, pictures, {});
  }
  std::string Complaint(const std::vector<std::string>& pictures) {
    const auto said = Run(pictures);
    EXPECT_TRUE(absl::IsFailedPrecondition(said.status())) << said.status();
    return std::string(Message(said.status()));
  }
  // In how many of them the model sees such a thing.
  static size_t Count(const std::vector<model::Said>& said, const ModelConfig& model,
                      std::string_view label) {
    size_t count = 0;
    for (const model::Said& one : said) {
      for (const model::Detection& found : one.detections) {
        if (model.labels[found.label] != label) continue;
        ++count;
        break;
      }
    }
    return count;
  }
  // A model that answers nothing but its embedding, of 32 x 32 pixels.
  void UseHostile(const std::string& name) {
    if (!std::filesystem::exists(folder_ / "nan.onnx")) {
      const auto [status, said] =
          Shell(fmt::format("/usr/bin/python3 {}/tests/cloud/model/hostile_onnx.py {} {} 2>&1",
                            SourceDir(), ModelsFolder(), folder_.path()));
      ASSERT_EQ(status, 0) << said;
    }
    model_ = {.name = "hostile",
              .version = "1",
              .kind = ModelKind::kEmbedding,
              .file = folder_ / (name + ".onnx"),
              .width = name == "slow" ? 512u : 32u,
              .height = name == "slow" ? 512u : 32u,
              .embedding = "embedding"};
  }
  // A program that does as `script` says, in the worker's place.
  void UseImpostor(const std::string& script) {
    config_.worker = folder_ / "impostor";
    std::ofstream(config_.worker) << "#!/bin/bash\n" << script << "\n";
    ::chmod(config_.worker.c_str(), 0755);
  }

  TemporaryFolder folder_;
  ModelsConfig config_ = RealModels();
  ModelConfig model_ = config_.models[0];
};

TEST_F(ModelRunTest, TheWorkerProvesThatItsSandboxHolds) {
  const auto [status, said] = Shell(config_.worker + " --self-test-sandbox 2>&1");
  EXPECT_EQ(status, 0) << said;
  EXPECT_THAT(said, testing::Not(HasSubstr("WRONG")));
}

TEST_F(ModelRunTest, FindsTheBoxAndThePeopleInRealFootage) {
  NEEDS_MODEL();
  const auto box = Run(PicturesOf("box.mp4", "1", 14, folder_.path()));
  ASSERT_TRUE(box.ok()) << box.status();
  EXPECT_GE(Count(*box, model_, "Box"), 10u);
  const auto people = Run(PicturesOf("vtest.avi", "1", 6, folder_.path()));
  ASSERT_TRUE(people.ok()) << people.status();
  EXPECT_EQ(Count(*people, model_, "Person"), 6u);
  EXPECT_EQ(box->front().embedding.size(), 1280u);
}

TEST_F(ModelRunTest, TheSamePictureIsAnsweredTheSame) {
  NEEDS_MODEL();
  const auto pictures = PicturesOf("box.mp4", "2", 2, folder_.path());
  const auto first = Run({pictures[1]});
  const auto second = Run(pictures);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->at(0).embedding, second->at(1).embedding);
}

TEST_F(ModelRunTest, OpenCvAnswersAsAPlainRunOfTheOriginalGraphDoes) {
  NEEDS_MODEL();
  const std::string raw = folder_ / "picture.rgb", wanted = folder_ / "wanted.f32";
  const auto [status, said] = Shell(fmt::format(
      "ffmpeg -nostdin -v fatal -y -ss 7 -i '{}' -frames:v 1 -vf scale=300:300 -pix_fmt rgb24 -f "
      "rawvideo {} 2>&1 && /usr/bin/python3 {}/tests/cloud/model/run_tflite.py {} {} {} 2>&1",
      Footage("box.mp4"), raw, SourceDir(), ModelsFolder(), raw, wanted));
  ASSERT_EQ(status, 0) << said;
  const std::string picture = ReadFile(raw, 1 << 20).value();
  const std::string numbers = ReadFile(wanted, 1 << 20).value();
  const std::string onnx = ReadFile(RealModel(), 64 << 20).value();
  const auto network = model::Network::Load(
      onnx, {.width = 300, .height = 300, .mean = model_.mean, .scale = model_.scale});
  ASSERT_TRUE(network.ok()) << network.status();
  const auto answers = const_cast<model::Network&>(*network).Run(
      {.width = 300, .height = 300, .bytes = {picture.begin(), picture.end()}},
      {"boxes", "scores", "embedding"});
  ASSERT_TRUE(answers.ok()) << answers.status();
  size_t at = 0;
  float furthest = 0;
  for (const model::Answer& answer : *answers) {
    for (const float value : answer.values) {
      float other = 0;
      ASSERT_LE((at + 1) * sizeof(other), numbers.size());
      std::memcpy(&other, numbers.data() + at++ * sizeof(other), sizeof(other));
      furthest = std::max(furthest, std::fabs(other - value));
    }
  }
  EXPECT_EQ(at * sizeof(float), numbers.size());
  EXPECT_LT(furthest, 1e-4);
}

TEST_F(ModelRunTest, AFileThatIsNoModelOrBreaksOffEndsOnlyTheRun) {
  NEEDS_MODEL();
  const auto pictures = PicturesOf("box.mp4", "2", 1, folder_.path());
  const std::string whole = ReadFile(RealModel(), 64 << 20).value();
  const auto use = [&](std::string_view bytes) {
    model_.file = folder_ / "model.onnx";
    std::ofstream(model_.file, std::ios::binary) << bytes;
  };
  use(std::string_view(whole).substr(0, whole.size() / 2));
  EXPECT_THAT(Complaint(pictures), HasSubstr("the model objectron 0.4: the model can't be read"));
  use(std::string(100'000, '\xff'));
  EXPECT_THAT(Complaint(pictures), HasSubstr("the model can't be read"));
  use("");
  EXPECT_THAT(Complaint(pictures), HasSubstr("the model has 0 bytes"));
  ASSERT_EQ(::truncate(model_.file.c_str(), (int64_t{512} << 20) + 1), 0);
  EXPECT_THAT(Complaint(pictures), HasSubstr("the model has 536870913 bytes"));
}

TEST_F(ModelRunTest, AModelThatIsAnotherThanTheConfigurationSaysIsNamed) {
  NEEDS_MODEL();
  const auto pictures = PicturesOf("box.mp4", "2", 1, folder_.path());
  const ModelConfig good = model_;
  model_.labels.pop_back();
  EXPECT_THAT(Complaint(pictures), HasSubstr("for 22 labels they must be 1xNx22 and 1xNx4"));
  model_ = good;
  model_.embedding = "nope";
  EXPECT_THAT(Complaint(pictures), HasSubstr("the model has no layer called nope"));
  model_ = good;
  model_.embedding = "scores";
  EXPECT_THAT(Complaint(pictures), HasSubstr("at most 4096 make an embedding"));
  model_ = good;
  model_.width = 320;
  EXPECT_THAT(Complaint(pictures), HasSubstr("the model can't be run"));
}

TEST_F(ModelRunTest, ModelsThatMeanHarmEndOnlyTheirOwnRun) {
  NEEDS_MODEL();
  const auto pictures = PicturesOf("box.mp4", "2", 1, folder_.path());
  for (const char* name : {"huge", "liar", "circle", "nowhere"}) {
    UseHostile(name);
    EXPECT_THAT(Complaint(pictures),
                AnyOf(HasSubstr("the model can't be"), HasSubstr("more memory"),
                      HasSubstr("its worker crashed"), HasSubstr("no layer called")))
        << name;
  }
  UseHostile("nan");
  EXPECT_THAT(Complaint(pictures), HasSubstr("answers with what is no number"));
  UseHostile("long");
  EXPECT_THAT(Complaint(pictures), HasSubstr("answers with 65536 numbers; at most 4096"));
  UseHostile("slow");
  config_.cpu_ns = kNanosPerSecond;
  EXPECT_THAT(Complaint(pictures), AnyOf(HasSubstr("its worker used more CPU time than a clip may"),
                                         HasSubstr("took longer than 10 s")));
}

TEST_F(ModelRunTest, PicturesThatMeanHarmAreRefusedAndTheOthersLookedAt) {
  NEEDS_MODEL();
  const auto good = PicturesOf("box.mp4", "2", 1, folder_.path());
  std::string bomb = good[0];
  const size_t header = bomb.find("\xff\xc0");
  ASSERT_NE(header, std::string::npos);
  bomb.replace(header + 5, 4, "\xea\x60\xea\x60");
  const auto said =
      Run({good[0].substr(0, 3'000), "", std::string(1 << 20, '\xff'), bomb, good[0]});
  ASSERT_TRUE(said.ok()) << said.status();
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT((*said)[static_cast<size_t>(i)].refused, HasSubstr("the picture can't be read"));
  }
  EXPECT_THAT((*said)[3].refused, HasSubstr("60000x60000 pixels"));
  EXPECT_EQ((*said)[4].refused, "");
  EXPECT_FALSE((*said)[4].embedding.empty());
}

TEST_F(ModelRunTest, AWorkerThatCrashesHangsOrTalksNonsenseIsNamed) {
  model_.file = "/etc/hostname";
  UseImpostor("kill -SEGV $$");
  EXPECT_THAT(Complaint({""}), HasSubstr("its worker crashed (SIGSEGV)"));
  UseImpostor("exit 3");
  EXPECT_THAT(Complaint({""}), HasSubstr("its worker ended early (exit status 3)"));
  UseImpostor("echo nonsense");
  EXPECT_THAT(Complaint({""}), HasSubstr("the worker's answer makes no sense"));
  UseImpostor("cat /dev/zero");
  EXPECT_THAT(Complaint({""}), HasSubstr("it has no end"));
  UseImpostor("exec sleep 1000");
  config_.cpu_ns = kNanosPerSecond / 20;
  EXPECT_THAT(Complaint({""}), HasSubstr("looking at the frames of a clip took longer than"));
  config_.worker = folder_ / "none";
  EXPECT_TRUE(absl::IsUnavailable(Run({""}).status()));
}

}  // namespace
}  // namespace gleaner::cloud
