// Each kind of camera for ten minutes.
#include "tests/edge/field/profiles.h"

namespace gleaner::edge {
namespace {

class FieldTenMinutes : public FieldProfiles {};

TEST_P(FieldTenMinutes, BesideAPlainCamera) { WatchAndCheck(600); }

INSTANTIATE_TEST_SUITE_P(Of, FieldTenMinutes, ::testing::ValuesIn(Profiles()), ProfileName);

}  // namespace
}  // namespace gleaner::edge
