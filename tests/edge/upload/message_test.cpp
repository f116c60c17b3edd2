#include "edge/upload/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace gleaner::edge {
namespace {

std::string Bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

TEST(ChunkMessage, IsByteForByteWhatProtobufWouldWrite) {
  const struct {
    uint64_t lease;
    uint32_t object;
    uint64_t offset;
    uint64_t xxh3;
    bool more_follows;
    size_t size;
  } cases[] = {{1, 0, 0, 0x1122334455667788, false, 1},
               {~0ull, 7, 16383ull * kBlockBytes, ~0ull, true, kBlockBytes},
               {300, 2, kBlockBytes, 0, true, 127},
               {1ull << 63, 1, 0, 1, false, 128}};
  for (const auto& each : cases) {
    v1::UploadRequest expected;
    v1::Chunk* chunk = expected.mutable_chunk();
    chunk->set_lease(each.lease);
    chunk->set_object(each.object);
    chunk->set_offset(each.offset);
    chunk->set_xxh3(each.xxh3);
    chunk->set_more_follows(each.more_follows);
    chunk->set_data(std::string(each.size, 'x'));
    const grpc::ByteBuffer message =
        ChunkMessage({each.lease, each.object, each.offset}, each.xxh3, each.more_follows,
                     std::make_unique<std::string>(each.size, 'x'), std::make_shared<BlockPool>());
    EXPECT_EQ(Bytes(message), expected.SerializeAsString());
  }
}

TEST(ChunkMessage, GivesTheBlockBackWhenTheLastSliceIsGone) {
  auto pool = std::make_shared<BlockPool>();
  auto block = std::make_unique<std::string>(kBlockBytes, 'x');
  const std::string* address = block.get();
  {
    const grpc::ByteBuffer message = ChunkMessage({1, 0, 0}, 2, false, std::move(block), pool);
    EXPECT_NE(pool->Take().get(), address);
  }
  EXPECT_EQ(pool->Take().get(), address);
}

TEST(OfferMessage, CarriesTheManifestsBytesAndDigest) {
  StoredClip clip;
  clip.manifest = "any bytes";
  clip.manifest_sha256 = Sha256::Of(clip.manifest);
  v1::UploadRequest request;
  ASSERT_TRUE(request.ParseFromString(Bytes(OfferMessage(clip))));
  EXPECT_EQ(request.offer().manifest(), clip.manifest);
  EXPECT_EQ(request.offer().manifest_sha256(), AsBytes(clip.manifest_sha256));
}

TEST(ParseResponse, RefusesWhatIsNoResponse) {
  const grpc::Slice slice(std::string("\x0a\xff\xff"));
  grpc::ByteBuffer garbage(&slice, 1);
  EXPECT_TRUE(absl::IsInvalidArgument(ParseResponse(&garbage).status()));
}

}  // namespace
}  // namespace gleaner::edge
