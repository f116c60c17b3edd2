// A target under libFuzzer, which brings its own main(): `fuzz_filter --seeds=DIR` leaves the
// target's seeds in a folder, as libFuzzer takes them.
#include <fstream>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kFlag = "--seeds=";
  const std::string_view first = *argc > 1 ? (*argv)[1] : "";
  if (!first.starts_with(kFlag)) return 0;
  int number = 0;
  for (const std::string& seed : gleaner::fuzz::Seeds()) {
    std::ofstream(std::string(first.substr(kFlag.size())) + "/seed" + std::to_string(number++),
                  std::ios::binary)
        << seed;
  }
  std::exit(0);  // NOLINT(concurrency-mt-unsafe): nothing else runs yet
}
