// The whole server with a model: a clip that came becomes predictions and embeddings.
#include <gmock/gmock.h>

#include <fstream>

#include "cloud/label/predictions.h"
#include "cloud/label/schemas.h"
#include "cloud/server.h"
#include "cloud/similar/embeddings.h"
#include "common/status.h"
#include "httplib.h"
#include "model_testing.h"
#include "tests/cloud/frames/frames_testing.h"
#include "tests/data/pki.h"

namespace gleaner::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ModelServerTest : public testing::Test {
 protected:
  ModelServerTest() { pki_.Write(folder_.path()); }

  void WriteConfig(const std::string& model) {
    std::ofstream(folder_ / "cloud.toml")
        << "[server]\ndata_dir = \"data\"\n[grpc]\nlisten = \"127.0.0.1:0\"\n[tls]\nca = "
           "\"ca.pem\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n[http]\nlisten = "
           "\"127.0.0.1:0\"\n[[model]]\nname = \"objectron\"\nversion = \"0.4\"\nkind = \"ssd\"\n"
           "input = \"300x300\"\nmean = [127.5]\nscale = [0.00784313725490196]\nembedding = "
           "\"embedding\"\nschema = \"things\"\nclasses = [\"Box=box\", \"Person=person\"]\n"
        << "file = \"" << model << ".onnx\"\nlabels = \"" << model << ".labels\"\n";
  }
  absl::StatusOr<std::unique_ptr<Server>> Start() {
    const auto config = LoadServerConfig(folder_ / "cloud.toml", BinDir());
    if (!config.ok()) return config.status();
    return Server::Start(*config, RealClock());
  }
  static std::string Ask(const Server& server, const std::string& call, const std::string& body) {
    httplib::Client client("127.0.0.1", server.http_port());
    client.set_read_timeout(60);
    return client.Post("/gleaner.v1." + call, body, "application/json")->body;
  }
  // A clip of the hand and the box that waits to be checked, and what is to be said of it.
  std::string AddClip() {
    const std::string path = folder_ / "box.mp4";
    MakeVideo("box.mp4",
              std::string("-ss 7 -t 2 -c:v libx264 -preset ultrafast -g 15 ") + kFragmented, path);
    const std::string video = ReadFile(path, 50 << 20).value();
    auto data = DataFolder::Open(folder_ / "data", AllRooms(), RealClock()).value();
    TestClip clip = MakeTestClip({.preview = false});
    v1::VideoTrack& track = *clip.manifest.mutable_video(0);
    track = TrackOf(path);
    track.set_first_frame_monotonic_ns(1'000);
    track.set_last_frame_monotonic_ns(1'000 + 2 * kNanosPerSecond);
    clip.manifest.mutable_fired_at()->set_monotonic_ns(1'000 + kNanosPerSecond);
    clip.manifest.mutable_trigger()->add_firing_monotonic_ns(1'000 + kNanosPerSecond);
    clip.manifest.mutable_objects(0)->set_size_bytes(video.size());
    clip.manifest.mutable_objects(0)->set_sha256(std::string(AsBytes(Sha256::Of(video))));
    auto writer = data->blobs().Create(video.size()).value();
    const iovec part{const_cast<char*>(video.data()), video.size()};
    EXPECT_TRUE(writer->WriteAt(0, &part, 1).ok() && writer->Sync().ok());
    clip.upload.blobs = {writer->id()};
    clip.upload.manifest = clip.manifest.SerializeAsString();
    clip.upload.manifest_sha256 = Sha256::Of(clip.upload.manifest);
    Catalog catalog = CatalogOf(*data);
    EXPECT_TRUE(CommitTestClip(catalog, clip).ok());
    v1::LabelSchema schema;
    schema.set_name("things");
    schema.set_kind(v1::LabelSchema::KIND_BOXES);
    for (const char* name : {"box", "person"}) {
      schema.add_classes()->set_name(name);
      schema.mutable_classes(schema.classes_size() - 1)
          ->set_id(static_cast<uint32_t>(schema.classes_size()));
    }
    EXPECT_TRUE(Schemas(data->database()).Create(schema, {}, 1).ok());
    return ClipId(clip.manifest.device(), clip.upload.key);
  }

  TemporaryFolder folder_;
  TestPki pki_;
};

TEST_F(ModelServerTest, AClipThatComesIsLookedAtAndWhatIsFoundStands) {
  NEEDS_MODEL();
  const std::string clip = AddClip();
  WriteConfig(ModelsFolder() + "/made/objectron");
  {
    auto server = Start();
    ASSERT_TRUE(server.ok()) << server.status();
    std::string jobs;
    do {
      jobs = Ask(**server, "JobsService/ListJobs", R"({"kinds":["model-objectron"]})");
    } while (jobs.find("STATE_DONE") == std::string::npos &&
             jobs.find("STATE_FAILED") == std::string::npos);
    EXPECT_THAT(jobs, AllOf(HasSubstr("STATE_DONE"), HasSubstr(" frames\"")));
    EXPECT_THAT(Ask(**server, "ModelService/ListModels", "{}"),
                AllOf(HasSubstr("\"objectron\""), HasSubstr("\"frames\":"),
                      testing::Not(HasSubstr("\"missing\""))));
    httplib::Client client("127.0.0.1", (*server)->http_port());
    EXPECT_THAT(client.Get("/metrics")->body,
                HasSubstr("gleaner_model_frames_total{model=\"objectron\"}"));
    EXPECT_THAT(Ask(**server, "ModelService/RunModel", R"({"model":"objectron"})"),
                HasSubstr("\"clips\":1"));
    EXPECT_THAT(Ask(**server, "ModelService/RunModel", R"({"model":"nope"})"),
                HasSubstr("names no such model"));
  }
  auto data = DataFolder::Open(folder_ / "data", AllRooms(), RealClock()).value();
  Frames frames(data->database());
  v1::ListFramesRequest list;
  list.set_clip(clip);
  const v1::ListFramesResponse page = frames.List(list, {}).value();
  ASSERT_GT(page.frames_size(), 2);
  size_t boxes = 0;
  for (const v1::Frame& frame : page.frames()) {
    v1::ListPredictionsRequest request;
    *request.mutable_frame() = frame.id();
    const auto said = Predictions(data->database()).List(request).value();
    ASSERT_EQ(said.predictions_size(), 1);
    for (const auto& box : said.predictions(0).annotation().boxes()) boxes += box.class_id() == 1;
    EXPECT_EQ(
        data->database()
            .Read([&](Sql& sql) -> absl::StatusOr<size_t> {
              return ReadEmbedding(
                         sql,
                         {.clip = clip, .camera = frame.id().camera(), .pts = frame.id().pts()},
                         "objectron/0.4")
                  .size();
            })
            .value(),
        1280u);
  }
  EXPECT_GT(boxes, 0u);
}

TEST_F(ModelServerTest, WithoutTheModelsFileTheServerWorksAndSaysWhatIsMissing) {
  WriteConfig("gone");
  const auto config = LoadServerConfig(folder_ / "cloud.toml", BinDir());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings, testing::Contains(HasSubstr("the model objectron doesn't run")));
  auto server = Start();
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->http_port());
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_THAT(Ask(**server, "ModelService/ListModels", "{}"),
              HasSubstr("gone.onnx isn't there; ./dev setup models"));
  EXPECT_THAT(Ask(**server, "ModelService/RunModel", R"({"model":"objectron"})"),
              HasSubstr("failed_precondition"));
}

}  // namespace
}  // namespace gleaner::cloud
