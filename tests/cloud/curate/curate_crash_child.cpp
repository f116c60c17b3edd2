// Dies where GLEANER_CRASH_AT says, while it chooses: curate_crash_child FOLDER
#include <cstdio>

#include "tests/cloud/curate/curate_testing.h"

int main(int, char** argv) {
  gleaner::cloud::CurateRig rig(argv[1]);
  const absl::Status status = rig.Work();
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
