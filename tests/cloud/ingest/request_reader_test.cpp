#include "cloud/ingest/request_reader.h"

#include <gtest/gtest.h>

#include <random>

namespace gleaner::cloud {
namespace {

// As gRPC hands a message over: in pieces of any size.
grpc::ByteBuffer Cut(const std::string& bytes, std::mt19937_64& random) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min<size_t>(bytes.size() - at, 1 + random() % 40);
    slices.emplace_back(bytes.data() + at, size);
    at += size;
  }
  return {slices.data(), slices.size()};
}

std::string Data(const ChunkRequest& chunk) {
  std::string data;
  for (const iovec& part : chunk.data) {
    data.append(static_cast<const char*>(part.iov_base), part.iov_len);
  }
  return data;
}

TEST(RequestReader, ReadsWhatProtobufWritesWithoutCopyingThePayload) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    v1::UploadRequest request;
    v1::Chunk* chunk = request.mutable_chunk();
    // Zero is a field that isn't there.
    if (random() % 4 != 0) chunk->set_lease(random() >> random() % 64);
    if (random() % 4 != 0) chunk->set_object(static_cast<uint32_t>(random() >> random() % 64));
    if (random() % 4 != 0) chunk->set_offset(random() >> random() % 64);
    if (random() % 4 != 0) chunk->set_xxh3(random());
    chunk->set_more_follows(random() % 2 == 0);
    chunk->set_data(std::string(1 + random() % 500, static_cast<char>(random())));
    const auto message = ReadUploadMessage(Cut(request.SerializeAsString(), random));
    ASSERT_TRUE(message.ok());
    const auto& read = std::get<ChunkRequest>(*message);
    EXPECT_EQ(read.parsed, nullptr);
    EXPECT_EQ(read.lease, chunk->lease());
    EXPECT_EQ(read.object, chunk->object());
    EXPECT_EQ(read.offset, chunk->offset());
    EXPECT_EQ(read.xxh3, chunk->xxh3());
    EXPECT_EQ(read.more_follows, chunk->more_follows());
    EXPECT_EQ(read.size, chunk->data().size());
    EXPECT_EQ(Data(read), chunk->data());
  }
}

TEST(RequestReader, ReadsFieldsInAnyOtherOrderToo) {
  std::mt19937_64 random(2);
  v1::Chunk head, tail;
  head.set_data("payload");
  tail.set_lease(7);
  tail.set_offset(99);
  const std::string inner = head.SerializeAsString() + tail.SerializeAsString();
  const std::string bytes = std::string("\x12", 1) + static_cast<char>(inner.size()) + inner;
  const auto message = ReadUploadMessage(Cut(bytes, random));
  ASSERT_TRUE(message.ok());
  const auto& read = std::get<ChunkRequest>(*message);
  EXPECT_EQ(read.lease, 7u);
  EXPECT_EQ(read.offset, 99u);
  EXPECT_EQ(Data(read), "payload");
}

TEST(RequestReader, RefusesWhatIsNoRequest) {
  std::mt19937_64 random(3);
  for (const std::string& bytes :
       {std::string("\xff\xff"), std::string(), std::string("\x12\x05", 2)}) {
    EXPECT_FALSE(ReadUploadMessage(Cut(bytes, random)).ok());
  }
}

// Whatever the bytes, protobuf's own parser is the judge.
TEST(RequestReader, AgreesWithProtobufOnDamagedMessages) {
  std::mt19937_64 random(4);
  v1::UploadRequest request;
  request.mutable_chunk()->set_lease(300);
  request.mutable_chunk()->set_object(1);
  request.mutable_chunk()->set_offset(262144);
  request.mutable_chunk()->set_xxh3(42);
  request.mutable_chunk()->set_data("0123456789");
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = request.SerializeAsString();
    for (uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    v1::UploadRequest judge;
    const bool parses = judge.ParseFromString(bytes);
    const auto message = ReadUploadMessage(Cut(bytes, random));
    if (!message.ok()) {
      EXPECT_TRUE(!parses || judge.message_case() == v1::UploadRequest::MESSAGE_NOT_SET);
    } else if (std::holds_alternative<ChunkRequest>(*message)) {
      ASSERT_TRUE(parses && judge.has_chunk());
      const auto& read = std::get<ChunkRequest>(*message);
      EXPECT_EQ(read.lease, judge.chunk().lease());
      EXPECT_EQ(read.object, judge.chunk().object());
      EXPECT_EQ(read.offset, judge.chunk().offset());
      EXPECT_EQ(Data(read), judge.chunk().data());
    }
  }
}

}  // namespace
}  // namespace gleaner::cloud
