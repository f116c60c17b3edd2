// A whole HTTP side over a real catalog and blob store, with one clip in them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "cloud/access/access_service.h"
#include "cloud/frames/frame_service.h"
#include "cloud/frames/frames.h"
#include "cloud/http/catalog_service.h"
#include "cloud/http/http_service.h"
#include "cloud/jobs/jobs_service.h"
#include "cloud/label/label_service.h"
#include "common/status.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "httplib.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/cloud/search/all_words.h"

namespace gleaner::cloud {

class ServiceTest : public testing::Test {
 protected:
  // `floor`: the room on the disk that is left to others.
  explicit ServiceTest(uint64_t floor = 0) : floor_(floor) {
    std::filesystem::create_directory(folder_ / "web");
    std::filesystem::create_directory(folder_ / "web/assets");
    std::ofstream(folder_ / "web/index.html")
        << "<!doctype html><title>Gleaner</title>" << std::string(2000, ' ');
    std::ofstream(folder_ / "web/assets/app-1a2b.js") << "export {};" << std::string(2000, '\n');
    std::ofstream(folder_ / "web/favicon.svg") << "<svg/>";
    std::ofstream(folder_ / "secret.txt") << "not for the web";
    auto catalog = OpenTestCatalog(folder_ / "catalog.db");
    auto blobs = FileBlobStore::Open(folder_ / "blobs");
    if (!catalog.ok() || !blobs.ok()) throw std::runtime_error("no store");
    catalog_ = *std::move(catalog);
    blobs_ = *std::move(blobs);
    metrics_ =
        std::make_unique<Metrics>(catalog_->database(), catalog_->devices, *blobs_, clock_, floor_);
    service_ = std::make_unique<CatalogService>(catalog_->database(), catalog_->clips,
                                                catalog_->devices, clock_, AllWords());
    jobs_ = std::make_unique<Jobs>(catalog_->database(), clock_);
    jobs_service_ = std::make_unique<JobsService>(*jobs_);
    frames_ = std::make_unique<Frames>(catalog_->database());
    frame_service_ = std::make_unique<FrameService>(*frames_, clock_, AllWords());
    label_service_ =
        std::make_unique<LabelService>(catalog_->database(), *frames_, clock_, AllWords());
  }
  ~ServiceTest() override { Stop(); }

  void Start(const std::string& token = "", const std::string& host = "127.0.0.1") {
    HttpService::Options options;
    options.listen = {host, 0};
    StartWith(options, token);
  }
  // `token`: the one in the configuration; empty for none.
  void StartWith(HttpService::Options options, const std::string& token = "") {
    Stop();
    tokens_ = std::make_unique<Tokens>(catalog_->database(), clock_, token);
    access_service_ = std::make_unique<AccessService>(catalog_->database(), *tokens_);
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    builder.RegisterService(jobs_service_.get());
    builder.RegisterService(access_service_.get());
    builder.RegisterService(frame_service_.get());
    builder.RegisterService(label_service_.get());
    grpc_ = builder.BuildAndStart();
    options.listen.port = 0;
    options.web_dir = folder_ / "web";
    options.threads = 4;
    options.services = {
        v1::CatalogService::service_full_name(), v1::JobsService::service_full_name(),
        v1::AccessService::service_full_name(), v1::FrameService::service_full_name(),
        v1::LabelService::service_full_name()};
    options.free_bytes_floor = floor_;
    auto http = HttpService::Start(options, catalog_->database(), *blobs_, *tokens_,
                                   MediaFiles(catalog_->clips, catalog_->checks, *blobs_),
                                   *metrics_, grpc_->InProcessChannel(grpc::ChannelArguments()));
    ASSERT_TRUE(http.ok()) << http.status();
    http_ = *std::move(http);
    client_ = std::make_unique<httplib::Client>(options.listen.host, http_->port());
    client_->set_follow_location(false);
  }
  void Stop() {
    http_.reset();
    if (grpc_ != nullptr) grpc_->Shutdown();
  }

  BlobId Put(const std::string& bytes) {
    auto writer = blobs_->Create(bytes.size());
    const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    EXPECT_TRUE((*writer)->WriteAt(0, &part, 1).ok());
    EXPECT_TRUE((*writer)->Sync().ok());
    return (*writer)->id();
  }

  // Commits a clip whose objects really are in the store. Returns its id.
  std::string AddClip(uint64_t sequence, const std::string& device = "cart-1") {
    TestClip clip = MakeTestClip({.device = device, .sequence = sequence});
    const std::string contents[] = {preview_, video_};
    clip.upload.blobs.clear();
    for (int i = 0; i < clip.manifest.objects_size(); ++i) {
      v1::ClipObject* object = clip.manifest.mutable_objects(i);
      object->set_size_bytes(contents[i].size());
      object->set_sha256(std::string(AsBytes(Sha256::Of(contents[i]))));
      // A device may say what it likes here; it must not reach a browser.
      object->set_content_type("text/html");
      clip.upload.blobs.push_back(Put(contents[i]));
    }
    clip.upload.manifest = clip.manifest.SerializeAsString();
    clip.upload.manifest_sha256 = Sha256::Of(clip.upload.manifest);
    manifest_ = clip.upload.manifest;
    EXPECT_TRUE(CommitTestClip(*catalog_, clip).ok());
    return ClipId(device, clip.upload.key);
  }

  httplib::Result Call(const std::string& method, const std::string& json,
                       const httplib::Headers& headers = {}) {
    return client_->Post("/gleaner.v1.CatalogService/" + method, headers, json, "application/json");
  }

  const std::string preview_ = "\xff\xd8 not really a JPEG \xff\xd9";
  const std::string video_ = [] {
    std::string bytes(700'001, '\0');
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
    return bytes;
  }();
  const uint64_t floor_;
  std::string manifest_;
  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<TestCatalog> catalog_;
  std::unique_ptr<FileBlobStore> blobs_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<CatalogService> service_;
  std::unique_ptr<Jobs> jobs_;
  std::unique_ptr<JobsService> jobs_service_;
  std::unique_ptr<Tokens> tokens_;
  std::unique_ptr<AccessService> access_service_;
  std::unique_ptr<Frames> frames_;
  std::unique_ptr<FrameService> frame_service_;
  std::unique_ptr<LabelService> label_service_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<HttpService> http_;
  std::unique_ptr<httplib::Client> client_;
};

}  // namespace gleaner::cloud
