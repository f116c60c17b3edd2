// What asks a program to end, as a stop token.
#pragma once

#include <stop_token>

namespace gleaner {

// Call once at the start of main(), before any thread exists: blocks the signals in every thread,
// ignores SIGPIPE, and waits for the signals on a thread of its own.
//
// SIGTERM, SIGINT and SIGHUP (unless it was ignored, as nohup does) request the stop. More of them
// change nothing: a supervisor that signals the process and then its group, or a person who presses
// Ctrl-C twice, must not cost what one signal would have kept. SIGQUIT (Ctrl-\) ends the process at
// once with status 131, and what is in hand is lost.
std::stop_token StopOnSignals();

}  // namespace gleaner
