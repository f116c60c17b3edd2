#include "tests/edge/upload/fake_cloud.h"

#include <fmt/format.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "common/digest.h"
#include "common/limits.h"

namespace gleaner::edge {

namespace {

std::string Metadata(const grpc::ServerContext& context, const char* name) {
  const auto found = context.client_metadata().find(name);
  if (found == context.client_metadata().end()) return "";
  return {found->second.data(), found->second.size()};
}

std::string DeviceOf(const grpc::ServerContext& context) {
  return Metadata(context, "x-gleaner-device");
}

}  // namespace

FakeCloud::FakeCloud(std::shared_ptr<grpc::ServerCredentials> credentials)
    : credentials_(credentials != nullptr ? std::move(credentials)
                                          : grpc::InsecureServerCredentials()) {
  Start();
}

FakeCloud::~FakeCloud() { Stop(); }

void FakeCloud::Start() {
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  int port = 0;
  builder.AddListeningPort(fmt::format("127.0.0.1:{}", port_), credentials_, &port);
  builder.RegisterService(static_cast<v1::IngestService::Service*>(this));
  builder.RegisterService(static_cast<v1::FleetService::Service*>(this));
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) throw std::runtime_error("the fake cloud can't listen");
  port_ = port;
}

void FakeCloud::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

std::string FakeCloud::address() const { return fmt::format("127.0.0.1:{}", port_); }

bool FakeCloud::Await(const std::function<bool()>& condition) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10), condition);
}

void FakeCloud::Expect(bool condition, const std::string& what) {
  if (!condition) breaches.push_back(what);
}

grpc::Status FakeCloud::Upload(grpc::ServerContext* context, Stream* stream) {
  std::vector<v1::UploadResponse> before;
  {
    std::lock_guard lock(mutex_);
    ++streams;
    context->set_compression_algorithm(compression);
    devices.push_back(DeviceOf(*context));
    silent_ = false;
    changed_.notify_all();
    if (on_stream) {
      if (const grpc::Status status = on_stream(); !status.ok()) return status;
    }
    if (unasked) before = unasked();
  }
  for (const v1::UploadResponse& response : before) {
    if (!stream->Write(response)) break;
    std::lock_guard lock(mutex_);
    ++unasked_sent;
  }
  v1::UploadRequest request;
  while (stream->Read(&request)) {
    std::vector<v1::UploadResponse> out;
    bool go_on = true;
    {
      std::lock_guard lock(mutex_);
      go_on = request.has_offer() ? OnOffer(request.offer(), &out) : OnChunk(request.chunk(), &out);
      if (silent_) out.clear();
      if (!go_on) ++cuts;
      changed_.notify_all();
    }
    for (const v1::UploadResponse& response : out) stream->Write(response);
    if (!go_on) {
      context->TryCancel();
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
    }
  }
  std::vector<v1::UploadResponse> last;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [sequence, clip] : clips) {
      if (!clip.committed && !silent_) AddProgress(clip, &last);
    }
  }
  for (const v1::UploadResponse& response : last) stream->Write(response);
  return grpc::Status::OK;
}

bool FakeCloud::OnOffer(const v1::Offer& offer, std::vector<v1::UploadResponse>* out) {
  v1::ClipManifest manifest;
  Expect(manifest.ParseFromString(offer.manifest()), "an offer without a manifest");
  Expect(offer.manifest_sha256() == AsBytes(Sha256::Of(offer.manifest())),
         "an offer with another digest than its manifest's");
  const uint64_t sequence = manifest.key().sequence();
  log.push_back(fmt::format("offer {}", sequence));
  Clip& clip = clips[sequence];
  if (clip.manifest.empty()) {
    clip.manifest = offer.manifest();
    clip.parsed = manifest;
    clip.objects.resize(manifest.objects_size());
  }
  Expect(clip.manifest == offer.manifest(), "two manifests of one clip");
  if (answer_offer) {
    if (auto answer = answer_offer(manifest.key())) {
      if (answer->has_grant() && answer->grant().lease() != 0) clip.lease = answer->grant().lease();
      if (answer->message_case() != v1::UploadResponse::MESSAGE_NOT_SET) out->push_back(*answer);
      return true;
    }
  }
  if (clip.committed) {
    AddReceipt(clip, /*duplicate=*/true, out);
    return true;
  }
  clip.lease = next_lease_++;
  clip.refused = false;
  v1::UploadResponse response;
  *response.mutable_grant()->mutable_key() = manifest.key();
  response.mutable_grant()->set_lease(clip.lease);
  bool complete = true;
  for (int i = 0; i < manifest.objects_size(); ++i) {
    response.mutable_grant()->add_durable_offset(clip.objects[i].size());
    complete &= clip.objects[i].size() == manifest.objects(i).size_bytes();
  }
  out->push_back(response);
  if (complete) AddReceipt(clip, /*duplicate=*/false, out);
  return true;
}

bool FakeCloud::OnChunk(const v1::Chunk& chunk, std::vector<v1::UploadResponse>* out) {
  Clip* clip = nullptr;
  for (auto& [sequence, each] : clips) {
    if (each.lease == chunk.lease()) clip = &each;
  }
  if (clip == nullptr) {
    breaches.push_back("a chunk under no lease");
    return false;
  }
  const uint64_t sequence = clip->parsed.key().sequence();
  log.push_back(fmt::format("chunk {}/{}@{}", sequence, chunk.object(), chunk.offset()));
  ++chunks;
  received_bytes += chunk.data().size();
  const uint64_t size = clip->parsed.objects(chunk.object()).size_bytes();
  Expect(chunk.offset() % kBlockBytes == 0, "a chunk off the grid");
  Expect(chunk.data().size() == std::min<uint64_t>(kBlockBytes, size - chunk.offset()),
         "a chunk of the wrong length");
  Expect(chunk.xxh3() == Xxh3(chunk.data()), "a chunk with a wrong XXH3");
  Expect(
      chunk.xxh3() == clip->parsed.objects(chunk.object()).block_xxh3(chunk.offset() / kBlockBytes),
      "a chunk with another XXH3 than the manifest's");

  ChunkFault fault = on_chunk ? on_chunk(chunk, chunks) : ChunkFault{};
  std::string& durable = clip->objects[chunk.object()];
  if (fault.kind == ChunkFault::kNone && clip->refused && chunk.offset() > durable.size()) {
    fault.kind = ChunkFault::kRefuse;
    fault.refusal.set_code(static_cast<uint32_t>(grpc::StatusCode::FAILED_PRECONDITION));
    fault.refusal.set_object(chunk.object());
    fault.refusal.set_durable_offset(durable.size());
  }
  const bool duplicate = chunk.offset() < durable.size();
  switch (fault.kind) {
    case ChunkFault::kSilence:
      silent_ = true;
      return true;
    case ChunkFault::kCutBeforeDurable:
      return false;
    case ChunkFault::kRefuse: {
      clip->refused = true;
      v1::UploadResponse response;
      *response.mutable_refusal() = fault.refusal;
      *response.mutable_refusal()->mutable_key() = clip->parsed.key();
      response.mutable_refusal()->set_lease(clip->lease);
      if (fault.refusal.code() == static_cast<uint32_t>(grpc::StatusCode::DATA_LOSS)) {
        durable.resize(fault.refusal.durable_offset());
      }
      out->push_back(response);
      return true;
    }
    default:
      break;
  }
  if (duplicate) duplicate_bytes += chunk.data().size();
  Expect(chunk.offset() <= durable.size(), "a chunk beyond the durable offset");
  if (chunk.offset() == durable.size()) durable += chunk.data();
  if (fault.kind == ChunkFault::kCutAfterDurable) return false;

  // As late as the contract allows.
  if (!chunk.more_follows()) AddProgress(*clip, out);
  bool complete = true;
  for (size_t i = 0; i < clip->objects.size(); ++i) {
    complete &= clip->objects[i].size() == clip->parsed.objects(static_cast<int>(i)).size_bytes();
  }
  if (complete) {
    if (answer_last_chunk) {
      if (auto answer = answer_last_chunk(clip->parsed.key())) {
        if (answer->message_case() != v1::UploadResponse::MESSAGE_NOT_SET) out->push_back(*answer);
        return fault.kind != ChunkFault::kCutAfterProgress;
      }
    }
    AddReceipt(*clip, /*duplicate=*/false, out);
  }
  return fault.kind != ChunkFault::kCutAfterProgress;
}

void FakeCloud::AddProgress(const Clip& clip, std::vector<v1::UploadResponse>* out) {
  for (uint32_t i = 0; i < clip.objects.size(); ++i) {
    if (clip.objects[i].empty()) continue;
    v1::UploadResponse response;
    response.mutable_progress()->set_lease(clip.lease);
    response.mutable_progress()->set_object(i);
    response.mutable_progress()->set_durable_offset(clip.objects[i].size());
    out->push_back(response);
  }
}

void FakeCloud::AddReceipt(Clip& clip, bool duplicate, std::vector<v1::UploadResponse>* out) {
  for (int i = 0; i < clip.parsed.objects_size(); ++i) {
    Expect(AsBytes(Sha256::Of(clip.objects[i])) == clip.parsed.objects(i).sha256(),
           "an object with another digest than the manifest's");
  }
  clip.committed = true;
  log.push_back(fmt::format("receipt {}", clip.parsed.key().sequence()));
  v1::UploadResponse response;
  *response.mutable_receipt()->mutable_key() = clip.parsed.key();
  response.mutable_receipt()->set_manifest_sha256(std::string(AsBytes(Sha256::Of(clip.manifest))));
  response.mutable_receipt()->set_duplicate(duplicate);
  out->push_back(response);
}

grpc::Status FakeCloud::ReportLedger(grpc::ServerContext* context,
                                     const v1::ReportLedgerRequest* request,
                                     v1::ReportLedgerResponse* response) {
  std::lock_guard lock(mutex_);
  ledgers.push_back(*request);
  context->set_compression_algorithm(compression);
  devices.push_back(DeviceOf(*context));
  changed_.notify_all();
  return on_ledger ? on_ledger(*request, response) : grpc::Status::OK;
}

grpc::Status FakeCloud::Hello(grpc::ServerContext* context, const v1::HelloRequest* request,
                              v1::HelloResponse* response) {
  std::lock_guard lock(mutex_);
  hellos.push_back(*request);
  agents.push_back(Metadata(*context, "user-agent"));
  context->set_compression_algorithm(compression);
  devices.push_back(DeviceOf(*context));
  changed_.notify_all();
  return on_hello ? on_hello(*request, response) : grpc::Status::OK;
}

grpc::Status FakeCloud::Heartbeat(grpc::ServerContext* context, const v1::HeartbeatRequest* request,
                                  v1::HeartbeatResponse* response) {
  std::lock_guard lock(mutex_);
  heartbeats.push_back(*request);
  context->set_compression_algorithm(compression);
  devices.push_back(DeviceOf(*context));
  changed_.notify_all();
  return on_heartbeat ? on_heartbeat(*request, response) : grpc::Status::OK;
}

}  // namespace gleaner::edge
