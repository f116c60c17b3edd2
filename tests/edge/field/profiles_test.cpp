// Each kind of camera for two minutes.
#include "tests/edge/field/profiles.h"

namespace gleaner::edge {
namespace {

TEST_P(FieldProfiles, TwoMinutesBesideAPlainCamera) { WatchAndCheck(120); }

INSTANTIATE_TEST_SUITE_P(Of, FieldProfiles, ::testing::ValuesIn(Profiles()), ProfileName);

}  // namespace
}  // namespace gleaner::edge
