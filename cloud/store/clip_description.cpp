#include "cloud/store/clip_description.h"

#include <openssl/crypto.h>

#include "common/digest.h"
#include "gleaner/v1/store.pb.h"

namespace gleaner::cloud {
namespace {

constexpr std::string_view kMagic = "GLNRCLP1";
constexpr size_t kLengthBytes = 4;

std::string Authenticate(std::string_view body, std::string_view store_id) {
  return std::string(AsBytes(HmacSha256(store_id, body)));
}

}  // namespace

std::string Seal(const ClipDescription& clip, std::string_view store_id) {
  v1::ClipDescription described;
  described.set_manifest(std::string(clip.manifest));
  // Never 0, which would not be written and be shorter.
  described.set_committed_unix_ns(
      clip.committed_unix_ns > 0 ? static_cast<uint64_t>(clip.committed_unix_ns) : 1);
  for (const ObjectKey& key : clip.objects) described.add_object(key);
  const std::string body = described.SerializeAsString();
  std::string bytes(kMagic);
  for (size_t i = 0; i < kLengthBytes; ++i) {
    bytes += static_cast<char>((body.size() >> (8 * i)) & 0xff);
  }
  return bytes + Authenticate(body, store_id) + body;
}

size_t DescriptionBytes(std::string_view bytes) {
  if (bytes.size() < kDescriptionHeadBytes || !bytes.starts_with(kMagic)) return 0;
  size_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<size_t>(static_cast<uint8_t>(bytes[kMagic.size() + i])) << (8 * i);
  }
  return length == 0 || length > kMaxDescriptionBytes - kDescriptionHeadBytes
             ? 0
             : kDescriptionHeadBytes + length;
}

absl::StatusOr<UnsealedDescription> Unseal(std::string_view bytes, std::string_view store_id) {
  const size_t size = DescriptionBytes(bytes);
  if (size == 0 || size != bytes.size()) return absl::DataLossError("it is no clip's description");
  const std::string_view body = bytes.substr(kDescriptionHeadBytes);
  const std::string expected = Authenticate(body, store_id);
  if (::CRYPTO_memcmp(expected.data(), bytes.data() + kMagic.size() + kLengthBytes,
                      expected.size()) != 0) {
    return absl::DataLossError("this store didn't write it, or it is damaged");
  }
  v1::ClipDescription described;
  if (!described.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return absl::DataLossError("it can't be parsed");
  }
  return UnsealedDescription{
      .manifest = std::move(*described.mutable_manifest()),
      .committed_unix_ns = static_cast<int64_t>(described.committed_unix_ns()),
      .objects = {described.object().begin(), described.object().end()}};
}

}  // namespace gleaner::cloud
