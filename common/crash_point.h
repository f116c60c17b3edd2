// Named places at which a test build dies as if by kill -9: no destructors, no flushes.
//
//   GLEANER_CRASH_POINT("spool.blocks_written");
//
// GLEANER_CRASH_AT=spool.blocks_written:3 in the environment kills the process at the third time it
// comes by. Release builds contain nothing of this. `./dev test crash` walks through every name;
// grep finds them.
#pragma once

#if GLEANER_CRASH_POINTS
namespace gleaner {
void CrashPoint(const char* name);
}
#define GLEANER_CRASH_POINT(name) ::gleaner::CrashPoint(name)
#else
#define GLEANER_CRASH_POINT(name) ((void)0)
#endif
