#include "cloud/ingest/ingest_service.h"

#include <fmt/format.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <functional>
#include <utility>

#include "cloud/ingest/manifest_check.h"
#include "cloud/ingest/upload_stream.h"
#include "cloud/net/peer_address.h"
#include "cloud/rpc/bounded_message.h"
#include "cloud/rpc/identity.h"
#include "cloud/store/rubbish.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxWaitingCalls = 10'000;
constexpr size_t kMaxLedgerBytes = 2 << 20;

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(Message(status))};
}

std::string StoreIdOf(BlobNames& names) {
  const auto identity = names.GetIdentity();
  if (identity.ok()) return identity->id;
  LOG_ERROR("clips won't describe themselves: {}", Message(identity.status()));
  return "";
}

// A stream that ends as it begins.
class RefusedStream : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

IngestOptions IngestOptions::Read(ConfigReader& reader) {
  IngestOptions options;
  options.workers = reader.Int("workers", options.workers, {.min = 1, .max = 256});
  options.uploads_per_stream =
      reader.Int("uploads_per_stream", options.uploads_per_stream, {.min = 1, .max = 256});
  options.uploads_per_device =
      reader.Int("uploads_per_device", options.uploads_per_device, {.min = 1, .max = 1 << 20});
  options.reserved_per_device = reader.Bytes("reserved_per_device", options.reserved_per_device);
  options.buffered_bytes = reader.Bytes("buffered_bytes", options.buffered_bytes);
  options.free_bytes_floor = reader.Bytes("free_floor", options.free_bytes_floor);
  return options;
}

IngestService::IngestService(Uploads& uploads, BlobNames& names, UploadStaging& staging,
                             ObjectStore& objects, Clock& clock, const IngestOptions& options)
    : core_{.uploads = uploads,
            .names = names,
            .staging = staging,
            .objects = objects,
            .clock = clock,
            .options = options,
            .store_id = StoreIdOf(names),
            .pool = WorkerPool(static_cast<size_t>(options.workers), kMaxWaitingCalls)} {
  for (auto& strand : ledgers_) strand = std::make_shared<Strand>(core_.pool);
  freeing_ = std::make_shared<Strand>(core_.pool);
}

IngestService::~IngestService() = default;

void IngestService::Stop() {
  std::map<std::string, std::shared_ptr<UploadStream>> streams;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    streams = streams_;
  }
  for (const auto& [device, stream] : streams) {
    stream->Close({grpc::StatusCode::UNAVAILABLE, "the server stops; come again"}, nullptr);
  }
}

IngestStats IngestService::stats() const {
  const auto& counters = core_.counters;
  return {.streams_open = counters.streams_open,
          .streams_total = counters.streams_total,
          .clips_total = counters.clips_total,
          .duplicates_total = counters.duplicates_total,
          .bytes_total = counters.bytes_total,
          .refusals_total = counters.refusals_total,
          .conflicts_total = counters.conflicts_total,
          .breaches_total = counters.breaches_total};
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* IngestService::Upload(
    grpc::CallbackServerContext* context) {
  const auto device = DeviceName(*context, core_.options.trust_metadata);
  if (!device.ok()) {
    const std::string peer = context->peer();
    const auto address = PeerAddress::FromGrpc(peer);
    if (const auto more = core_.log_throttle.Admit(
            fmt::format("uploads from {} refused", address ? address->HostText() : peer))) {
      LOG_WARN("upload from {} refused: {}{}", peer, Message(device.status()), *more);
    }
    return new RefusedStream(ToGrpc(device.status()));
  }
  std::shared_ptr<UploadStream> stream, before;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) {
      return new RefusedStream({grpc::StatusCode::UNAVAILABLE, "the server stops; come again"});
    }
    stream = UploadStream::Make(core_, *this, *device);
    before = std::exchange(streams_[*device], stream);
  }
  if (const auto more = core_.log_throttle.Admit(fmt::format("device {} uploads", *device))) {
    LOG_INFO("device {} uploads from {}{}", *device, context->peer(), *more);
  }
  if (before == nullptr) {
    stream->Begin();
  } else {
    before->Close({grpc::StatusCode::ABORTED, "the device opened another stream"},
                  [stream] { stream->Begin(); });
  }
  return stream.get();
}

absl::Status IngestService::FreeGivenUp() {
  if (!freeing_soon_.exchange(true)) {
    freeing_->Post([this] {
      freeing_soon_ = false;  // what is given up from here on is another's
      // Whatever it is, the janitor says so, too, and tries again.
      (void)FreeRubbish(core_.names, core_.staging, core_.objects);
    });
  }
  return FreeStagedRubbish(core_.names, core_.staging);
}

void IngestService::OnStreamDone(const std::string& device, const UploadStream* stream) {
  std::lock_guard lock(mutex_);
  const auto found = streams_.find(device);
  if (found != streams_.end() && found->second.get() == stream) streams_.erase(found);
}

grpc::ServerUnaryReactor* IngestService::ReportLedger(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request,
                                                      grpc::ByteBuffer* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto device = DeviceName(*context, core_.options.trust_metadata);
  if (!device.ok()) {
    reactor->Finish(ToGrpc(device.status()));
  } else if (ledgers_waiting_ >= kMaxWaitingCalls) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "the server is busy; come again"});
  } else {
    ++ledgers_waiting_;
    // The request and the response live until Finish.
    ledgers_[std::hash<std::string>()(*device) % ledgers_.size()]->Post(
        [this, reactor, request, response, device = *device] {
          --ledgers_waiting_;
          reactor->Finish(ToGrpc(TakeLedger(device, *request, response)));
        });
  }
  return reactor;
}

absl::Status IngestService::TakeLedger(const std::string& device, const grpc::ByteBuffer& request,
                                       grpc::ByteBuffer* response) {
  {
    grpc::ByteBuffer shared(request);
    grpc::ProtoBufferReader bytes(&shared);
    if (!HasFewLedgerEntries(&bytes)) {
      return absl::InvalidArgumentError("boots have far more entries than the contract allows");
    }
  }
  ASSIGN_OR_RETURN(const auto report,
                   ParseBounded<v1::ReportLedgerRequest>(request, kMaxLedgerBytes));
  RETURN_IF_ERROR(CheckLedgerReport(report));
  v1::ReportLedgerResponse answer;
  RETURN_IF_ERROR(core_.uploads.ReportLedger(device, report, &answer));
  // While a backup is made, what the device gave up counts on: the next report frees it.
  const absl::Status freed = FreeGivenUp();
  if (!freed.ok() && !absl::IsUnavailable(freed)) {
    if (const auto more = core_.log_throttle.Admit("what devices gave up is not freed")) {
      LOG_WARN("what device {} gave up is not freed yet: {}{}", device, Message(freed), *more);
    }
  }
  if (answer.gaps_size() > 0) {
    if (const auto more = core_.log_throttle.Admit(fmt::format("device {} has gaps", device))) {
      LOG_WARN("device {} can't account for {} or more sequence numbers, the first is {}{}", device,
               answer.gaps_size(), answer.gaps(0).sequence(), *more);
    }
  }
  *response = Serialized(answer);
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
