// What a device sends on its upload stream: read in place or parsed, protobuf is the judge.
#include "cloud/ingest/request_reader.h"
#include "tests/fuzz/message_cut.h"

namespace gleaner::fuzz {

std::vector<std::string> Seeds() {
  v1::UploadRequest offer, chunk, reversed;
  offer.mutable_offer()->set_manifest("a manifest");
  offer.mutable_offer()->set_manifest_sha256(std::string(32, 's'));
  chunk.mutable_chunk()->set_lease(300);
  chunk.mutable_chunk()->set_object(1);
  chunk.mutable_chunk()->set_offset(262144);
  chunk.mutable_chunk()->set_xxh3(42);
  chunk.mutable_chunk()->set_more_follows(true);
  chunk.mutable_chunk()->set_data("0123456789");
  // Parts of one message: merged by protobuf, `data` not last.
  reversed.mutable_chunk()->set_data("payload");
  const std::string whole = chunk.SerializeAsString();
  return {std::string(1, '\0') + offer.SerializeAsString(), std::string(1, '\0') + whole,
          "\x04\x01\x02\x03\x14" + whole, "\x02\x02\x04" + reversed.SerializeAsString() + whole};
}

namespace {

std::string DataOf(const cloud::ChunkRequest& chunk) {
  std::string data;
  for (const iovec& part : chunk.data) {
    data.append(static_cast<const char*>(part.iov_base), part.iov_len);
  }
  return data;
}

}  // namespace
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const fuzz::CutMessage cut(fuzz::AsText(data, size));
  auto message = cloud::ReadUploadMessage(cut.buffer);
  v1::UploadRequest judge;
  const bool parses = judge.ParseFromArray(cut.bytes.data(), static_cast<int>(cut.bytes.size()));
  REQUIRE(message.ok() == (parses && judge.message_case() != v1::UploadRequest::MESSAGE_NOT_SET));
  if (!message.ok()) {
    REQUIRE(absl::IsInvalidArgument(message.status()));
  } else if (const auto* offer = std::get_if<v1::Offer>(&*message)) {
    REQUIRE(judge.has_offer());
    REQUIRE(offer->SerializeAsString() == judge.offer().SerializeAsString());
  } else {
    REQUIRE(judge.has_chunk());
    // Moved, as it is from thread to thread: `data` must still point into what it owns.
    const cloud::ChunkRequest chunk = std::move(std::get<cloud::ChunkRequest>(*message));
    if (chunk.parsed == nullptr) ++fuzz::accepted;
    REQUIRE(chunk.lease == judge.chunk().lease());
    REQUIRE(chunk.object == judge.chunk().object());
    REQUIRE(chunk.offset == judge.chunk().offset());
    REQUIRE(chunk.xxh3 == judge.chunk().xxh3());
    REQUIRE(chunk.more_follows == judge.chunk().more_follows());
    REQUIRE(chunk.size == judge.chunk().data().size());
    REQUIRE(fuzz::DataOf(chunk) == judge.chunk().data());
  }
  return 0;
}
