// The commands of tokens and the audit, against a real server side.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "common/status.h"
#include "tests/cli/commands_testing.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class AccessCommandsTest : public CommandsTest {};

TEST_F(AccessCommandsTest, MakesListsAndRevokesTokens) {
  Start();
  Client local = Connect();
  const std::string root = nlohmann::json::parse(Output([&] {
                             return CreateToken(local, "root", "admin", true);
                           })).at("secret");
  // From here on nobody comes in without one.
  EXPECT_TRUE(absl::IsUnauthenticated(ListTokens(local, false)));
  Client client = Connect(root);
  std::string ann = Output([&] { return CreateToken(client, "ann", "viewer", false); });
  ASSERT_EQ(ann.size(), 65u) << "the secret, alone on its line";
  ann.pop_back();
  EXPECT_THAT(Output([&] { return ListTokens(client, false); }),
              AllOf(HasSubstr("TOKEN  ROLE    MADE"), HasSubstr("ann    viewer"),
                    HasSubstr("never"), Not(HasSubstr(ann))));
  Client anns = Connect(ann);
  EXPECT_EQ(Output([&] { return ShowSummary(anns, true); }).find('{'), 0u);
  const absl::Status refused = CancelJob(anns, 1, false);
  EXPECT_TRUE(absl::IsPermissionDenied(refused));
  EXPECT_THAT(std::string(Message(refused)), HasSubstr("ann is viewer"));
  EXPECT_THAT(Output([&] { return RevokeToken(client, "ann", false); }),
              HasSubstr("ann opens nothing any more."));
  const absl::Status gone = ShowSummary(anns, false);
  EXPECT_THAT(std::string(Message(gone)),
              AllOf(HasSubstr("does not know this token"), HasSubstr("gleaner tokens create"),
                    HasSubstr("standard output")));
  EXPECT_TRUE(absl::IsNotFound(RevokeToken(client, "ann", false)));
  EXPECT_TRUE(absl::IsInvalidArgument(CreateToken(client, "bob", "king", false)));
}

TEST_F(AccessCommandsTest, SaysThatTheFirstTokenClosesTheServerAndTheLastOpensIt) {
  Start();
  Client local = Connect();
  testing::internal::CaptureStderr();
  std::string root = Output([&] { return CreateToken(local, "root", "admin", false); });
  root.pop_back();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("from now on nobody comes in without a token"));
  Client client = Connect(root);
  testing::internal::CaptureStderr();
  Output([&] { return CreateToken(client, "ann", "viewer", false); });
  EXPECT_THAT(testing::internal::GetCapturedStderr(), Not(HasSubstr("from now on")));
  EXPECT_EQ(Output([&] { return RevokeToken(client, "ann", false); }),
            "ann opens nothing any more.\n");
  EXPECT_THAT(Output([&] { return RevokeToken(client, "root", false); }),
              HasSubstr("is an admin again, without a token"));
}

TEST_F(AccessCommandsTest, ShowsWhoChangedWhat) {
  Start("a-token-of-enough-length");
  Client client = Connect("a-token-of-enough-length");
  EXPECT_EQ(Output([&] { return ShowAudit(client, 20, false); }), "Nothing was changed yet.\n");
  for (const char* name : {"ann", "bob", "cleo"}) {
    Output([&] { return CreateToken(client, name, "operator", false); });
  }
  EXPECT_THAT(Output([&] { return ShowAudit(client, 2, false); }),
              AllOf(HasSubstr("WHEN"), HasSubstr("config  admin  AccessService/CreateToken  cleo"),
                    HasSubstr("bob, operator"), Not(HasSubstr("ann"))));
  EXPECT_THAT(Output([&] { return ShowAudit(client, 0, true); }), HasSubstr("\"ann, operator\""));
}

}  // namespace
}  // namespace gleaner::cli
