// What must be refused, and how: over real gRPC and mutual TLS.
#include <gmock/gmock.h>

#include <fstream>
#include <functional>
#include <limits>

#include "cloud/ingest/manifest_check.h"
#include "cloud/ingest/request_reader.h"
#include "common/status.h"
#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

uint32_t Code(absl::StatusCode code) { return static_cast<uint32_t>(code); }

// Sends bytes that no message type would make.
class RawStream {
 public:
  RawStream(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& how)
      : channel_(grpc::CreateChannel(address, how)),
        method_("/gleaner.v1.IngestService/Upload", grpc::internal::RpcMethod::BIDI_STREAMING) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    stream_.reset(
        grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
            channel_.get(), method_, &context_));
  }
  grpc::Status Send(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    stream_->Write(grpc::ByteBuffer(&slice, 1));
    stream_->WritesDone();
    grpc::ByteBuffer answer;
    while (stream_->Read(&answer)) {
    }
    return stream_->Finish();
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  grpc::internal::RpcMethod method_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
};

class BadInputTest : public IngestTest {
 protected:
  // How a stream ends on which `request` is sent after an offer was granted.
  grpc::Status EndAfter(const std::function<v1::UploadRequest(uint64_t lease)>& request) {
    auto device = Connect();
    const SentClip clip = MakeClip("cart-1", 1);
    device->Send(request(device->Ask(OfferOf(clip)).grant().lease()));
    EXPECT_FALSE(device->Read().has_value());
    return device->Finish();
  }
};

TEST_F(BadInputTest, NonsenseBytesCloseTheStream) {
  const auto identity = pki_.Device("cart-9");
  const v1::UploadRequest empty;
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff nonsense"), std::string(100'000, '\x0a'), std::string(),
        std::string("\x12\x7f", 2)}) {
    RawStream stream(address_, DeviceCredentials(pki_, identity));
    EXPECT_EQ(stream.Send(bytes).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  EXPECT_EQ(service_->stats().breaches_total, 4u);
  EXPECT_TRUE(Connect()->Upload(MakeClip("cart-1", 1)).receipt.has_value());
}

TEST_F(BadInputTest, RandomBytesNeverDoWorseThanCloseTheStream) {
  std::mt19937_64 random(5);
  const auto credentials = DeviceCredentials(pki_, pki_.Device("cart-9"));
  const SentClip clip = MakeClip("cart-9", 1);
  for (int round = 0; round < 60; ++round) {
    std::string bytes =
        (round % 2 == 0 ? OfferOf(clip) : ChunkOf(clip, 1, 0, 0)).SerializeAsString();
    bytes.resize(std::min<size_t>(bytes.size(), 400 + random() % 30'000));
    for (int flips = 0; flips < 4; ++flips) {
      bytes[random() % std::min<size_t>(bytes.size(), 300)] = static_cast<char>(random());
    }
    auto stream = std::make_unique<RawStream>(address_, credentials);
    const grpc::Status status = stream->Send(bytes);
    EXPECT_TRUE(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT || status.ok())
        << status.error_message();
  }
  EXPECT_TRUE(Connect()->Upload(MakeClip("cart-1", 1)).receipt.has_value());
}

TEST_F(BadInputTest, AMessageThatIsTooLongClosesTheStream) {
  const auto credentials = DeviceCredentials(pki_, pki_.Device("cart-9"));
  const grpc::Status unread =
      RawStream(address_, credentials).Send(std::string((4 << 20) + 1, 'x'));
  EXPECT_EQ(unread.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const grpc::Status unparsed =
      RawStream(address_, credentials).Send(std::string(kMaxUploadMessageBytes + 1, '\0'));
  EXPECT_EQ(unparsed.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(unparsed.error_message(), HasSubstr("524289 bytes"));
}

TEST_F(BadInputTest, ChunksThatCannotBeCloseTheStream) {
  const SentClip clip = MakeClip("cart-1", 1);
  const auto change = [&](const std::function<void(v1::Chunk*)>& how) {
    return EndAfter([&](uint64_t lease) {
      auto request = ChunkOf(clip, lease, 1, 0);
      how(request.mutable_chunk());
      return request;
    });
  };
  for (const auto& how : std::vector<std::function<void(v1::Chunk*)>>{
           [](v1::Chunk* chunk) { chunk->set_object(2); },
           [](v1::Chunk* chunk) { chunk->set_object(~0u); },
           [](v1::Chunk* chunk) { chunk->set_offset(1); },
           [](v1::Chunk* chunk) { chunk->set_offset(3 * kBlockBytes); },
           [](v1::Chunk* chunk) { chunk->set_offset(~0ull - kBlockBytes + 1); },
           [](v1::Chunk* chunk) { chunk->mutable_data()->pop_back(); },
           [](v1::Chunk* chunk) { chunk->mutable_data()->push_back('x'); },
           [](v1::Chunk* chunk) { chunk->clear_data(); },
       }) {
    const grpc::Status status = change(how);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  }
}

TEST_F(BadInputTest, AnUnknownLeaseIsRefusedAndTheStreamGoesOn) {
  auto device = Connect();
  const SentClip clip = MakeClip("cart-1", 1);
  const auto refusal = device->Ask(ChunkOf(clip, 12345, 0, 0)).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kAborted));
  EXPECT_EQ(refusal.lease(), 12345u);
  EXPECT_TRUE(device->Upload(clip).receipt.has_value());
}

TEST_F(BadInputTest, AManifestOfAnotherDeviceIsRefused) {
  auto device = Connect("cart-1");
  const auto refusal = device->Ask(OfferOf(MakeClip("cart-2", 1))).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kPermissionDenied));
  EXPECT_EQ(refusal.key().sequence(), 1u);
  EXPECT_THAT(refusal.message(), HasSubstr("cart-2"));
  EXPECT_TRUE(device->Upload(MakeClip("cart-1", 1)).receipt.has_value());
}

TEST_F(BadInputTest, AnOversizedManifestIsRefusedByItsKey) {
  SentClip clip = MakeClip("cart-1", 7);
  clip.manifest.set_software_version(std::string(kMaxManifestBytes, 'x'));
  clip.Seal();
  auto device = Connect();
  const auto refusal = device->Ask(OfferOf(clip)).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(refusal.key().sequence(), 7u);
  EXPECT_THAT(refusal.message(), HasSubstr("262144"));
  EXPECT_TRUE(device->Upload(MakeClip("cart-1", 1)).receipt.has_value());
}

TEST_F(BadInputTest, AManifestWithoutAKeyClosesTheStream) {
  auto device = Connect();
  SentClip clip = MakeClip("cart-1", 1);
  clip.bytes = "no manifest at all";
  device->Send(OfferOf(clip));
  EXPECT_FALSE(device->Read().has_value());
  EXPECT_EQ(device->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

// Each rule of the contract, broken one at a time.
TEST(ManifestCheck, NamesTheFieldThatBreaksARule) {
  struct Case {
    const char* says;
    std::function<void(v1::ClipManifest*)> how;
  };
  using M = v1::ClipManifest;
  const std::vector<Case> cases = {
      {"device", [](M* m) { m->set_device("Cart 1"); }},
      {"site", [](M* m) { m->set_site("../etc"); }},
      {"key.boot_id", [](M* m) { m->mutable_key()->set_boot_id("short"); }},
      {"key.sequence", [](M* m) { m->mutable_key()->set_sequence(0); }},
      {"key.sequence", [](M* m) { m->mutable_key()->set_sequence(1ull << 60); }},
      {"fired_at", [](M* m) { m->mutable_fired_at()->set_wall_uncertainty_ns(-1); }},
      {"trigger.rule", [](M* m) { m->mutable_trigger()->clear_rule(); }},
      {"trigger.expression",
       [](M* m) { m->mutable_trigger()->set_expression(std::string(5000, 'x')); }},
      {"trigger.priority", [](M* m) { m->mutable_trigger()->set_priority(10); }},
      {"trigger.firing",
       [](M* m) {
         for (int i = 0; i < 257; ++i) m->mutable_trigger()->add_firing_monotonic_ns(i);
       }},
      {"trigger.signals",
       [](M* m) {
         for (int i = 0; i < 33; ++i) m->mutable_trigger()->add_signals();
       }},
      {"trigger.signals[0]", [](M* m) { m->mutable_trigger()->add_signals()->add_offset_us(1); }},
      {"trigger.signals[0].value",
       [](M* m) {
         auto* signal = m->mutable_trigger()->add_signals();
         for (int i = 0; i < 4097; ++i) {
           signal->add_offset_us(i);
           signal->add_value(1);
         }
       }},
      {"requested", [](M* m) { m->mutable_requested()->set_end_monotonic_ns(-5); }},
      {"delivered", [](M* m) { m->mutable_delivered()->set_start_monotonic_ns(1ll << 40); }},
      {"video", [](M* m) { m->clear_video(); }},
      {"video[0].camera", [](M* m) { m->mutable_video(0)->set_camera("A"); }},
      {"video[0].codec", [](M* m) { m->mutable_video(0)->clear_codec(); }},
      {"video[0].width", [](M* m) { m->mutable_video(0)->set_width(0); }},
      {"video[0].height", [](M* m) { m->mutable_video(0)->set_height(8193); }},
      {"video[0] has 8192×8192 pixels",
       [](M* m) {
         m->mutable_video(0)->set_width(8192);
         m->mutable_video(0)->set_height(8192);
       }},
      {"video[0].rotation_degrees", [](M* m) { m->mutable_video(0)->set_rotation_degrees(45); }},
      {"video[0].height", [](M* m) { m->mutable_video(0)->set_height(1 << 20); }},
      {"time base", [](M* m) { m->mutable_video(0)->set_time_base_denominator(0); }},
      {"video[0].frame_count", [](M* m) { m->mutable_video(0)->set_frame_count(0); }},
      {"video[0].frame_count", [](M* m) { m->mutable_video(0)->set_frame_count(65'537); }},
      {"video[0].pts_delta", [](M* m) { m->mutable_video(0)->add_pts_delta(1); }},
      {"video[0].pts_delta", [](M* m) { m->mutable_video(0)->set_pts_delta(0, 0); }},
      {"video[0].pts_delta",
       [](M* m) {
         m->mutable_video(0)->set_first_pts(std::numeric_limits<int64_t>::max() - 2'999);
       }},
      {"objects is empty",
       [](M* m) {
         m->clear_objects();
         m->clear_video();
       }},
      {"objects has",
       [](M* m) {
         for (size_t i = 0; i < kMaxObjects; ++i) *m->add_objects() = m->objects(1);
       }},
      {"objects must", [](M* m) { m->mutable_objects()->SwapElements(0, 1); }},
      {"objects must", [](M* m) { *m->mutable_objects(1) = m->objects(0); }},
      {"objects[0].kind", [](M* m) { m->mutable_objects(0)->clear_kind(); }},
      {"objects[1].content_type",
       [](M* m) { m->mutable_objects(1)->set_content_type("text/html"); }},
      {"objects[1].size_bytes", [](M* m) { m->mutable_objects(1)->set_size_bytes(0); }},
      {"objects[1].size_bytes", [](M* m) { m->mutable_objects(1)->set_size_bytes(5ull << 30); }},
      {"objects[1].sha256", [](M* m) { m->mutable_objects(1)->set_sha256("short"); }},
      {"objects[1].block_xxh3", [](M* m) { m->mutable_objects(1)->add_block_xxh3(1); }},
      {"video has", [](M* m) { *m->add_objects() = m->objects(1); }},
      {"camera is there twice",
       [](M* m) {
         *m->add_objects() = m->objects(1);
         *m->add_video() = m->video(0);
       }},
  };
  SentClip good = MakeClip("cart-1", 1);
  ASSERT_TRUE(CheckOffer(OfferOf(good).offer(), "cart-1").ok());
  for (const Case& one : cases) {
    SentClip bad = MakeClip("cart-1", 1);
    one.how(&bad.manifest);
    bad.Seal();
    const auto checked = CheckOffer(OfferOf(bad).offer(), "cart-1");
    ASSERT_TRUE(absl::IsInvalidArgument(checked.status())) << one.says << checked.status();
    EXPECT_THAT(std::string(Message(checked.status())), HasSubstr(one.says));
  }
  v1::Offer offer = OfferOf(good).offer();
  offer.mutable_manifest_sha256()->at(0) ^= 1;
  EXPECT_THAT(std::string(Message(CheckOffer(offer, "cart-1").status())), HasSubstr("sha256"));
}

TEST(LedgerCheck, NamesTheFieldThatBreaksARule) {
  struct Case {
    const char* says;
    std::function<void(v1::BootLedger*)> how;
  };
  using B = v1::BootLedger;
  const auto add = [](B* boot, uint64_t first, uint64_t last) {
    boot->add_pending()->set_first(first);
    boot->mutable_pending(boot->pending_size() - 1)->set_last(last);
  };
  const auto bury = [](B* boot, uint64_t sequence) {
    v1::Tombstone* tombstone = boot->add_tombstones();
    tombstone->mutable_key()->set_boot_id(boot->boot_id());
    tombstone->mutable_key()->set_sequence(sequence);
    tombstone->set_state(v1::Tombstone::STATE_EVICTED);
    return tombstone;
  };
  const std::vector<Case> cases = {
      {"boot_id", [](B* b) { b->set_boot_id("x"); }},
      {"last_sequence", [](B* b) { b->set_last_sequence(1ull << 50); }},
      {"pending", [&](B* b) { add(b, 3, 2); }},
      {"pending", [&](B* b) { add(b, 0, 2); }},
      {"pending", [&](B* b) { add(b, 3, 11); }},
      {"pending", [&](B* b) { add(b, 3, 5), add(b, 5, 6); }},
      {"tombstones.key.sequence", [&](B* b) { bury(b, 0); }},
      {"tombstones.key.sequence", [&](B* b) { bury(b, 11); }},
      {"another boot_id",
       [&](B* b) { bury(b, 1)->mutable_key()->set_boot_id(std::string(16, 'z')); }},
      {"tombstones.state", [&](B* b) { bury(b, 1)->clear_state(); }},
      {"tombstones.reason", [&](B* b) { bury(b, 1)->set_reason(std::string(257, 'x')); }},
      {"tombstones.rule", [&](B* b) { bury(b, 1)->set_rule("No Name"); }},
      {"tombstones has",
       [&](B* b) {
         b->set_last_sequence(2000);
         for (uint64_t i = 1; i <= 1025; ++i) bury(b, i);
       }},
  };
  const auto report = [&](const std::function<void(B*)>& how) {
    v1::ReportLedgerRequest request;
    request.add_boots()->set_boot_id(std::string(16, 'b'));
    request.mutable_boots(0)->set_last_sequence(10);
    how(request.mutable_boots(0));
    return request;
  };
  EXPECT_TRUE(
      CheckLedgerReport(report([&](B* b) { add(b, 1, 3), add(b, 5, 10), bury(b, 4); })).ok());
  for (const Case& one : cases) {
    const absl::Status status = CheckLedgerReport(report(one.how));
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << one.says;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(one.says));
  }
  v1::ReportLedgerRequest twice = report([](B*) {});
  *twice.add_boots() = twice.boots(0);
  EXPECT_THAT(std::string(Message(CheckLedgerReport(twice))), HasSubstr("twice"));
}

TEST_F(BadInputTest, TheLedgerIsReportedUnderTheCertificatesName) {
  auto device = Connect("cart-1");
  v1::ReportLedgerRequest request;
  v1::ReportLedgerResponse response;
  request.add_boots()->set_boot_id(std::string(16, 'b'));
  request.mutable_boots(0)->set_last_sequence(2);
  grpc::ClientContext context;
  ASSERT_TRUE(device->stub().ReportLedger(&context, request, &response).ok());
  EXPECT_EQ(response.gaps_size(), 2);
  request.mutable_boots(0)->set_boot_id("short");
  grpc::ClientContext again;
  EXPECT_EQ(device->stub().ReportLedger(&again, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(BadInputTest, MoreClipsThanMayBeUnderWayAreToldToWait) {
  options_.uploads_per_stream = 2;
  options_.uploads_per_device = 3;
  Restart();
  auto device = Connect();
  for (uint64_t sequence : {1, 2}) {
    EXPECT_FALSE(device->Upload(MakeClip("cart-1", sequence), /*max_chunks=*/1).refused);
  }
  const auto refusal = device->Ask(OfferOf(MakeClip("cart-1", 3))).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kResourceExhausted));
  EXPECT_GT(refusal.retry_after_ms(), 0u);
  // Left behind on other streams, they count for the device.
  device = Connect();
  EXPECT_TRUE(device->Ask(OfferOf(MakeClip("cart-1", 3))).has_grant());
  EXPECT_EQ(device->Ask(OfferOf(MakeClip("cart-1", 4))).refusal().code(),
            Code(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(device->Upload(MakeClip("cart-1", 1)).receipt.has_value());
  EXPECT_TRUE(device->Upload(MakeClip("cart-1", 4)).receipt.has_value());
}

TEST_F(BadInputTest, ADeviceCanNotReserveMoreThanItsShareByOffersAlone) {
  const SentClip first = MakeClip("cart-1", 1);
  options_.reserved_per_device = static_cast<int64_t>(2 * first.payload());
  Restart();
  auto device = Connect();
  EXPECT_TRUE(device->Ask(OfferOf(first)).has_grant());
  EXPECT_TRUE(device->Ask(OfferOf(MakeClip("cart-1", 2))).has_grant());
  const auto refusal = device->Ask(OfferOf(MakeClip("cart-1", 3))).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(refusal.message(), HasSubstr("2 unfinished uploads"));
  EXPECT_TRUE(Connect("cart-2")->Ask(OfferOf(MakeClip("cart-2", 1))).has_grant());
  // One that is larger than the share comes in alone.
  EXPECT_TRUE(
      Connect("cart-3")->Ask(OfferOf(MakeClip("cart-3", 1, 3 * first.payload()))).has_grant());
}

TEST_F(BadInputTest, AFullStoreTakesNoNewClipsButEndsOldOnes) {
  const SentClip old = MakeClip("cart-1", 1);
  Connect()->Upload(old, 1);
  options_.free_bytes_floor = static_cast<int64_t>(*blobs_->FreeBytes() * 2);
  Restart();
  auto device = Connect();
  const auto refusal = device->Ask(OfferOf(MakeClip("cart-1", 2))).refusal();
  EXPECT_EQ(refusal.code(), Code(absl::StatusCode::kResourceExhausted));
  EXPECT_GE(refusal.retry_after_ms(), 1000u);
  EXPECT_THAT(refusal.message(), HasSubstr("free"));
  EXPECT_TRUE(device->Upload(old).receipt.has_value());
}

}  // namespace
}  // namespace gleaner::cloud
