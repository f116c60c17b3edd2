// One way to log: spdlog's default logger, to standard error. Under systemd each line carries the
// journal's priority prefix.
//
//   LOG_INFO("clip {} committed, {} bytes", key, size);
//
// A message may quote what came from outside: what could forge a line or drive a terminal is
// written out (see Printable), so that one message is one line. A line that somebody outside can
// cause as often as they like goes through a LogThrottle.
#pragma once

#include <spdlog/formatter.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string_view>

#include "absl/status/status.h"

namespace gleaner {

// `level`: trace, debug, info, warn, error. INVALID_ARGUMENT for anything else.
absl::Status InitLogging(std::string_view program, std::string_view level);

// How lines are written: for the journal, or with time and level for people.
std::unique_ptr<spdlog::formatter> LogFormatter(bool for_journal);

}  // namespace gleaner

#define LOG_DEBUG(...) ::spdlog::debug(__VA_ARGS__)
#define LOG_INFO(...) ::spdlog::info(__VA_ARGS__)
#define LOG_WARN(...) ::spdlog::warn(__VA_ARGS__)
#define LOG_ERROR(...) ::spdlog::error(__VA_ARGS__)
