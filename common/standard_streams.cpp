#include "common/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

namespace gleaner {

void KeepStandardStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // What is opened gets the lowest number that is free, which is this one.
    if (::fcntl(fd, F_GETFD) < 0) (void)!::open("/dev/null", O_RDWR);
  }
}

}  // namespace gleaner
