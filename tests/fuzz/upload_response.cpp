// What the server answers on the upload stream, and what a transfer makes of it: whatever it says,
// the device sends blocks of its clip and nothing else.
#include <algorithm>

#include "common/limits.h"
#include "edge/upload/message.h"
#include "edge/upload/transfer.h"
#include "tests/fuzz/message_cut.h"

namespace gleaner::fuzz {
namespace {

constexpr uint64_t kSizes[] = {1000, 2 * kBlockBytes, 2 * kBlockBytes + 1};
constexpr size_t kObjects = std::size(kSizes);
constexpr uint64_t kTotal = kSizes[0] + kSizes[1] + kSizes[2];
constexpr int kMaxSteps = 256;

// An input is a row of steps: a byte n, and n bytes as CutMessage reads them. 0 is the device's own
// step: it offers the clip, or sends a chunk.
std::string Step(const v1::UploadResponse& response) {
  const std::string message = "\x02\x01\x03" + response.SerializeAsString();
  return static_cast<char>(message.size()) + message;
}

edge::StoredClip Clip() {
  edge::StoredClip clip;
  for (const uint64_t size : kSizes) clip.objects.push_back({.size_bytes = size});
  return clip;
}

// As Transfers does; a breach ends the stream.
void Answer(const v1::UploadResponse& response, edge::Transfer& transfer) {
  using State = edge::Transfer::State;
  const uint64_t before = transfer.durable_bytes();
  bool advanced = false;
  absl::Status breach;
  if (response.has_grant() && transfer.state() == State::kOffered) {
    breach = transfer.OnGrant(response.grant());
    if (breach.ok()) ++accepted;
    REQUIRE(!breach.ok() || transfer.lease() == response.grant().lease());
  } else if (response.has_progress() && transfer.state() == State::kSending) {
    breach = transfer.OnProgress(response.progress().object(), response.progress().durable_offset(),
                                 &advanced);
    REQUIRE(transfer.durable_bytes() >= before);
    REQUIRE(!advanced || (breach.ok() && transfer.durable_bytes() > before));
  } else if (response.has_refusal() && transfer.state() == State::kSending) {
    breach = transfer.Rewind(response.refusal().object(), response.refusal().durable_offset());
  }
  if (!breach.ok()) {
    REQUIRE(absl::IsInvalidArgument(breach) && transfer.durable_bytes() == before);
    transfer.Restart();
  }
}

void Act(edge::Transfer& transfer) {
  edge::ChunkPosition position;
  uint64_t size = 0;
  if (transfer.NextChunk(&position, &size)) {
    REQUIRE(transfer.Sent() <= size);
  } else if (transfer.state() == edge::Transfer::State::kWaiting) {
    transfer.Offered();
  }
}

void RequireSound(const edge::Transfer& transfer) {
  edge::ChunkPosition position;
  uint64_t size = 0;
  if (transfer.NextChunk(&position, &size)) {
    REQUIRE(position.lease != 0 && position.lease == transfer.lease());
    REQUIRE(position.object < kObjects && position.offset % kBlockBytes == 0);
    REQUIRE(position.offset < kSizes[position.object]);
    REQUIRE(size == std::min<uint64_t>(kBlockBytes, kSizes[position.object] - position.offset));
    REQUIRE(!transfer.all_sent());
  }
  REQUIRE(transfer.durable_bytes() <= kTotal);
  REQUIRE(transfer.unacknowledged_chunks() <= BlockCount(kTotal) + kObjects);
}

}  // namespace

std::vector<std::string> Seeds() {
  v1::UploadResponse grant, progress, back, receipt;
  grant.mutable_grant()->set_lease(7);
  for (const uint64_t offset : {uint64_t{1000}, uint64_t{kBlockBytes}, uint64_t{0}}) {
    grant.mutable_grant()->add_durable_offset(offset);
  }
  progress.mutable_progress()->set_lease(7);
  progress.mutable_progress()->set_object(1);
  progress.mutable_progress()->set_durable_offset(kSizes[1]);
  back.mutable_refusal()->set_lease(7);
  back.mutable_refusal()->set_code(15);
  back.mutable_refusal()->set_object(2);
  receipt.mutable_receipt()->set_manifest_sha256(std::string(32, 's'));
  const std::string act(1, '\0');
  return {act + Step(grant) + act + Step(progress) + act + act + act + Step(receipt),
          act + Step(grant) + act + act + Step(back) + act + Step(progress) + act};
}

}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  edge::Transfer transfer(fuzz::Clip());
  std::string_view left = fuzz::AsText(data, size);
  for (int step = 0; step < fuzz::kMaxSteps && !left.empty(); ++step) {
    const size_t length = fuzz::CutMessage::Byte(left, 0);
    fuzz::CutMessage cut(left.substr(1, length));
    left.remove_prefix(std::min(left.size(), 1 + length));
    if (length == 0) {
      fuzz::Act(transfer);
    } else {
      v1::UploadResponse judge;
      const auto response = edge::ParseResponse(&cut.buffer);
      REQUIRE(response.ok() ==
              judge.ParseFromArray(cut.bytes.data(), static_cast<int>(cut.bytes.size())));
      REQUIRE(response.ok() || absl::IsInvalidArgument(response.status()));
      if (!response.ok()) return 0;  // the stream is cut
      REQUIRE(response->SerializeAsString() == judge.SerializeAsString());
      fuzz::Answer(*response, transfer);
    }
    fuzz::RequireSound(transfer);
  }
  return 0;
}
