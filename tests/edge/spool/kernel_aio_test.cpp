#include "edge/spool/kernel_aio.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <vector>

#include "common/file.h"
#include "tests/edge/spool/spool_testing.h"

namespace gleaner::edge {
namespace {

class KernelAioTest : public ::testing::Test {
 protected:
  using Buffer = std::unique_ptr<uint8_t, decltype(&std::free)>;

  static Buffer Filled(uint8_t value) {
    Buffer buffer(static_cast<uint8_t*>(std::aligned_alloc(kBlockAlignment, kBytes)), &std::free);
    std::fill_n(buffer.get(), kBytes, value);
    return buffer;
  }
  uint8_t ByteAt(uint64_t offset) {
    uint8_t byte = 0;
    EXPECT_EQ(::pread(file_.get(), &byte, 1, static_cast<off_t>(offset)), 1);
    return byte;
  }

  static constexpr size_t kBytes = 64 << 10;
  TempFolder folder_;
  // Not O_DIRECT, so that the test runs on any file system; the kernel then writes at once, and the
  // events come all the same.
  Fd file_ = *OpenFile(folder_.path() + "/file", O_RDWR | O_CREAT);
};

TEST_F(KernelAioTest, EachOfManyWritesAndASyncEndAndAreWaitedForInAnyOrder) {
  KernelAio aio;
  std::vector<Buffer> buffers;
  std::vector<std::unique_ptr<PendingIo>> writes;
  for (uint8_t i = 0; i < 16; ++i) {
    buffers.push_back(Filled(i));
    writes.push_back(aio.StartWrite(file_.get(), "file", i * kBytes, {buffers[i].get(), kBytes}));
    ASSERT_NE(writes[i], nullptr);
  }
  for (size_t i = 16; i > 0; --i) {
    const auto written = writes[i - 1]->Wait();
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_EQ(*written, kBytes);
    EXPECT_TRUE(writes[i - 1]->Ended());
  }
  if (const auto sync = aio.StartSync(file_.get(), "file")) {
    EXPECT_EQ(sync->Wait().value_or(1), 0u);
  }
  for (uint8_t i = 0; i < 16; ++i) EXPECT_EQ(ByteAt(i * kBytes + kBytes - 1), i);
}

TEST_F(KernelAioTest, ThreadsThatWaitTakeEachOthersEvents) {
  KernelAio aio;
  std::vector<std::jthread> threads;
  for (uint8_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      const Buffer buffer = Filled(thread);
      for (uint64_t i = 0; i < 50; ++i) {
        const uint64_t offset = (thread * 50 + i) * kBytes;
        const auto write = aio.StartWrite(file_.get(), "file", offset, {buffer.get(), kBytes});
        ASSERT_NE(write, nullptr);
        EXPECT_EQ(write->Wait().value_or(0), kBytes);
      }
    });
  }
  threads.clear();
  for (uint8_t thread = 0; thread < 4; ++thread) EXPECT_EQ(ByteAt(thread * 50 * kBytes), thread);
}

TEST_F(KernelAioTest, WhatTheKernelDoesNotTakeIsTheCallersToWrite) {
  KernelAio aio;
  const Fd read_only = *OpenFile(folder_.path() + "/file", O_RDONLY);
  const Buffer buffer = Filled(1);
  EXPECT_EQ(aio.StartWrite(read_only.get(), "file", 0, {buffer.get(), kBytes}), nullptr);
}

TEST_F(KernelAioTest, AnErrorOfTheDiskNamesTheFileAndThePlaceWhoeverFindsIt) {
  const std::string path = folder_.path() + "/file";
  const auto file = PosixBlockDevice().Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const Buffer buffer = Filled(1);
  // Beyond the largest file that a file system has. Kernels differ in when they say so.
  const auto result = (*file)->StartWrite(uint64_t{1} << 62, {buffer.get(), kBytes})->Wait();
  EXPECT_FALSE(result.ok());
  EXPECT_NE(result.status().ToString().find("write " + path + " at 4611686018427387904"),
            std::string::npos)
      << result.status();
}

TEST_F(KernelAioTest, AWriteThatIsLetGoHasEnded) {
  KernelAio aio;
  {
    const Buffer buffer = Filled(7);
    aio.StartWrite(file_.get(), "file", 0, {buffer.get(), kBytes});
  }
  EXPECT_EQ(ByteAt(kBytes - 1), 7);
}

}  // namespace
}  // namespace gleaner::edge
