#include "common/standard_streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gleaner {
namespace {

// Ends with 0 if what is opened next is none of the three, and they lead nowhere.
[[noreturn]] void CloseThemAndLook() {
  for (int fd = 0; fd < 3; ++fd) ::close(fd);
  KeepStandardStreams();
  struct stat null, mine;
  bool good = ::stat("/dev/null", &null) == 0;
  for (int fd = 0; fd < 3; ++fd) {
    good = good && ::fstat(fd, &mine) == 0 && mine.st_rdev == null.st_rdev;
  }
  good = good && ::open("/dev/zero", O_RDONLY) > 2;
  ::_exit(good ? 0 : 1);
}

TEST(StandardStreams, AClosedOneIsNoFileThatIsOpenedLater) {
  EXPECT_EXIT(CloseThemAndLook(), testing::ExitedWithCode(0), "");
}

TEST(StandardStreams, AnOpenOneStaysWhatItIs) {
  struct stat before, after;
  ASSERT_EQ(::fstat(STDERR_FILENO, &before), 0);
  KeepStandardStreams();
  ASSERT_EQ(::fstat(STDERR_FILENO, &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

}  // namespace
}  // namespace gleaner
