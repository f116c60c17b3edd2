// Everything of datasets with nothing made up: real clips that the real worker looks at, labels by
// the API, jobs that run by themselves, and real HTTP in front.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cloud/access/access_service.h"
#include "cloud/dataset/clip_source.h"
#include "cloud/dataset/dataset_files.h"
#include "cloud/dataset/dataset_service.h"
#include "cloud/dataset/exporter.h"
#include "cloud/dataset/freezer.h"
#include "cloud/dataset/sealing.h"
#include "cloud/frames/frame_service.h"
#include "cloud/frames/pictures.h"
#include "cloud/http/http_service.h"
#include "cloud/jobs/jobs_service.h"
#include "cloud/label/label_service.h"
#include "cloud/label/labels.h"
#include "cloud/label/schemas.h"
#include "common/status.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "httplib.h"
#include "tests/cloud/frames/frames_testing.h"
#include "tests/cloud/search/all_words.h"
#include "tests/data/shell.h"

namespace gleaner::cloud {

class ServedDatasets : public FramesRig {
 protected:
  ServedDatasets() {
    with_check_ = {RecordFrames, SealChecked};
    std::filesystem::create_directory(folder_ / "web");
    const std::string program = BinDir() + "/gleaner-media";
    const auto decode = [this, program](
                            const FrameName& name,
                            const std::stop_token& stop) -> absl::StatusOr<std::string> {
      ASSIGN_OR_RETURN(const FrameVideo video, frames_.FindVideo(name));
      return DecodeFrame(*blobs_, video, name.pts, program, 20 * kNanosPerSecond, stop);
    };
    freezer_ = std::make_unique<Freezer>(catalog_->database(), *blobs_, decode, clock_, AllWords(),
                                         Freezer::Options{.folder = folder_ / ""});
    exporter_ = std::make_unique<Exporter>(
        catalog_->database(), *blobs_, clock_,
        Exporter::Options{
            .folder = folder_ / "", .program = program, .cpu_ns = 20 * kNanosPerSecond});
    datasets_ =
        std::make_unique<Datasets>(catalog_->database(), *blobs_, jobs_, clock_, AllWords());
    files_ = std::make_unique<DatasetFiles>(*datasets_, clock_);
    metrics_ =
        std::make_unique<Metrics>(catalog_->database(), catalog_->devices, *blobs_, clock_, 0);
    dataset_service_ = std::make_unique<DatasetService>(*datasets_, clock_);
    jobs_service_ = std::make_unique<JobsService>(jobs_);
    frame_service_ = std::make_unique<FrameService>(frames_, clock_, AllWords());
    label_service_ =
        std::make_unique<LabelService>(catalog_->database(), frames_, clock_, AllWords());
    tokens_ = std::make_unique<Tokens>(catalog_->database(), clock_, "");
  }
  ~ServedDatasets() override {
    Stop();
    work_.reset();
    http_.reset();
    if (grpc_ != nullptr) grpc_->Shutdown();
  }

  // After `token` was set, if at all.
  void Serve(const std::string& token = "") {
    if (!token.empty()) tokens_ = std::make_unique<Tokens>(catalog_->database(), clock_, token);
    access_service_ = std::make_unique<AccessService>(catalog_->database(), *tokens_);
    grpc::ServerBuilder builder;
    builder.RegisterService(access_service_.get());
    builder.RegisterService(dataset_service_.get());
    builder.RegisterService(jobs_service_.get());
    builder.RegisterService(frame_service_.get());
    builder.RegisterService(label_service_.get());
    grpc_ = builder.BuildAndStart();
    HttpService::Options options;
    options.listen = {"127.0.0.1", 0};
    options.web_dir = folder_ / "web";
    options.threads = 4;
    options.clock = &clock_;
    options.services = {
        v1::DatasetService::service_full_name(), v1::JobsService::service_full_name(),
        v1::AccessService::service_full_name(), v1::FrameService::service_full_name(),
        v1::LabelService::service_full_name()};
    options.routes = files_->Routes();
    http_ = HttpService::Start(options, catalog_->database(), *blobs_, *tokens_,
                               MediaFiles(catalog_->clips, catalog_->checks, *blobs_), *metrics_,
                               grpc_->InProcessChannel(grpc::ChannelArguments()))
                .value();
    client_ = std::make_unique<httplib::Client>("127.0.0.1", http_->port());
    if (!token.empty()) client_->set_default_headers({{"Authorization", "Bearer " + token}});
    work_ = std::make_unique<JobRunner>(jobs_, clock_,
                                        JobRunner::Options{.worker = "it", .alone = false});
    work_->Add(freezer_->Kind());
    work_->Add(exporter_->Kind());
    work_->Start();
  }
  std::string Url() const { return fmt::format("http://127.0.0.1:{}", http_->port()); }

  nlohmann::json Call(const std::string& method, const nlohmann::json& request) {
    const auto answer = client_->Post("/gleaner.v1." + method, request.dump(), "application/json");
    EXPECT_TRUE(answer);
    if (!answer) return {};
    EXPECT_EQ(answer->status, 200) << method << ": " << answer->body;
    return nlohmann::json::parse(answer->body, nullptr, false);
  }

  // Clips of three devices that the real worker has looked at, with labels of `most` frames each.
  // How many frames were labelled.
  int Fill(int clips, int most) {
    for (int c = 0; c < clips; ++c) {
      clips_.push_back(AddClip({.device = fmt::format("cart-{}", c % 3 + 1),
                                .sequence = static_cast<uint64_t>(c / 3 + 1)}));
    }
    Start();
    WaitFor(clips);
    Stop();
    v1::LabelSchema schema;
    schema.set_name("carts");
    schema.set_kind(v1::LabelSchema::KIND_BOXES);
    for (const char* name : {"bottle", "mug"}) {
      v1::LabelClass* one = schema.add_classes();
      one->set_id(static_cast<uint32_t>(schema.classes_size()));
      one->set_name(name);
    }
    EXPECT_TRUE(Schemas(catalog_->database()).Create(schema, who_, clock_.WallNs()).ok());
    int labelled = 0;
    for (const std::string& clip : clips_) {
      const auto frames = FramesOf(clip);
      EXPECT_GE(static_cast<int>(frames.size()), most);
      for (int f = 0; f < std::min(most, static_cast<int>(frames.size())); ++f) {
        v1::SaveLabelRequest request;
        *request.mutable_frame() = frames[static_cast<size_t>(f)].id();
        request.set_schema("carts");
        request.set_verdict(v1::Label::VERDICT_CREATED);
        request.mutable_annotation();
        if (f % 3 != 2) {
          v1::LabelBox* box = request.mutable_annotation()->add_boxes();
          box->set_x(0.1);
          box->set_y(0.25);
          box->set_width(0.3);
          box->set_height(1.0 / 3);
          box->set_class_id(static_cast<uint32_t>(f % 2 + 1));
        }
        EXPECT_TRUE(Labels(catalog_->database()).Create(request, who_, clock_.WallNs()).ok());
        ++labelled;
      }
    }
    return labelled;
  }

  // Waits until the job has ended; its state.
  std::string WaitForJob(const nlohmann::json& job) {
    for (;;) {
      const auto now = Call("JobsService/GetJob", {{"number", job["number"]}})["job"];
      const std::string state = now["state"];
      if (state != "STATE_WAITING" && state != "STATE_RUNNING") {
        return state == "STATE_DONE" ? "" : state + ": " + now.value("error", "");
      }
      work_->Tick();
      std::this_thread::yield();
    }
  }
  void Freeze(const std::string& name) {
    const auto answer = Call("DatasetService/FreezeDataset", {{"name", name}, {"schema", "carts"}});
    EXPECT_EQ(WaitForJob(answer["job"]), "");
  }
  nlohmann::json Export(nlohmann::json request) {
    auto answer = Call("DatasetService/ExportDataset", request);
    if (answer.contains("job")) {
      EXPECT_EQ(WaitForJob(answer["job"]), "");
      answer = Call("DatasetService/ExportDataset", request);
    }
    return answer["export"];
  }
  std::string Fetch(const nlohmann::json& file) {
    const auto got = client_->Get(file["url"].get<std::string>());
    EXPECT_TRUE(got && got->status == 200);
    return got ? got->body : "";
  }

  Principal who_{.name = "ann", .role = v1::ROLE_ANNOTATOR};
  std::vector<std::string> clips_;
  std::unique_ptr<Freezer> freezer_;
  std::unique_ptr<Exporter> exporter_;
  std::unique_ptr<Datasets> datasets_;
  std::unique_ptr<DatasetFiles> files_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<DatasetService> dataset_service_;
  std::unique_ptr<JobsService> jobs_service_;
  std::unique_ptr<FrameService> frame_service_;
  std::unique_ptr<LabelService> label_service_;
  std::unique_ptr<Tokens> tokens_;
  std::unique_ptr<AccessService> access_service_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<HttpService> http_;
  std::unique_ptr<httplib::Client> client_;
  std::unique_ptr<JobRunner> work_;
};

}  // namespace gleaner::cloud
