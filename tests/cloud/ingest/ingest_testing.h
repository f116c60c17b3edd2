// What ingest's tests share: clips with real bytes, a server on loopback, and a device that sends
// exactly what a test tells it to.
#pragma once

#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cloud/ingest/ingest_service.h"
#include "cloud/rpc/device_server.h"
#include "common/clip_key.h"
#include "common/digest.h"
#include "common/limits.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/cloud/ingest/sent_clip.h"
#include "tests/data/pki.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/test_objects.h"

namespace gleaner::cloud {

inline std::shared_ptr<grpc::ChannelCredentials> DeviceCredentials(
    TestPki& pki, const TestPki::Identity& identity) {
  return grpc::SslCredentials({pki.ca(), identity.key, identity.certificate});
}

// One connection and one stream of a device. Every call fails after two minutes at the
// latest.
class TestDevice {
 public:
  TestDevice(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& how,
             const std::string& plaintext_name = "") {
    grpc::ChannelArguments arguments;
    arguments.SetInt("grpc.use_local_subchannel_pool", 1);
    stub_ = v1::IngestService::NewStub(grpc::CreateCustomChannel(address, how, arguments));
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
    if (!plaintext_name.empty()) context_.AddMetadata("x-gleaner-device", plaintext_name);
    name_ = plaintext_name;
    stream_ = stub_->Upload(&context_);
  }
  ~TestDevice() { Cut(); }

  bool Send(const v1::UploadRequest& request) { return stream_->Write(request); }
  // The next response; nullopt when the stream is over.
  std::optional<v1::UploadResponse> Read() {
    v1::UploadResponse response;
    if (!stream_->Read(&response)) return std::nullopt;
    return response;
  }
  // Sends and reads one response; an empty one when the stream is over.
  v1::UploadResponse Ask(const v1::UploadRequest& request) {
    Send(request);
    return Read().value_or(v1::UploadResponse());
  }
  // No more requests; how the stream ended, when it has, and what came before that.
  grpc::Status Finish(std::vector<v1::UploadResponse>* last = nullptr) {
    finished_ = true;
    stream_->WritesDone();
    while (auto response = Read()) {
      if (last != nullptr) last->push_back(*std::move(response));
    }
    return stream_->Finish();
  }
  void Cut() {
    if (std::exchange(finished_, true)) return;
    context_.TryCancel();
    (void)stream_->Finish();
  }
  v1::IngestService::Stub& stub() { return *stub_; }

  struct Progress {
    std::optional<v1::Receipt> receipt;
    uint64_t sent = 0;   // payload bytes
    uint64_t acked = 0;  // of these, told to be durable
    bool refused = false;
    int answers = 0;  // to chunks that were sent at once
  };
  // Offers and sends a clip without waiting between its chunks, as a device with a wide window
  // does: the server may answer with a receipt alone.
  Progress UploadAtOnce(const SentClip& clip) {
    Progress progress;
    const v1::UploadResponse first = Offer(clip, progress);
    if (!first.has_grant()) return progress;
    for (uint32_t object = 0; object < clip.objects.size(); ++object) {
      uint64_t offset = first.grant().durable_offset(static_cast<int>(object));
      for (; offset < clip.objects[object].size(); offset += kBlockBytes) {
        v1::UploadRequest chunk = ChunkOf(clip, first.grant().lease(), object, offset);
        chunk.mutable_chunk()->set_more_follows(object + 1 < clip.objects.size() ||
                                                offset + kBlockBytes < clip.objects[object].size());
        if (!Send(chunk)) return progress;
        progress.sent += chunk.chunk().data().size();
      }
    }
    while (const auto answer = Read()) {
      ++progress.answers;
      progress.refused = progress.refused || answer->has_refusal();
      if (answer->has_receipt()) progress.receipt = answer->receipt();
      if (answer->has_receipt() || answer->has_refusal()) break;
    }
    return progress;
  }
  // Offers and sends a clip, one chunk in flight, at most `max_chunks`; stops when the stream does.
  Progress Upload(const SentClip& clip, int max_chunks = 1 << 20) {
    Progress progress;
    const v1::UploadResponse first = Offer(clip, progress);
    if (!first.has_grant()) return progress;
    for (uint32_t object = 0; object < clip.objects.size(); ++object) {
      uint64_t offset = first.grant().durable_offset(static_cast<int>(object));
      while (offset < clip.objects[object].size()) {
        if (max_chunks-- == 0) return progress;
        const v1::UploadRequest chunk = ChunkOf(clip, first.grant().lease(), object, offset);
        if (!Send(chunk)) return progress;
        progress.sent += chunk.chunk().data().size();
        const auto answer = Read();
        if (!answer) return progress;
        progress.refused = answer->has_refusal();
        if (progress.refused) return progress;
        progress.acked = progress.sent;
        if (answer->has_receipt()) progress.receipt = answer->receipt();
        offset += chunk.chunk().data().size();
      }
    }
    return progress;
  }

 private:
  v1::UploadResponse Offer(const SentClip& clip, Progress& progress) {
    const v1::UploadResponse answer = Ask(OfferOf(clip));
    if (answer.has_receipt()) progress.receipt = answer.receipt();
    progress.refused = answer.has_refusal();
    return answer;
  }

  std::string name_;
  std::unique_ptr<v1::IngestService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::UploadRequest, v1::UploadResponse>> stream_;
  bool finished_ = false;
};

// Reads every object of a committed clip back and compares. Empty when it is whole.
inline std::string WhatIsWrong(Catalog& catalog, ObjectStore& objects, const std::string& device,
                               const SentClip& clip) {
  const std::string id = ClipId(device, clip.key());
  const auto manifest = catalog.clips.FindManifest(id);
  if (!manifest.ok()) return manifest.status().ToString();
  if (manifest->bytes != clip.bytes) return "another manifest";
  size_t videos = 0;
  for (size_t i = 0; i < clip.objects.size(); ++i) {
    const v1::ClipObject& object = clip.manifest.objects(static_cast<int>(i));
    const bool video = object.kind() == v1::ClipObject::KIND_VIDEO;
    const auto row = catalog.clips.FindObject(id, object.kind(), video ? videos++ : 0);
    if (!row.ok()) return row.status().ToString();
    std::string bytes;
    if (const auto read = objects.Read(row->key, 0, row->size_bytes, &bytes); !read.ok()) {
      return read.ToString();
    }
    if (AsBytes(Sha256::Of(bytes)) != object.sha256()) {
      return fmt::format("object {} has another SHA-256", i);
    }
  }
  return "";
}

inline absl::StatusOr<std::unique_ptr<FileBlobStore>> OpenStaging(const std::string& folder) {
  return FileBlobStore::Open(folder, {.can_be_sent_again = InBucket()});
}

// A server over mutual TLS in this process, with its own authority and stores.
class IngestTest : public testing::Test {
 protected:
  IngestTest() {
    options_.free_bytes_floor = 0;
    options_.workers = 4;
    pki_.Write(folder_.path());
    Start();
  }
  ~IngestTest() override { Stop(); }

  void Start() {
    catalog_ = *OpenTestCatalog(folder_ / "catalog.db");
    blobs_ = *OpenStaging(folder_ / "blobs");
    objects_ = std::make_unique<TestObjects>(*blobs_, folder_.path());
    service_ = std::make_unique<IngestService>(catalog_->uploads, catalog_->names, *blobs_,
                                               **objects_, clock_, options_);
    door_.listen = {"127.0.0.1", 0};
    door_.tls.ca = folder_ / "ca.pem";
    door_.tls.certificate = folder_ / "server.pem";
    door_.tls.key = folder_ / "server.key";
    server_ = *DeviceServer::Start(door_, {service_.get()}, clock_);
    // An address, not a name: looking one up leaks a little in c-ares.
    address_ = fmt::format("127.0.0.1:{}", server_->port());
  }
  void Stop() {
    if (server_ == nullptr) return;
    service_->Stop();
    server_->Stop(std::chrono::seconds(5));
    server_.reset();
    service_.reset();
    objects_.reset();
    blobs_.reset();
    catalog_.reset();
  }
  void Restart() {
    Stop();
    Start();
  }
  // Certificates are made once a name: making one takes a while under sanitizers.
  std::unique_ptr<TestDevice> Connect(const std::string& name = "cart-1") {
    auto& identity = identities_[name];
    if (!identity) identity = pki_.Device(name);
    return std::make_unique<TestDevice>(address_, DeviceCredentials(pki_, *identity));
  }
  void ExpectWhole(const SentClip& clip, const std::string& device = "cart-1") {
    EXPECT_EQ(WhatIsWrong(*catalog_, **objects_, device, clip), "");
  }

  TemporaryFolder folder_;
  TestPki pki_;
  std::map<std::string, std::optional<TestPki::Identity>> identities_;
  FakeClock clock_;
  IngestOptions options_;
  DeviceServerOptions door_;
  std::unique_ptr<TestCatalog> catalog_;
  std::unique_ptr<FileBlobStore> blobs_;
  std::unique_ptr<TestObjects> objects_;
  std::unique_ptr<IngestService> service_;
  std::unique_ptr<DeviceServer> server_;
  std::string address_;
};

}  // namespace gleaner::cloud
