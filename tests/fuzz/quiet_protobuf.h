// Include where protobuf parses: it would write a line to stderr for every string that isn't UTF-8.
#pragma once

#include <google/protobuf/stubs/logging.h>

namespace gleaner::fuzz {
inline google::protobuf::LogHandler* const kLoud = google::protobuf::SetLogHandler(nullptr);
}  // namespace gleaner::fuzz
