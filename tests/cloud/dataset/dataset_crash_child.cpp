// Dies where GLEANER_CRASH_AT says, while it freezes or exports: dataset_crash_child FOLDER
// freeze | export
#include <cstdio>
#include <string>

#include "tests/cloud/dataset/dataset_testing.h"

int main(int, char** argv) {
  using namespace gleaner;         // NOLINT(google-build-using-namespace)
  using namespace gleaner::cloud;  // NOLINT(google-build-using-namespace)
  DatasetRig rig(argv[1]);
  absl::Status status;
  if (std::string(argv[2]) == "freeze") {
    status = rig.Work(kFreezeJob);
  } else {
    status = rig.Work(kExportJob);
  }
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
