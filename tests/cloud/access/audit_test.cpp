#include "cloud/access/audit.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "cloud/access/access_service.h"
#include "tests/cloud/access/access_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

class AuditTest : public AccessTest {
 protected:
  absl::Status RunSql(std::string_view statement) {
    return database_->Write([&](Sql& sql) {
      sql.connection().Script(statement);
      return absl::OkStatus();
    });
  }
};

TEST_F(AuditTest, SaysWhoDidWhatWhenAndOnWhatNewestFirst) {
  Create("root");
  clock_.Advance(5);
  const std::string cookie = sessions_.Begin(Create("ann", v1::ROLE_VIEWER)).value();
  ASSERT_TRUE(sessions_.End(cookie).ok());
  ASSERT_TRUE(tokens_.Revoke(root_, "ann").ok());
  EXPECT_EQ(AuditText(),
            "root: AccessService/RevokeToken ann\n"
            "root: AccessService/CreateToken ann, viewer\n"
            "root: AccessService/CreateToken root, admin\n");
  v1::ListAuditRequest request;
  request.set_page_size(2);
  const auto page = ListAudit(*database_, request);
  ASSERT_EQ(page->entries_size(), 2);
  EXPECT_EQ(page->entries(0).unix_ns(), clock_.WallNs());
  EXPECT_EQ(page->entries(1).role(), v1::ROLE_ADMIN);
  request.set_page_token(page->next_page_token());
  EXPECT_EQ(ListAudit(*database_, request)->entries(0).what(), "AccessService/CreateToken");
  request.set_page_token("-");
  EXPECT_TRUE(absl::IsInvalidArgument(ListAudit(*database_, request).status()));
}

TEST_F(AuditTest, NothingThatFailedIsInIt) {
  Create("root");
  const std::string before = AuditText();
  EXPECT_FALSE(tokens_.Create(root_, "root", v1::ROLE_ADMIN).ok());
  EXPECT_FALSE(tokens_.Revoke(root_, "nobody").ok());
  EXPECT_FALSE(sessions_.Begin("guess").ok());
  EXPECT_EQ(AuditText(), before);
}

TEST_F(AuditTest, TheDatabaseItselfChangesAndRemovesNothingOfIt) {
  Create("root");
  const std::string before = AuditText();
  for (const char* statement :
       {"UPDATE audit SET who = 'nobody';", "DELETE FROM audit;",
        "DELETE FROM audit WHERE number = 1;",
        "INSERT INTO audit (number, at_ns, who, role, what, subject) VALUES (1, 0, '', 0, '', '') "
        "ON CONFLICT (number) DO UPDATE SET who = 'nobody';"}) {
    const absl::Status refused = RunSql(statement);
    EXPECT_FALSE(refused.ok()) << statement;
    EXPECT_THAT(std::string(Message(refused)), HasSubstr("rows of audit stay as they are"))
        << statement;
  }
  EXPECT_FALSE(RunSql(OnPostgres() ? "TRUNCATE audit;"
                                   : "INSERT OR REPLACE INTO audit (number, at_ns, who, role, "
                                     "what, subject) VALUES (1, 0, '', 0, '', '');")
                   .ok());
  EXPECT_EQ(AuditText(), before);
  Create("ann");  // and goes on
  EXPECT_THAT(AuditText(), HasSubstr("ann, admin"));
}

// Whoever answers here is reached over a port, as nothing of this is in a server.
class PrincipalTest : public AccessTest {
 protected:
  PrincipalTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~PrincipalTest() override { server_->Shutdown(); }

  // "ann viewer", or the refusal.
  template <typename Prepare>
  std::string WhoAmI(const std::shared_ptr<grpc::Channel>& channel, Prepare prepare) {
    grpc::ClientContext context;
    prepare(context);
    v1::WhoAmIResponse response;
    const grpc::Status status =
        v1::AccessService::NewStub(channel)->WhoAmI(&context, {}, &response);
    if (!status.ok()) return status.error_message();
    return response.name() + " " + std::string(RoleWord(response.role()));
  }

  int port_ = 0;
  AccessService service_{*database_, tokens_};
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(PrincipalTest, CrossesTheProcessAndNothingFromOutsideCounts) {
  const auto inside = server_->InProcessChannel(grpc::ChannelArguments());
  EXPECT_EQ(WhoAmI(inside,
                   [](auto& context) {
                     CallAs({"ann", v1::ROLE_VIEWER}, &context);
                   }),
            "ann viewer");
  const auto outside =
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port_), grpc::InsecureChannelCredentials());
  const std::string nobody = "the call doesn't say in whose name it is made";
  EXPECT_EQ(WhoAmI(outside, [](auto&) {}), nobody);
  for (const std::string& forged : {std::string("\4root"), std::string(32, '\0') + "\4root",
                                    std::string(33, '\4'), std::string(), std::string(4000, 'x')}) {
    EXPECT_EQ(
        WhoAmI(outside,
               [&](auto& context) { context.AddMetadata("x-gleaner-principal-bin", forged); }),
        nobody)
        << forged.size();
  }
  // Said twice, nobody knows which of the two is meant.
  EXPECT_EQ(WhoAmI(inside,
                   [](auto& context) {
                     CallAs({"ann", v1::ROLE_VIEWER}, &context);
                     CallAs({"root", v1::ROLE_ADMIN}, &context);
                   }),
            nobody);
}

TEST_F(PrincipalTest, AChangeInNobodysNameIsNone) {
  const auto channel = server_->InProcessChannel(grpc::ChannelArguments());
  grpc::ClientContext context;
  v1::CreateTokenRequest request;
  request.set_name("ann");
  request.set_role(v1::ROLE_ADMIN);
  v1::CreateTokenResponse response;
  EXPECT_EQ(
      v1::AccessService::NewStub(channel)->CreateToken(&context, request, &response).error_code(),
      grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(AuditText(), "");
  EXPECT_FALSE(tokens_.any());
}

}  // namespace
}  // namespace gleaner::cloud
