// Named places at which a test build dies as if by kill -9: no destructors, no flushes.
//
//   GLEANER_CRASH_POINT("spool.blocks_written");
//
// GLEANER_CRASH_AT=spool.blocks_written:3 in the environment kills the process at the third time it
// comes by. Release builds contain nothing of this. `./dev test crash` walks through every name;
// grep finds them.
//
// And named mistakes, for negative controls: GLEANER_FAULT("upload.release_when_sent") is true only
// in a test build that was started with GLEANER_FAULT=upload.release_when_sent. A durability test
// shows with one that it can fail.
#pragma once

#if GLEANER_CRASH_POINTS
namespace gleaner {
void CrashPoint(const char* name);
bool Fault(const char* name);
}  // namespace gleaner
#define GLEANER_CRASH_POINT(name) ::gleaner::CrashPoint(name)
#define GLEANER_FAULT(name) ::gleaner::Fault(name)
#else
#define GLEANER_CRASH_POINT(name) ((void)0)
#define GLEANER_FAULT(name) false
#endif
