// Disks that fail, and disks that are full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libaio.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/limits.h"
#include "common/log.h"
#include "edge/spool/fsck.h"
#include "tests/edge/spool/fault_device.h"
#include "tests/edge/spool/fault_vfs.h"
#include "tests/edge/spool/spool_testing.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;
const absl::Status kEio = absl::UnknownError("write: Input/output error");

class Faults : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Spool>> TryOpen() {
    return SpoolInternals::Open(options_, clock_, kTestBoot, {.device = &device_});
  }
  std::unique_ptr<Spool> Open() {
    auto spool = TryOpen();
    EXPECT_TRUE(spool.ok()) << spool.status();
    return spool.ok() ? *std::move(spool) : nullptr;
  }

  TempFolder folder_;
  FakeClock clock_;
  FaultDevice device_;
  SpoolOptions options_{.directory = folder_.path() + "/spool", .quota_bytes = 4 * kMiB};
};

TEST_F(Faults, AFailedWriteFailsItsClipAndTheFileIsOpenedAnew) {
  const auto spool = Open();
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}).ok());
  device_.Set({.write_in = 3, .write_error = kEio});
  const auto failed = AddTestClip(*spool, {kMiB});
  EXPECT_THAT(failed.status().ToString(), HasSubstr("Input/output error"));
  EXPECT_EQ(spool->stats().used_bytes, kMiB);  // its blocks are free again
  EXPECT_THAT(spool->Ledger()->boots(0).tombstones(0).reason(), HasSubstr("Input/output error"));
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}).ok());
  EXPECT_EQ(device_.opens(), 2);
  EXPECT_EQ(device_.syncs_after_error(), 0);
  EXPECT_EQ(*ReadObject(*spool, **spool->Next({}), 0), TestBytes(1, 0, kMiB));
}

TEST_F(Faults, AFailedSyncFailsEveryClipThatWasBeingWrittenAndNoneThatWasDurable) {
  const auto spool = Open();
  const std::string bytes = TestBytes(1, 0, kMiB);
  const std::span<const uint8_t> data(reinterpret_cast<const uint8_t*>(bytes.data()), kMiB);
  const ClipKey durable = *spool->TakeNumber("motion", 5);
  auto durable_writer = *spool->NewClip(durable);
  std::vector<std::unique_ptr<ObjectWriter>> durable_objects;
  durable_objects.push_back(durable_writer->NewObject());
  ASSERT_TRUE(durable_objects[0]->Append(data).ok());
  ASSERT_TRUE(durable_objects[0]->Finish().ok());
  const ClipKey bystander = *spool->TakeNumber("motion", 5);
  auto writer = *spool->NewClip(bystander);
  auto object = writer->NewObject();
  ASSERT_TRUE(object->Append(data).ok());
  device_.Set({.sync_in = 1, .sync_error = kEio});
  EXPECT_FALSE(AddTestClip(*spool, {kMiB}).ok());
  // Its blocks were written before the failure; whether they are on the disk nobody can say any
  // more.
  EXPECT_TRUE(absl::IsDataLoss(object->Finish()));
  EXPECT_TRUE(absl::IsDataLoss(object->Append(data)));
  object.reset();
  ASSERT_TRUE(spool->Fail(bystander, "the disk failed").ok());
  EXPECT_EQ(spool->stats().used_bytes, kMiB);

  ASSERT_TRUE(durable_writer->Commit("manifest", std::move(durable_objects)).ok());
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}).ok());
  EXPECT_EQ(device_.syncs_after_error(), 0);
  EXPECT_EQ(*ReadObject(*spool, **spool->Next({}), 0), bytes);
}

TEST_F(Faults, AFileThatCannotBeOpenedAnewIsTriedAgainForTheNextClip) {
  const auto spool = Open();
  device_.Set({.write_in = 1, .write_error = kEio, .open_error = kEio});
  EXPECT_FALSE(AddTestClip(*spool, {kMiB}).ok());
  EXPECT_FALSE(AddTestClip(*spool, {kMiB}).ok());
  EXPECT_TRUE(AddTestClip(*spool, {100}).ok());  // needs no block
  device_.Set({});
  EXPECT_TRUE(AddTestClip(*spool, {kMiB}).ok());
  EXPECT_EQ(spool->stats().failed_total, 2u);
}

TEST_F(Faults, AShortWriteIsContinued) {
  const auto spool = Open();
  device_.Set({.write_in = 2, .short_write_bytes = 100'000});  // ends between two sectors
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}).ok());
  EXPECT_EQ(*ReadObject(*spool, **spool->Next({}), 0), TestBytes(1, 0, kMiB));
}

// From now on io_setup(2) fails on this thread, and on threads that it starts.
void TakeAioAway() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(code), .filter = code};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
  io_context_t context = nullptr;
  ASSERT_EQ(::io_setup(1, &context), -ENOSYS);
}

TEST_F(Faults, AKernelWithoutAsynchronousWritesIsGoodEnough) {
  std::thread([&] {
    ASSERT_NO_FATAL_FAILURE(TakeAioAway());
    const auto spool = Open();
    ASSERT_TRUE(AddTestClip(*spool, {kMiB}).ok());
    EXPECT_EQ(*ReadObject(*spool, **spool->Next({}), 0), TestBytes(1, 0, kMiB));
  }).join();
}

TEST_F(Faults, AFailedReadIsAnErrorOfThatReadAlone) {
  const auto spool = Open();
  ASSERT_TRUE(AddTestClip(*spool, {kMiB}).ok());
  const auto clip = **spool->Next({});
  std::string block;
  device_.Set({.read_in = 1, .read_error = kEio});
  EXPECT_FALSE(spool->ReadBlock(clip, 0, 0, &block).ok());
  EXPECT_TRUE(spool->ReadBlock(clip, 0, 0, &block).ok());
  EXPECT_EQ(device_.opens(), 1);
}

TEST_F(Faults, AQuotaThatTheDiskCannotHoldIsRefusedAtFirstAndKeptAsItWasLater) {
  const absl::Status full = absl::ResourceExhaustedError("reserve: No space left on device");
  device_.Set({.resize_error = full});
  const auto refused = TryOpen();
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  EXPECT_THAT(refused.status().ToString(), HasSubstr("quota can't be reserved"));
  device_.Set({});
  ASSERT_TRUE(AddTestClip(*Open(), {kMiB}).ok());
  device_.Set({.resize_error = full});
  options_.quota_bytes = 8 * kMiB;
  const auto spool = Open();
  EXPECT_EQ(spool->stats().quota_bytes, 4 * kMiB);
  EXPECT_EQ(spool->stats().pending_clips, 1u);
}

class LedgerFaults : public ::testing::Test {
 protected:
  ~LedgerFaults() override { FailLogSyncs(0, 0); }
  std::unique_ptr<Spool> Open() {
    auto spool = SpoolInternals::Open(options_, clock_, kTestBoot, {.vfs = FaultVfs()});
    EXPECT_TRUE(spool.ok()) << spool.status();
    return spool.ok() ? *std::move(spool) : nullptr;
  }
  TempFolder folder_;
  FakeClock clock_;
  SpoolOptions options_{.directory = folder_.path() + "/spool", .quota_bytes = 4 * kMiB};
};

TEST_F(LedgerFaults, AFailedSyncOfTheLogIsRecoveredFromWithoutLossOrDouble) {
  {
    const auto spool = Open();
    for (int in = 1; in <= 2; ++in) {  // of the number, of the clip
      FailLogSyncs(in, 1);
      const auto clip = AddTestClip(*spool, {300'000});
      EXPECT_TRUE(clip.ok()) << clip.status();
      EXPECT_EQ(FailedLogSyncs(), 1);
    }
    FailLogSyncs(1, 1);
    EXPECT_EQ(spool->TakeSuppressed("motion", "paused")->sequence, 3u);
    EXPECT_EQ(spool->stats().suppressed_total, 1u);
    const auto clip = *spool->Next({});
    FailLogSyncs(1, 1);
    EXPECT_TRUE(spool->Release(clip->key, clip->manifest_sha256).ok());
    EXPECT_EQ(spool->stats().committed_total, 1u);
  }
  const auto spool = Open();
  EXPECT_EQ(spool->stats().pending_clips, 1u);
  EXPECT_EQ(*ReadObject(*spool, **spool->Next({}), 0), TestBytes(2, 0, 300'000));
}

TEST_F(LedgerFaults, ALogThatKeepsFailingIsAnErrorUntilTheDiskIsBack) {
  const auto spool = Open();
  ASSERT_TRUE(AddTestClip(*spool, {300'000}).ok());
  FailLogSyncs(1, 1000);
  EXPECT_TRUE(absl::IsUnavailable(spool->TakeNumber("motion", 5).status()));
  EXPECT_TRUE(absl::IsUnavailable(spool->TakeNumber("motion", 5).status()));
  FailLogSyncs(0, 0);
  const auto added = AddTestClip(*spool, {300'000});
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->key.sequence, 2u);  // the number that was never told is given out now
  EXPECT_EQ(spool->stats().pending_clips, 2u);
}

TEST_F(LedgerFaults, TheCountersStayWhatTheyWereWhileTheLedgerCannotBeRead) {
  const auto spool = Open();
  ASSERT_TRUE(spool->Fail(*spool->TakeNumber("motion", 5), "no keyframe").ok());
  EXPECT_EQ(spool->stats().failed_total, 1u);
  FailLogSyncs(1, 1000);
  EXPECT_TRUE(absl::IsUnavailable(spool->TakeNumber("motion", 5).status()));
  std::ostringstream lines;
  const auto logger = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(lines)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(spool->stats().failed_total, 1u);
  spdlog::set_default_logger(logger);
  const std::string text = lines.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  FailLogSyncs(0, 0);
}

TEST_F(LedgerFaults, AClipInDoubtKeepsItsBlocksUntilTheNextStartKnows) {
  {
    const auto spool = Open();
    const ClipKey key = *spool->TakeNumber("motion", 5);
    FailLogSyncs(1, 1000);
    EXPECT_TRUE(absl::IsUnavailable(WriteTestClip(*spool, key, {300'000}).status()));
    FailLogSyncs(0, 0);
    EXPECT_EQ(spool->stats().used_bytes, 2 * kBlockBytes);
    ASSERT_TRUE(AddTestClip(*spool, {3 * kMiB}).ok());
  }
  const auto spool = Open();
  const SpoolStats stats = spool->stats();
  EXPECT_EQ(stats.pending_clips + stats.failed_total, 2u);
  absl::flat_hash_set<ClipKey> seen;
  while (const auto clip = *spool->Next(seen)) {
    seen.insert(clip->key);
    const auto bytes = ReadObject(*spool, *clip, 0);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(*bytes, TestBytes(clip->key.sequence, 0, bytes->size()));
  }
  EXPECT_TRUE(Fsck(options_.directory)->ok());
}

// Runs `body` in a child that sees a file system of `size_bytes` at `mount`: a tmpfs of its own
// where it may mount one, else the folder as it is, with files that can't grow any more once
// `*full` is called. The child's exit status is `body`'s.
int OnSmallDisk(const std::string& mount, uint64_t size_bytes,
                const std::function<int(const std::function<void()>& fill)>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    spdlog::set_level(spdlog::level::off);
    const std::string size = "size=" + std::to_string(size_bytes);
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("tmpfs", mount.c_str(), "tmpfs", 0, size.c_str()) == 0;
    const auto fill = [&] {
      if (mounted) {
        std::ofstream file(mount + "/filler", std::ios::binary);
        const std::string block(4096, 'x');
        while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
      } else {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit largest = {
            8 << 20, 8 << 20};  // the log's reserve: the largest file of the spools below
        ::setrlimit(RLIMIT_FSIZE, &largest);
      }
    };
    ::_exit(body(fill));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(Faults, CleaningUpWorksOnAFullDisk) {
  const SpoolOptions options{.directory = folder_.path() + "/spool", .quota_bytes = 4 * kMiB};
  const int result = OnSmallDisk(folder_.path(), 24 * kMiB, [&](const auto& fill) {
    auto opened = Spool::Open(options, clock_, kTestBoot);
    if (!opened.ok()) return 1;
    Spool& spool = **opened;
    fill();
    // Far more than any slack could hide: evictions, releases, quarantines, acknowledgements, all
    // on a disk without a free byte.
    for (int round = 0; round < 100; ++round) {
      for (int i = 0; i < 3; ++i) {
        if (!AddTestClip(spool, {40'000, 600'000}).ok()) return 2;
      }
      const auto clip = *spool.Next({});
      if (!spool.Release(clip->key, clip->manifest_sha256).ok()) return 3;
      const auto bad = *spool.Next({});
      if (round % 10 == 0 && !spool.Quarantine(bad->key, "refused").ok()) return 4;
      spool.PutBack(bad->key);
      std::vector<ClipKey> keys;
      const auto report = *spool.Ledger();
      for (const auto& stone : report.boots(0).tombstones()) {
        keys.push_back({spool.boot_id(), stone.key().sequence()});
      }
      if (!spool.AcknowledgeTombstones(keys).ok()) return 5;
    }
    return spool.stats().evicted_total > 100 && spool.stats().committed_total == 100 ? 0 : 6;
  });
  EXPECT_EQ(result, 0);
}

TEST_F(Faults, TheDaemonStartsOnAFullDiskAndDrainsIt) {
  const SpoolOptions options{.directory = folder_.path() + "/spool", .quota_bytes = 4 * kMiB};
  const int result = OnSmallDisk(folder_.path(), 24 * kMiB, [&](const auto& fill) {
    {
      auto opened = Spool::Open(options, clock_, kTestBoot);
      for (int i = 0; i < 5; ++i) {
        if (!AddTestClip(**opened, {600'000}).ok()) return 1;
      }
    }
    fill();
    auto opened = Spool::Open(options, clock_, "another boot");
    if (!opened.ok()) return 2;
    Spool& spool = **opened;
    if (!spool.TakeSuppressed("motion", "paused").ok()) return 3;
    while (const auto clip = *spool.Next({})) {
      if (*ReadObject(spool, *clip, 0) != TestBytes(clip->key.sequence, 0, 600'000)) return 4;
      if (!spool.Release(clip->key, clip->manifest_sha256).ok()) return 5;
    }
    return spool.stats().committed_total == 5 ? 0 : 6;
  });
  EXPECT_EQ(result, 0);
}

TEST_F(Faults, ADiskTooSmallForTheQuotaIsSaidAtTheFirstStartAndLeavesNoHalfASpool) {
  const SpoolOptions options{.directory = folder_.path() + "/spool", .quota_bytes = 64 * kMiB};
  const int result = OnSmallDisk(folder_.path(), 24 * kMiB, [&](const auto& fill) {
    struct statvfs disk;
    if (::statvfs(folder_.path().c_str(), &disk) != 0 ||
        disk.f_blocks * disk.f_frsize > 25 * kMiB) {
      fill();
    }
    const auto refused = Spool::Open(options, clock_, kTestBoot);
    if (refused.ok()) return 1;
    return std::filesystem::file_size(BlocksPath(options.directory)) == 0 ? 0 : 2;
  });
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace gleaner::edge
