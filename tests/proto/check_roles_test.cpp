// The step of the build that looks whether every rpc says who may call it.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/data/paths.h"
#include "tests/data/shell.h"
#include "tests/data/temporary_folder.h"

namespace gleaner {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CheckRolesTest : public testing::Test {
 protected:
  // What the build would say to this service.
  std::pair<int, std::string> Check(const std::string& service) {
    std::ofstream(folder_ / "toy.proto") << "syntax = \"proto3\";\n"
                                            "package toy;\n"
                                            "import \"gleaner/v1/role.proto\";\n"
                                            "message M {}\n"
                                         << service;
    return Shell("cd " + folder_.path() + " && protoc -I. -I" + SourceDir() +
                 "/proto --include_imports --include_source_info --descriptor_set_out=set "
                 "toy.proto 2>&1 && " +
                 BinDir() + "/proto_check_roles set 2>&1");
  }

  TemporaryFolder folder_;
};

TEST_F(CheckRolesTest, AnRpcThatDeclaresNoRoleFailsTheBuildWithItsLine) {
  const auto [status, said] = Check(
      "service S {\n"
      "  rpc Told(M) returns (M) { option (gleaner.v1.least_role) = ROLE_VIEWER; }\n"
      "  rpc Untold(M) returns (M);\n"
      "  rpc Nothing(M) returns (M) { option (gleaner.v1.least_role) = ROLE_UNSPECIFIED; }\n"
      "}\n");
  EXPECT_EQ(status, 1);
  EXPECT_THAT(said, AllOf(HasSubstr("toy.proto:7:3: rpc toy.S.Untold doesn't say who may call it"),
                          HasSubstr("toy.proto:8:3: rpc toy.S.Nothing "),
                          HasSubstr("option (gleaner.v1.least_role)"), Not(HasSubstr("S.Told"))));
}

TEST_F(CheckRolesTest, AServiceForDevicesSaysSoAndWantsNoRole) {
  EXPECT_EQ(Check("service S {\n  option (gleaner.v1.for_devices) = true;\n"
                  "  rpc Call(M) returns (M);\n}\n"),
            std::pair(0, std::string()));
  const auto [status, said] = Check(
      "service S {\n  option (gleaner.v1.for_devices) = true;\n"
      "  rpc Call(M) returns (M) { option (gleaner.v1.least_role) = ROLE_ADMIN; }\n}\n");
  EXPECT_EQ(status, 1);
  EXPECT_THAT(said, HasSubstr("toy.proto:7:3: rpc toy.S.Call has a least_role"));
}

}  // namespace
}  // namespace gleaner
