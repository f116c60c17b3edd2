#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <atomic>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <set>
#include <thread>

#include "common/backoff.h"
#include "common/clip_key.h"
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner {
namespace {

TEST(Digest, MatchesThePublishedVectors) {
  // FIPS 180-4, "abc"; XXH3-64 of the empty input with seed 0, as xxhsum -H3 prints it.
  EXPECT_EQ(Hex(AsBytes(Sha256::Of("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Xxh3(""), 0x2d06800538d394c2u);
}

TEST(Digest, IsTheSameInPiecesAndStartsAnewAfterFinish) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("bc");
  EXPECT_EQ(hash.Finish(), Sha256::Of("abc"));
  hash.Update("abc");
  EXPECT_EQ(hash.Finish(), Sha256::Of("abc"));
}

TEST(Digest, OfPiecesOfMemoryIsThatOfTheWhole) {
  std::string whole(300'000, '\0');
  for (size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<char>(i * 7 / 3);
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{100'001}, whole.size()}) {
    const struct iovec parts[] = {{whole.data(), cut}, {whole.data() + cut, whole.size() - cut}};
    EXPECT_EQ(Xxh3(parts), Xxh3(whole)) << cut;
  }
  const struct iovec one[] = {{whole.data(), whole.size()}};
  EXPECT_EQ(Xxh3(one), Xxh3(whole));
}

TEST(Digest, MovesWithWhatItHasSeen) {
  Sha256 first;
  first.Update("a");
  Sha256 second(std::move(first));
  Sha256 third;
  third = std::move(second);
  third.Update("bc");
  EXPECT_EQ(third.Finish(), Sha256::Of("abc"));
}

#if defined(__x86_64__)
// What the processor says of its own registers (Intel SDM, volume 1, 13.1, XINUSE): the upper
// halves of YMM0 to 15 are in use, or those of ZMM0 to 15.
bool UpperHalvesInUse() {
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
  return (low & (1u << 2 | 1u << 6)) != 0;
}

TEST(Digest, LeavesNoVectorRegisterInAStateThatSlowsSha256) {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__builtin_cpu_supports("avx") || __get_cpuid_count(0xd, 1, &eax, &ebx, &ecx, &edx) == 0 ||
      (eax & 1u << 2) == 0) {
    GTEST_SKIP() << "this processor has no such registers, or doesn't tell";
  }
  asm volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0\n vinsertf128 $1, %%xmm0, %%ymm0, %%ymm0" ::
                   : "xmm0");
  const bool tells = UpperHalvesInUse();
  asm volatile("vzeroupper" ::: "memory");
  if (!tells || UpperHalvesInUse()) GTEST_SKIP() << "this processor doesn't tell";

  const std::string block(1 << 18, 'x');
  Xxh3(block);
  EXPECT_FALSE(UpperHalvesInUse());
  const struct iovec parts[] = {{const_cast<char*>(block.data()), 1'000},
                                {const_cast<char*>(block.data()), 100'000}};
  Xxh3(parts);
  EXPECT_FALSE(UpperHalvesInUse());
}
#endif

#if GLEANER_CRASH_POINTS
TEST(CrashPoint, EndsTheProcessAtItsNameTheTimeThatWasAskedFor) {
  EXPECT_EXIT(
      {
        setenv("GLEANER_CRASH_AT", "commit:2", 1);
        CrashPoint("write");
        CrashPoint("write");
        CrashPoint("commit");
        fputs("once is not enough", stderr);
        CrashPoint("commit");
        exit(0);
      },
      testing::KilledBySignal(SIGKILL), "once is not enough");
  EXPECT_EXIT(
      {
        setenv("GLEANER_CRASH_AT", "commit", 1);
        CrashPoint("commit");
        exit(0);
      },
      testing::KilledBySignal(SIGKILL), "");
}

TEST(CrashPoint, AFaultIsTheOneThatWasAskedFor) {
  EXPECT_EXIT(
      {
        setenv("GLEANER_FAULT", "lie", 1);
        exit(Fault("lie") && !Fault("li") && !Fault("lied") ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}
#endif

TEST(ClipKey, GivesTheSameClipTheSameIdAndAnyOtherAnother) {
  ClipKey key;
  key.boot_id[3] = 7;
  key.sequence = 1;
  const std::string id = ClipId("cart-1", key);
  EXPECT_EQ(id.size(), 20u);
  EXPECT_EQ(ClipId("cart-1", key), id);
  EXPECT_NE(ClipId("cart-2", key), id);
  key.sequence = 256;
  EXPECT_NE(ClipId("cart-1", key), id);
}

TEST(ClipKey, ChangesTheBootIdWithEveryBootAndEverySpool) {
  std::set<BootId> ids = {DeriveBootId("boot-a", "spool-a"), DeriveBootId("boot-b", "spool-a"),
                          DeriveBootId("boot-a", "spool-b")};
  EXPECT_EQ(ids.size(), 3u);
}

TEST(ClipKey, RefusesABootIdOfTheWrongLength) {
  EXPECT_FALSE(BootIdFromBytes("short").ok());
  EXPECT_TRUE(BootIdFromBytes(std::string(16, 'x')).ok());
}

TEST(Backoff, StaysWithinItsGrowingBoundAndForgetsAfterSuccess) {
  Backoff backoff(100, 1000, 42);
  for (int round = 0; round < 100; ++round) {
    backoff.Reset();
    EXPECT_LE(backoff.NextNs(), 100);
    EXPECT_LE(backoff.NextNs(), 200);
    EXPECT_LE(backoff.NextNs(), 400);
    EXPECT_LE(backoff.NextNs(), 800);
    for (int i = 0; i < 100; ++i) EXPECT_LE(backoff.NextNs(), 1000);
  }
}

TEST(Backoff, SpreadsOverTheWholeIntervalSoThatAFleetDoesNotMarchInStep) {
  int64_t low = 1000, high = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const int64_t wait = Backoff(1000, 1000, seed).NextNs();
    low = std::min(low, wait);
    high = std::max(high, wait);
  }
  EXPECT_LT(low, 100);
  EXPECT_GT(high, 900);
}

TEST(FakeClock, WakesASleeperWhenItsTimeComesOrItsStop) {
  FakeClock clock;
  std::atomic<bool> slept_to_the_end = false;
  {
    std::jthread sleeper([&](std::stop_token stop) {
      EXPECT_TRUE(clock.Sleep(stop, kNanosPerSecond));
      slept_to_the_end = true;
    });
    // The sleeper may start after an advance: go on until it is through.
    while (!slept_to_the_end) {
      clock.Advance(kNanosPerSecond);
      std::this_thread::yield();
    }
  }

  std::jthread stopped(
      [&](std::stop_token stop) { EXPECT_FALSE(clock.Sleep(stop, 3600 * kNanosPerSecond)); });
  stopped.request_stop();
}

TEST(FakeClock, StepsWallTimeAlone) {
  FakeClock clock;
  const int64_t monotonic = clock.MonotonicNs(), wall = clock.WallNs();
  clock.StepWall(-kNanosPerSecond);
  EXPECT_EQ(clock.MonotonicNs(), monotonic);
  EXPECT_EQ(clock.WallNs(), wall - kNanosPerSecond);
}

TEST(FakeClock, MovesItselfWhereItIsTold) {
  FakeClock clock;
  const int64_t monotonic = clock.MonotonicNs(), wall = clock.WallNs();
  clock.AutoAdvance(true);
  EXPECT_TRUE(clock.Sleep({}, kNanosPerSecond));
  EXPECT_TRUE(clock.Sleep({}, 0));
  EXPECT_EQ(clock.MonotonicNs(), monotonic + kNanosPerSecond);
  EXPECT_EQ(clock.WallNs(), wall + kNanosPerSecond);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(clock.Sleep(stop.get_token(), kNanosPerSecond));
  clock.SetWallUncertainty(7);
  EXPECT_EQ(clock.WallUncertaintyNs(), 7);
}

TEST(RealClock, TellsTheTimeOfTheMachine) {
  const int64_t before = std::time(nullptr);
  const int64_t wall_s = RealClock().WallNs() / kNanosPerSecond;
  EXPECT_GE(wall_s, before);
  EXPECT_LE(wall_s, std::time(nullptr));
  timespec since_boot{};
  ASSERT_EQ(::clock_gettime(CLOCK_BOOTTIME, &since_boot), 0);
  const int64_t monotonic_ns = RealClock().MonotonicNs();
  EXPECT_GE(monotonic_ns, since_boot.tv_sec * kNanosPerSecond + since_boot.tv_nsec);
  EXPECT_LE(monotonic_ns / kNanosPerSecond - since_boot.tv_sec, 60);
}

TEST(RealClock, MovesForwardAndStopsSleepingWhenAsked) {
  const int64_t before = RealClock().MonotonicNs();
  EXPECT_TRUE(RealClock().Sleep({}, kNanosPerMilli));
  EXPECT_GE(RealClock().MonotonicNs(), before + kNanosPerMilli);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(RealClock().Sleep(stop.get_token(), 3600 * kNanosPerSecond));
}

TEST(File, TellsTheRoomOfADiskForWhatIsYetToBeMade) {
  const auto here = SpaceAt("/dev/shm");
  const auto deeper = SpaceAt("/dev/shm/no/such/folder/as/this");
  ASSERT_TRUE(here.ok() && deeper.ok()) << deeper.status();
  EXPECT_GT(here->total_bytes, 0u);
  EXPECT_LE(here->free_bytes, here->total_bytes);
  EXPECT_EQ(deeper->total_bytes, here->total_bytes);
}

TEST(File, ReplacesAFileWholeAndNamesItInErrors) {
  const std::string directory = testing::TempDir() + "/gleaner_file_test/a/b";
  ASSERT_TRUE(MakeDirectories(directory).ok());
  const std::string path = directory + "/f";
  ASSERT_TRUE(WriteFileDurably(path, "one").ok());
  ASSERT_TRUE(WriteFileDurably(path, "two").ok());
  EXPECT_EQ(*ReadFile(path, 100), "two");
  EXPECT_EQ(ReadFile(path, 2).status().code(), absl::StatusCode::kResourceExhausted);
  const absl::Status missing = ReadFile(directory + "/none", 10).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(missing)), testing::HasSubstr(directory + "/none"));
  EXPECT_NE(::access((path + ".new").c_str(), F_OK), 0);
  EXPECT_EQ(*ReadFile(path, 3), "two") << "as long as it may be";
}

TEST(File, SaysWhyAFileOrFolderCannotBeMade) {
  const std::string directory = testing::TempDir() + "/gleaner_not_made";
  ASSERT_TRUE(MakeDirectories(directory).ok());
  ASSERT_TRUE(MakeDirectories(directory).ok()) << "it is there already";
  const std::string file = directory + "/file";
  ASSERT_TRUE(WriteFileDurably(file, "x").ok());
  EXPECT_EQ(Message(MakeDirectories(file)), file + " is not a directory");
  EXPECT_FALSE(MakeDirectories(file + "/below").ok());
  const absl::Status nowhere = WriteFileDurably(directory + "/none/file", "x");
  EXPECT_TRUE(absl::IsNotFound(nowhere)) << nowhere;
  EXPECT_THAT(std::string(Message(nowhere)), testing::HasSubstr(directory + "/none/file"));
}

TEST(File, TakesAPathThatCountsFromTheFolderOneIsIn) {
  const std::string directory = testing::TempDir() + "/gleaner_relative";
  ASSERT_TRUE(MakeDirectories(directory).ok());
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory);
  EXPECT_TRUE(WriteFileDurably("file", "x").ok());
  EXPECT_TRUE(MakeDirectories("a/b").ok());
  EXPECT_TRUE(SpaceAt("a/b/c").ok());
  std::filesystem::current_path(before);
  EXPECT_EQ(*ReadFile(directory + "/file", 1), "x");
  EXPECT_TRUE(std::filesystem::is_directory(directory + "/a/b"));
}

TEST(File, ReadsASecretOnlyWhereItIsOne) {
  const std::string path = testing::TempDir() + "/gleaner_secret";
  ASSERT_TRUE(WriteFileDurably(path, "hush").ok());
  for (const mode_t mode : {0600, 0400, 0640, 0440}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_EQ(ReadSecret(path, 10).value_or(""), "hush") << mode;
  }
  for (const mode_t mode : {0644, 0604, 0602, 0601, 0660, 0620, 0777}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const absl::Status refused = ReadSecret(path, 10).status();
    EXPECT_TRUE(absl::IsPermissionDenied(refused)) << mode;
    EXPECT_THAT(std::string(Message(refused)), testing::HasSubstr("chmod ")) << mode;
  }
  EXPECT_TRUE(absl::IsNotFound(ReadSecret(path + "-none", 10).status()));
}

TEST(File, TakesTheRightsOfOthersAndLeavesOnesOwn) {
  const std::string path = testing::TempDir() + "/gleaner_private";
  ASSERT_TRUE(WriteFileDurably(path, "x", 0755).ok());
  struct stat info {};
  for (const auto& [before, after] : {std::pair<mode_t, mode_t>{0755, 0700}, {0666, 0600}}) {
    ASSERT_EQ(::chmod(path.c_str(), before), 0);
    ASSERT_TRUE(MakePrivate(path).ok());
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, after);
  }
  EXPECT_TRUE(MakePrivate(path + "-none").ok());
}

TEST(File, ReportsAShortFileAsDataLoss) {
  const std::string path = testing::TempDir() + "/gleaner_short";
  ASSERT_TRUE(WriteFileDurably(path, "abc").ok());
  auto fd = OpenFile(path, O_RDONLY);
  ASSERT_TRUE(fd.ok());
  char buffer[8];
  EXPECT_TRUE(ReadAt(fd->get(), buffer, 3, 0).ok());
  EXPECT_EQ(ReadAt(fd->get(), buffer, 8, 0).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace gleaner
