// A SQLite VFS over the default one whose log can be made to fail.
#pragma once

#include <string>

namespace gleaner::edge {

// Registers the VFS (once) and returns its name.
std::string FaultVfs();

// From the `in`-th sync of a write-ahead log on (1: the next), `times` of them fail with an I/O
// error, as a disk's would. 0: none.
void FailLogSyncs(int in, int times);
int FailedLogSyncs();

}  // namespace gleaner::edge
