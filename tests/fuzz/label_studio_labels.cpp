// A file that says that Label Studio wrote it.
#include "tests/fuzz/label_file.h"

namespace gleaner::fuzz {

std::vector<std::string> Seeds() { return {}; }

}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gleaner::fuzz::ReadLabels(gleaner::cli::LabelStudioLabels(), gleaner::fuzz::AsText(data, size));
  return 0;
}
