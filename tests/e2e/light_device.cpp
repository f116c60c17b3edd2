#include "tests/e2e/light_device.h"

#include <fmt/format.h>
#include <grpcpp/create_channel.h>

#include <thread>

#include "gleaner/v1/fleet.grpc.pb.h"

namespace gleaner::e2e {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A server that runs answers sooner, whatever it waits for itself.
constexpr auto kStreamDeadline = std::chrono::seconds(120);
constexpr auto kCallDeadline = std::chrono::seconds(30);
constexpr auto kDrainDeadline = std::chrono::seconds(180);
constexpr size_t kMaxPending = 3;
constexpr int kClipsOnAStream = 4;
constexpr int kNoCut = 1 << 20;

std::string BootId() { return cloud::MakeClip("any", 1, 1).manifest.key().boot_id(); }

}  // namespace

class LightDevice::Stream {
 public:
  explicit Stream(const std::shared_ptr<grpc::Channel>& server)
      : server_(v1::IngestService::NewStub(server)) {
    context_.set_deadline(std::chrono::system_clock::now() + kStreamDeadline);
    stream_ = server_->Upload(&context_);
  }
  ~Stream() { End(); }

  bool Write(const v1::UploadRequest& request) { return stream_->Write(request); }
  std::optional<v1::UploadResponse> Read() {
    v1::UploadResponse response;
    if (!stream_->Read(&response)) return std::nullopt;
    return response;
  }
  void Cut() { context_.TryCancel(); }
  // Closes it, where it isn't over; how it ended.
  grpc::Status End() {
    if (ended_) return status_;
    ended_ = true;
    stream_->WritesDone();
    while (Read()) {
    }
    return status_ = stream_->Finish();
  }

 private:
  const std::unique_ptr<v1::IngestService::Stub> server_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::UploadRequest, v1::UploadResponse>> stream_;
  bool ended_ = false;
  grpc::Status status_;
};

LightDevice::LightDevice(std::string name, TestPki& pki, const std::vector<int>& ports,
                         uint64_t seed)
    : name_(std::move(name)), ports_(ports), random_(seed) {
  const TestPki::Identity identity = pki.Device(name_);
  credentials_ = grpc::SslCredentials({pki.ca(), identity.key, identity.certificate});
}

void LightDevice::Run(const std::atomic<bool>& fires, std::atomic<int>& receipts) {
  while (!SayHello()) Pause();
  std::optional<SteadyClock::time_point> deadline;
  for (;;) {
    if (fires) {
      while (pending_.size() < kMaxPending) Fire();
    } else if (!deadline) {
      deadline = SteadyClock::now() + kDrainDeadline;
    } else if (SteadyClock::now() > *deadline) {
      return Problem(
          fmt::format("still has {} clips and {} tombstones", pending_.size(), untold_.size()));
    }
    if (!pending_.empty()) {
      UploadSome(receipts);
      if (Chance(4)) ReportLedger();
    } else if (ReportLedger()) {
      return;
    }
    Pause();
  }
}

void LightDevice::Pause() {
  std::this_thread::sleep_for(
      std::chrono::milliseconds(std::uniform_int_distribution<int>(20, 300)(random_)));
}

std::shared_ptr<grpc::Channel> LightDevice::Connect() {
  const size_t one = std::uniform_int_distribution<size_t>(0, ports_.size() - 1)(random_);
  grpc::ChannelArguments arguments;
  arguments.SetInt("grpc.use_local_subchannel_pool", 1);
  return grpc::CreateCustomChannel(fmt::format("127.0.0.1:{}", ports_[one]), credentials_,
                                   arguments);
}

bool LightDevice::SayHello() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  v1::HelloRequest hello;
  hello.set_boot_id(BootId());
  hello.set_site("store-7");
  v1::HelloResponse response;
  return MayBe("hello", v1::FleetService::NewStub(Connect())->Hello(&context, hello, &response));
}

// Some numbers end before anything of their clip is sent.
void LightDevice::Fire() {
  pending_.insert(++last_);
  if (Chance(12)) GiveUp(last_);
}

void LightDevice::GiveUp(uint64_t number) {
  pending_.erase(number);
  given_up_.insert(number);
  untold_.insert(number);
}

void LightDevice::UploadSome(std::atomic<int>& receipts) {
  Stream stream(Connect());
  Outcome outcome = Outcome::kAgain;
  for (int i = 0; i < kClipsOnAStream && outcome != Outcome::kStreamOver && !pending_.empty();
       ++i) {
    const uint64_t number = *pending_.begin();
    // From a part of a chunk to three of them.
    const cloud::SentClip clip = cloud::MakeClip(name_, number, 50'000 + number * 77'777 % 600'000);
    const int before_cut = Chance(10) ? std::uniform_int_distribution<int>(0, 2)(random_) : kNoCut;
    const bool is_new = offered_.insert(number).second;
    outcome = Upload(stream, clip, before_cut);
    if (outcome == Outcome::kReceipt) {
      ++receipts;
      // As a device does whose disk lost what it heard.
      if (Chance(10)) outcome = Upload(stream, clip, kNoCut);
    }
    // Nothing of it was ever sent, so that it can't have been committed.
    if (is_new && before_cut == 0 && pending_.contains(number) && Chance(2)) GiveUp(number);
  }
  const grpc::Status status = stream.End();
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::ABORTED:
      break;
    default:
      Problem(fmt::format("its stream ended with {}: {}", static_cast<int>(status.error_code()),
                          status.error_message()));
  }
}

LightDevice::Outcome LightDevice::Upload(Stream& stream, const cloud::SentClip& clip,
                                         int chunks_before_cut) {
  const uint64_t number = clip.manifest.key().sequence();
  if (!stream.Write(cloud::OfferOf(clip))) return Outcome::kStreamOver;
  const auto first = stream.Read();
  if (!first) return Outcome::kStreamOver;
  if (first->has_refusal()) return OnRefusal(first->refusal());
  if (first->has_receipt()) {
    Note(number, first->receipt());
    return Outcome::kReceipt;
  }
  if (!first->has_grant()) {
    Problem("not an answer to an offer: " + first->ShortDebugString());
    return Outcome::kStreamOver;
  }
  const bool at_once = Chance(2);
  for (uint32_t object = 0; object < clip.objects.size(); ++object) {
    const uint64_t size = clip.objects[object].size();
    for (uint64_t at = first->grant().durable_offset(static_cast<int>(object)); at < size;
         at += kBlockBytes) {
      if (chunks_before_cut-- == 0) {
        stream.Cut();
        return Outcome::kStreamOver;
      }
      const bool last = object + 1 == clip.objects.size() && at + kBlockBytes >= size;
      auto chunk = cloud::ChunkOf(clip, first->grant().lease(), object, at);
      chunk.mutable_chunk()->set_more_follows(at_once && !last);
      if (!stream.Write(chunk)) return Outcome::kStreamOver;
      if (at_once || last) continue;
      const auto answer = stream.Read();
      if (!answer) return Outcome::kStreamOver;
      if (answer->has_refusal()) return OnRefusal(answer->refusal());
    }
  }
  while (const auto answer = stream.Read()) {
    if (answer->has_refusal()) return OnRefusal(answer->refusal());
    if (!answer->has_receipt()) continue;
    Note(number, answer->receipt());
    return Outcome::kReceipt;
  }
  return Outcome::kStreamOver;
}

// Not now, or from the start; whatever is said besides is for clips that are wrong.
LightDevice::Outcome LightDevice::OnRefusal(const v1::Refusal& refusal) {
  switch (static_cast<grpc::StatusCode>(refusal.code())) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::ABORTED:
      break;
    default:
      Problem("refused: " + refusal.ShortDebugString());
  }
  // Answers to what else is under way would be taken for those to the next clip.
  return Outcome::kStreamOver;
}

void LightDevice::Note(uint64_t number, const v1::Receipt& receipt) {
  if (receipt.key().sequence() != number) {
    return Problem(
        fmt::format("a receipt for {} and not for {}", receipt.key().sequence(), number));
  }
  const auto [known, is_new] = receipts_.try_emplace(
      number, Receipt{receipt.manifest_sha256(), receipt.committed_unix_ns()});
  if (is_new) {
    pending_.erase(number);
  } else if (known->second.committed_unix_ns != receipt.committed_unix_ns() ||
             known->second.manifest_sha256 != receipt.manifest_sha256() || !receipt.duplicate()) {
    Problem("another receipt: " + receipt.ShortDebugString());
  }
}

bool LightDevice::ReportLedger() {
  v1::ReportLedgerRequest report;
  v1::BootLedger* boot = report.add_boots();
  boot->set_boot_id(BootId());
  boot->set_last_sequence(last_);
  for (const uint64_t number : pending_) {
    v1::SequenceRange* range = boot->add_pending();
    range->set_first(number);
    range->set_last(number);
  }
  for (const uint64_t number : untold_) {
    v1::Tombstone* tombstone = boot->add_tombstones();
    tombstone->mutable_key()->set_boot_id(BootId());
    tombstone->mutable_key()->set_sequence(number);
    tombstone->set_state(v1::Tombstone::STATE_EVICTED);
    tombstone->set_reason("no room");
  }
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  v1::ReportLedgerResponse response;
  const grpc::Status reported =
      v1::IngestService::NewStub(Connect())->ReportLedger(&context, report, &response);
  if (!MayBe("its ledger", reported)) return false;
  for (const v1::ClipKey& key : response.acknowledged()) untold_.erase(key.sequence());
  return untold_.empty();
}

bool LightDevice::MayBe(const char* what, const grpc::Status& status) {
  if (!status.ok() && status.error_code() != grpc::StatusCode::UNAVAILABLE) {
    Problem(fmt::format("{} is answered with {}: {}", what, static_cast<int>(status.error_code()),
                        status.error_message()));
  }
  return status.ok();
}

void LightDevice::Problem(const std::string& what) { problems_.push_back(name_ + ": " + what); }

}  // namespace gleaner::e2e
