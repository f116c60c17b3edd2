// A kill at each step of choosing: nothing half-named, and the next attempt chooses the same as one
// that wasn't killed.
#include <gmock/gmock.h>

#include <fstream>
#include <regex>
#include <set>

#include "tests/cloud/curate/curate_testing.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"

namespace gleaner::cloud {
namespace {

constexpr const char* kSteps[] = {"curate.pool_read", "curate.chosen"};

TEST(CurateCrash, AtAnyStepOfChoosingLeavesNothingHalfNamed) {
  const TemporaryFolder folder;
  std::string expected;
  {
    CurateRig rig(folder / "");
    for (uint64_t clip = 1; clip <= 5; ++clip) rig.AddClip(clip, 6);
    const auto whole = rig.Select(CurateRig::Request("whole"));
    ASSERT_TRUE(whole.ok()) << whole.status();
    for (const v1::SelectionPick& pick : whole->picks()) expected += pick.ShortDebugString() + "\n";
  }
  for (const char* step : kSteps) {
    const std::string name = fmt::format("s{}", std::string(step).size());
    {
      CurateRig rig(folder / "");
      ASSERT_TRUE(rig.Ask(CurateRig::Request(name)).ok());
    }
    const auto [status, said] = Shell(fmt::format(
        "GLEANER_CRASH_AT={} {}/curate_crash_child {} 2>&1", step, BinDir(), folder / ""));
    ASSERT_EQ(status, 137) << step << said;
    CurateRig rig(folder / "");
    EXPECT_TRUE(absl::IsNotFound(rig.Get(name).status())) << step;
    ASSERT_TRUE(rig.Work().ok()) << step;
    const auto made = rig.Get(name);
    ASSERT_TRUE(made.ok()) << made.status();
    std::string got;
    for (const v1::SelectionPick& pick : made->picks()) got += pick.ShortDebugString() + "\n";
    EXPECT_EQ(got, expected) << step;
  }
}

TEST(CurateCrashPoints, AreAllTested) {
  std::set<std::string> in_source;
  const std::regex point("GLEANER_CRASH_POINT\\(\"([^\"]+)\"\\)");
  for (const auto& file : std::filesystem::directory_iterator(SourceDir() + "/cloud/curate")) {
    if (file.path().extension() != ".cpp") continue;
    std::ifstream in(file.path());
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    for (std::sregex_iterator it(text.begin(), text.end(), point), end; it != end; ++it) {
      in_source.insert((*it)[1]);
    }
  }
  EXPECT_EQ(in_source, std::set<std::string>(std::begin(kSteps), std::end(kSteps)));
}

}  // namespace
}  // namespace gleaner::cloud
