// How the programs read their arguments, and end when these can't be right. Needs CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

namespace gleaner {

// Exit status of a program that was called wrongly, or whose configuration is wrong.
inline constexpr int kExitUsage = 2;

// Parses the arguments; the exit status where that ends the program: 0 after --help or --version,
// kExitUsage after a mistake. The mistake is told to `complain`, or else on standard error.
inline std::optional<int> ParseCommandLine(
    CLI::App& app, int argc, char** argv,
    const std::function<void(const std::string& mistake)>& complain = {}) {
  app.failure_message([](const CLI::App* program, const CLI::Error& mistake) {
    return program->get_name() + ": " + mistake.what() + "\n`" + program->get_name() +
           " --help` says how it is used.\n";
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    const bool mistake = end.get_exit_code() != 0;
    if (mistake && complain) {
      complain(end.what());
    } else {
      app.exit(end);
    }
    return mistake ? kExitUsage : 0;
  }
  return std::nullopt;
}

}  // namespace gleaner
