// How the programs read their arguments, tell what can't be right in them, and end. Needs CLI11.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace gleaner {

// Exit status of a program that was called wrongly, or whose configuration is wrong.
inline constexpr int kExitUsage = 2;

namespace command_line {

// "a, b or c".
inline std::string OneOf(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  }
  return text;
}

// The command that the arguments came to: the one whose --help tells more.
inline CLI::App& Innermost(CLI::App& app) {
  CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

// "gleaner clips list".
inline std::string NameOf(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return (parent == nullptr ? "" : NameOf(*parent) + " ") + command.get_name();
}

// CLI11 speaks of its own types; this says what was typed and what may be.
inline std::string Sentence(CLI::App& app, const CLI::ParseError& mistake) {
  const CLI::App& command = Innermost(app);
  std::vector<std::string> commands;
  for (const CLI::App* sub : command.get_subcommands({})) commands.push_back(sub->get_name());
  std::string unknown;
  for (const std::string& word : app.remaining(true)) {
    const bool option = word.size() > 1 && word[0] == '-';
    if (unknown.empty() || option) unknown = word;
    if (option) break;
  }
  if (unknown.size() > 1 && unknown[0] == '-') return fmt::format("there is no option {}", unknown);
  if (!unknown.empty() && !commands.empty()) {
    return fmt::format("there is no command \"{}\"; there is {}", unknown, OneOf(commands));
  }
  if (!unknown.empty()) return fmt::format("\"{}\" is one argument too many", unknown);

  std::string text = mistake.what();
  if (mistake.get_name() == "RequiredError") {
    if (text.find("subcommand") != std::string::npos) {
      return fmt::format("say what to do: {}", OneOf(commands));
    }
    if (const size_t end = text.find(" is required"); end != std::string::npos) {
      return fmt::format("{} is missing", text.substr(0, end));
    }
  }
  constexpr std::string_view kUnread = "Could not convert: ";
  if (text.starts_with(kUnread)) {
    text.erase(0, kUnread.size());
    const size_t equals = text.find(" = ");
    if (equals == std::string::npos) return text + " has a value that can't be right";
    return fmt::format("{} can't be \"{}\": it is a whole number, 0 or more",
                       text.substr(0, equals), text.substr(equals + 3));
  }
  return text;
}

}  // namespace command_line

// Parses the arguments; the exit status where that ends the program: 0 after --help or --version,
// kExitUsage after a mistake. The mistake is told to `complain`, or else on standard error; where
// to read on is told on standard error, unless `complain` is there and says no.
inline std::optional<int> ParseCommandLine(
    CLI::App& app, int argc, char** argv,
    const std::function<bool(const std::string& mistake)>& complain = {}) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    if (end.get_exit_code() == 0) {
      app.exit(end);
      return 0;
    }
    const std::string mistake = command_line::Sentence(app, end);
    if (!complain) fmt::print(stderr, "{}: {}\n", app.get_name(), mistake);
    if (!complain || complain(mistake)) {
      fmt::print(stderr, "`{} --help` says how it is used.\n",
                 command_line::NameOf(command_line::Innermost(app)));
    }
    return kExitUsage;
  }
  return std::nullopt;
}

// Runs `body`, which prints to standard output, and returns its exit status; `failed`, and a
// sentence on standard error, if what it printed didn't get out whole, as on a full disk. Where
// SIGPIPE is ignored, a reader that has gone, as in `gleaner devices | head -1`, ends it silently.
inline int WithOutput(const std::string& program, int failed, const std::function<int()>& body) {
  int error = 0;
  try {
    const int status = body();
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
    error = errno;
  } catch (const std::system_error& unwritten) {  // of fmt::print
    error = unwritten.code().value();
  }
  if (error != EPIPE) {
    std::fprintf(stderr, "%s: writing to standard output: %s\n", program.c_str(),
                 std::strerror(error));
  }
  return failed;
}

}  // namespace gleaner
