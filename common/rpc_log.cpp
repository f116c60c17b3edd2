#include "common/rpc_log.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/log.h"
#include "common/log_throttle.h"

namespace gleaner {
namespace {

RpcLogWords in_words = nullptr;

// `kind`: see LogThrottle.
void Say(spdlog::level::level_enum level, std::string_view kind, std::string_view message) {
  if (!spdlog::should_log(level)) return;
  // Never destroyed: the libraries' threads may speak until the process ends.
  static auto& throttle = *new LogThrottle(RealClock());
  if (const auto more = throttle.Admit(kind)) spdlog::log(level, "{}{}", message, *more);
}

void Say(std::string_view library, spdlog::level::level_enum level, const char* file, int line,
         std::string_view message) {
  Say(level, fmt::format("{}:{}", file, line), fmt::format("{}: {}", library, message));
}

// An error to gRPC is most often one of its peer's.
void FromGrpc(gpr_log_func_args* said) {
  auto level =
      said->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn : spdlog::level::debug;
  if (const auto words = in_words == nullptr ? std::nullopt : in_words(said->message)) {
    if (!words->empty()) return Say(level, *words, *words);
    level = spdlog::level::debug;
  }
  Say("grpc", level, said->file, said->line, said->message);
}

void FromProtobuf(google::protobuf::LogLevel level, const char* file, int line,
                  const std::string& message) {
  switch (level) {
    case google::protobuf::LOGLEVEL_INFO:
      return Say("protobuf", spdlog::level::debug, file, line, message);
    case google::protobuf::LOGLEVEL_FATAL:  // the library ends the process after this
      return Say("protobuf", spdlog::level::err, file, line, message);
    default:
      return Say("protobuf", spdlog::level::warn, file, line, message);
  }
}

}  // namespace

void RouteRpcLogs(RpcLogWords words) {
  in_words = words;
  gpr_set_log_function(FromGrpc);
  google::protobuf::SetLogHandler(FromProtobuf);
}

}  // namespace gleaner
