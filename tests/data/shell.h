// A command of the shell, run to its end.
#pragma once

#include <stdio.h>
#include <sys/wait.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace gleaner {

// Its exit status, 128 and more for a signal, and what it said on standard output.
inline std::pair<int, std::string> Shell(const std::string& command) {
  FILE* tool = ::popen(command.c_str(), "r");
  if (tool == nullptr) throw std::runtime_error("popen " + command);
  std::string said;
  char buffer[4096];
  while (const size_t got = std::fread(buffer, 1, sizeof(buffer), tool)) said.append(buffer, got);
  const int status = ::pclose(tool);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), said};
}

}  // namespace gleaner
