// catalog_writer FILE after|before: commits clip after clip, from several threads, and writes each
// number to standard output after its commit, or before as a negative control. Its test kills it.
#include <unistd.h>

#include <atomic>
#include <string_view>
#include <thread>
#include <vector>

#include "common/log.h"
#include "tests/cloud/catalog/catalog_testing.h"

int main(int argc, char** argv) {
  using namespace gleaner;
  using namespace gleaner::cloud;
  if (argc != 3) return 2;
  const bool before = std::string_view(argv[2]) == "before";
  if (!InitLogging("catalog_writer", "warn").ok()) return 2;
  auto catalog = OpenTestCatalog(argv[1]);
  if (!catalog.ok()) return 3;
  std::atomic<uint64_t> next{1};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (;;) {
        const uint64_t sequence = next++;
        const std::string line = fmt::format("{}\n", sequence);
        const auto announce = [&] {
          if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) ::_exit(5);
        };
        if (before) announce();
        if (!CommitTestClip(**catalog, MakeTestClip({.sequence = sequence})).ok()) ::_exit(4);
        if (!before) announce();
      }
    });
  }
}
