#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/sync_stream.h>

#include <deque>
#include <map>
#include <random>
#include <stdexcept>

#include "common/clip_key.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/limits.h"
#include "gleaner/v1/clip.pb.h"
#include "gleaner/v1/ingest.pb.h"
#include "tests/bench/ingest/clients.h"

namespace gleaner::bench {
namespace {

// Chunks that a device has sent and not yet heard of, and clips that it has under way: the most
// that its configuration allows (window_chunks, clips_in_flight).
constexpr uint64_t kWindowBytes = 64 * kBlockBytes;
constexpr size_t kClipsUnderWay = 16;

std::string ReadPem(const ClientOptions& options, const std::string& name) {
  auto text = ReadFile(options.folder + "/" + name, 1 << 20);
  if (!text.ok()) throw std::runtime_error(text.status().ToString());
  return *text;
}

// A bidi stream of raw messages over mutual TLS.
class RawStream : public Client {
 public:
  RawStream(const ClientOptions& options, int device) : options_(options), device_(device) {}

  void Connect() override {
    const std::string name = fmt::format("dev-{}", device_);
    grpc::ChannelArguments arguments;
    arguments.SetInt("grpc.use_local_subchannel_pool", 1);
    channel_ = grpc::CreateCustomChannel(
        options_.address,
        grpc::SslCredentials({ReadPem(options_, "ca.pem"), ReadPem(options_, name + ".key"),
                              ReadPem(options_, name + ".pem")}),
        arguments);
    if (!channel_->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30))) {
      throw std::runtime_error("can't connect to " + options_.address);
    }
    stream_.reset(
        grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
            channel_.get(), method_, &context_));
  }

 protected:
  // The header of a Chunk as protobuf writes it, then the payload where it lies.
  void WriteChunk(uint64_t lease, uint64_t offset, uint64_t xxh3, bool more_follows) {
    using google::protobuf::io::CodedOutputStream;
    const std::string& payload = Payload();
    v1::Chunk head;
    head.set_lease(lease);
    head.set_offset(offset);
    head.set_xxh3(xxh3);
    head.set_more_follows(more_follows);
    std::string fields = head.SerializeAsString();
    uint8_t buffer[16];
    fields += static_cast<char>(v1::Chunk::kDataFieldNumber << 3 | 2);
    uint8_t* end = CodedOutputStream::WriteVarint32ToArray(kBlockBytes, buffer);
    fields.append(reinterpret_cast<char*>(buffer), static_cast<size_t>(end - buffer));
    std::string start(1, static_cast<char>(v1::UploadRequest::kChunkFieldNumber << 3 | 2));
    end = CodedOutputStream::WriteVarint32ToArray(
        static_cast<uint32_t>(fields.size() + kBlockBytes), buffer);
    start.append(reinterpret_cast<char*>(buffer), static_cast<size_t>(end - buffer));
    const grpc::Slice slices[] = {
        grpc::Slice(start + fields),
        grpc::Slice(payload.data() + offset, kBlockBytes, grpc::Slice::STATIC_SLICE)};
    Write(grpc::ByteBuffer(slices, 2));
  }
  void Write(const grpc::ByteBuffer& message) {
    if (!stream_->Write(message)) Fail();
  }
  [[noreturn]] void Fail() {
    throw std::runtime_error("the stream ended: " + stream_->Finish().error_message());
  }

  const ClientOptions options_;
  const int device_;
  const grpc::internal::RpcMethod method_{"/gleaner.v1.IngestService/Upload",
                                          grpc::internal::RpcMethod::BIDI_STREAMING};
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
};

class DiscardClient : public RawStream {
 public:
  using RawStream::RawStream;
  void Send() override {
    for (int clip = 0; clip < options_.clips; ++clip) {
      for (uint64_t offset = 0; offset < kClipBytes; offset += kBlockBytes) {
        WriteChunk(1, offset, 0x0123456789abcdef, true);
      }
    }
    stream_->WritesDone();
    // Comes when the server has read the last byte.
    if (const grpc::Status status = stream_->Finish(); !status.ok()) {
      throw std::runtime_error(status.error_message());
    }
  }
};

class IngestClient : public RawStream {
 public:
  using RawStream::RawStream;

  void Connect() override {
    for (size_t at = 0; at < kClipBytes; at += kBlockBytes) {
      xxh3_.push_back(Xxh3(std::string_view(Payload()).substr(at, kBlockBytes)));
    }
    const Sha256Digest sha256 = Sha256::Of(Payload());
    for (int clip = 0; clip < options_.clips; ++clip) offers_.push_back(MakeOffer(clip, sha256));
    RawStream::Connect();
  }

  void Send() override {
    size_t receipts = 0, offered = 0;
    while (receipts < offers_.size()) {
      if (offered < offers_.size() && offered - receipts < kClipsUnderWay) {
        Write(offers_[offered++]);
      } else if (!ready_.empty() && in_flight_ < kWindowBytes) {
        SendNextChunk();
      } else {
        receipts += ReadResponse() ? 1 : 0;
      }
    }
  }

 private:
  struct Sending {
    uint64_t lease = 0;
    uint64_t sent = 0;
    uint64_t acknowledged = 0;
  };

  grpc::ByteBuffer MakeOffer(int clip, const Sha256Digest& sha256) {
    v1::ClipManifest manifest;
    manifest.set_device(fmt::format("dev-{}", device_));
    manifest.set_site("bench");
    manifest.mutable_key()->set_boot_id(
        std::string(AsBytes(DeriveBootId(std::to_string(options_.round), "bench"))));
    manifest.mutable_key()->set_sequence(static_cast<uint64_t>(clip) + 1);
    manifest.mutable_trigger()->set_rule("bench");
    manifest.mutable_delivered()->set_end_monotonic_ns(10'000'000'000);
    v1::VideoTrack* track = manifest.add_video();
    track->set_camera("front");
    track->set_codec("h264");
    track->set_width(1280);
    track->set_height(720);
    track->set_time_base_numerator(1);
    track->set_time_base_denominator(90'000);
    track->set_frame_count(300);
    for (int i = 1; i < 300; ++i) track->add_pts_delta(3'000);
    v1::ClipObject* object = manifest.add_objects();
    object->set_kind(v1::ClipObject::KIND_VIDEO);
    object->set_content_type("video/mp4");
    object->set_size_bytes(kClipBytes);
    object->set_sha256(std::string(AsBytes(sha256)));
    for (const uint64_t sum : xxh3_) object->add_block_xxh3(sum);
    v1::UploadRequest request;
    request.mutable_offer()->set_manifest(manifest.SerializeAsString());
    request.mutable_offer()->set_manifest_sha256(
        std::string(AsBytes(Sha256::Of(request.offer().manifest()))));
    const grpc::Slice slice(request.SerializeAsString());
    return {&slice, 1};
  }

  void SendNextChunk() {
    Sending& sending = under_way_[ready_.front()];
    in_flight_ += kBlockBytes;
    WriteChunk(sending.lease, sending.sent, xxh3_[sending.sent / kBlockBytes],
               in_flight_ < kWindowBytes);
    sending.sent += kBlockBytes;
    if (sending.sent == kClipBytes) ready_.pop_front();
  }

  // True if it was a receipt.
  bool ReadResponse() {
    grpc::ByteBuffer buffer;
    if (!stream_->Read(&buffer)) Fail();
    grpc::Slice slice;
    v1::UploadResponse response;
    if (!buffer.DumpToSingleSlice(&slice).ok() ||
        !response.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
      throw std::runtime_error("not an UploadResponse");
    }
    switch (response.message_case()) {
      case v1::UploadResponse::kGrant: {
        const uint64_t sequence = response.grant().key().sequence();
        under_way_[sequence] = {.lease = response.grant().lease()};
        by_lease_[response.grant().lease()] = sequence;
        ready_.push_back(sequence);
        return false;
      }
      case v1::UploadResponse::kProgress: {
        const auto found = by_lease_.find(response.progress().lease());
        if (found != by_lease_.end()) {
          Acknowledge(under_way_[found->second], response.progress().durable_offset());
        }
        return false;
      }
      case v1::UploadResponse::kReceipt: {
        const auto found = under_way_.find(response.receipt().key().sequence());
        if (found == under_way_.end() || response.receipt().duplicate()) {
          throw std::runtime_error("a receipt for a clip that was not sent");
        }
        Acknowledge(found->second, kClipBytes);
        by_lease_.erase(found->second.lease);
        under_way_.erase(found);
        return true;
      }
      default:
        throw std::runtime_error("refused: " + response.refusal().message());
    }
  }

  void Acknowledge(Sending& sending, uint64_t offset) {
    in_flight_ -= offset - sending.acknowledged;
    sending.acknowledged = offset;
  }

  std::vector<uint64_t> xxh3_;
  std::vector<grpc::ByteBuffer> offers_;
  std::map<uint64_t, Sending> under_way_;  // by sequence
  std::map<uint64_t, uint64_t> by_lease_;  // to sequence
  std::deque<uint64_t> ready_;             // granted, with chunks left to send
  uint64_t in_flight_ = 0;
};

}  // namespace

const std::string& Payload() {
  static const std::string payload = [] {
    std::mt19937_64 random(1);
    std::string bytes(kClipBytes, '\0');
    for (size_t i = 0; i < bytes.size(); i += 8) {
      const uint64_t word = random();
      bytes.replace(i, 8, reinterpret_cast<const char*>(&word), 8);
    }
    return bytes;
  }();
  return payload;
}

std::unique_ptr<Client> NewIngestClient(const ClientOptions& options, int device) {
  return std::make_unique<IngestClient>(options, device);
}
std::unique_ptr<Client> NewDiscardClient(const ClientOptions& options, int device) {
  return std::make_unique<DiscardClient>(options, device);
}

}  // namespace gleaner::bench
