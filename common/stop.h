// SIGTERM and SIGINT as a stop token.
#pragma once

#include <stop_token>

namespace gleaner {

// Call once at the start of main(), before any thread exists: blocks both signals in every thread,
// ignores SIGPIPE, and waits for the signals on a thread of its own. The first signal requests the
// stop; a second one ends the process at once with status 130.
std::stop_token StopOnSignals();

}  // namespace gleaner
