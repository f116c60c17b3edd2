// One way to log: spdlog's default logger, to standard error. Under systemd each line carries the
// journal's priority prefix.
//
//   LOG_INFO("clip {} committed, {} bytes", key, size);
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

#include "absl/status/status.h"

namespace gleaner {

// `level`: trace, debug, info, warn, error. INVALID_ARGUMENT for anything else.
absl::Status InitLogging(std::string_view program, std::string_view level);

}  // namespace gleaner

#define LOG_DEBUG(...) ::spdlog::debug(__VA_ARGS__)
#define LOG_INFO(...) ::spdlog::info(__VA_ARGS__)
#define LOG_WARN(...) ::spdlog::warn(__VA_ARGS__)
#define LOG_ERROR(...) ::spdlog::error(__VA_ARGS__)
