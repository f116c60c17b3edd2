#include "common/log.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cstdlib>
#include <string>

#include "common/printable.h"

namespace gleaner {
namespace {

// sd-daemon(3): "<6>" at the start of a line is its priority in the journal.
class JournalPriority : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    static constexpr char kPriority[] = {'7', '7', '6', '4', '3', '2', '6'};
    out.push_back('<');
    out.push_back(kPriority[message.level]);
    out.push_back('>');
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JournalPriority>();
  }
};

// In the place of spdlog's own "%v".
class PrintableMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string shown = Printable({message.payload.data(), message.payload.size()});
    out.append(shown.data(), shown.data() + shown.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PrintableMessage>();
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> LogFormatter(bool for_journal) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<JournalPriority>('*').add_flag<PrintableMessage>('v').set_pattern(
      for_journal ? "%*%v" : "%Y-%m-%dT%H:%M:%S.%e%z %n %^%l%$ %v");
  return formatter;
}

absl::Status InitLogging(std::string_view program, std::string_view level) {
  const auto parsed = spdlog::level::from_str(level == "warn" ? "warning" : std::string(level));
  if (parsed == spdlog::level::off && level != "off") {
    return absl::InvalidArgumentError(
        fmt::format("log level \"{}\" is not one of trace, debug, info, warn, error", level));
  }
  const bool for_journal =
      std::getenv("JOURNAL_STREAM") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  auto logger = for_journal ? spdlog::stderr_logger_mt(std::string(program))
                            : spdlog::stderr_color_mt(std::string(program));
  logger->set_formatter(LogFormatter(for_journal));
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_level(parsed);
  return absl::OkStatus();
}

}  // namespace gleaner
