// What is logged while it lives, as the programs write it.
#pragma once

#include <spdlog/sinks/ostream_sink.h>

#include <memory>
#include <sstream>
#include <string>

#include "common/log.h"

namespace gleaner {

class LogLines {
 public:
  explicit LogLines(bool for_journal = false) : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    sink->set_formatter(LogFormatter(for_journal));
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  }
  ~LogLines() { spdlog::set_default_logger(before_); }
  std::string text() const { return text_.str(); }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream text_;
};

}  // namespace gleaner
