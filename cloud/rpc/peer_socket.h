// What the kernel knows of a connection's socket, and how one is ended, whoever else has it.
#pragma once

#include <cstdint>

#include "common/file.h"

namespace gleaner::cloud {

// SO_COOKIE: the kernel's name for the socket, which unlike its number is never used again. 0 if
// `fd` is no socket.
uint64_t CookieOf(int fd);

// There are bytes to read, or the peer is gone.
bool HasNews(int fd);

// What has come over the connection and been read by whoever has it. What comes while this is asked
// counts as read. 0 if `fd` is no TCP socket.
uint64_t BytesRead(int fd);

// Gone at once on both sides, and no TIME_WAIT: nothing that matters is on its way.
void Reset(Fd socket);

// The same for a socket that somebody else will close, who is told by an error. Shut down, it would
// still hand over what has come, and hold the peer up instead of telling it.
void Abort(int fd);

}  // namespace gleaner::cloud
