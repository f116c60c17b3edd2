#include "cloud/access/tokens.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "cloud/access/secret.h"
#include "tests/cloud/access/access_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

class TokensTest : public AccessTest {};

TEST_F(TokensTest, ASecretSaysWhoShowsIt) {
  const std::string root = Create("root"), ann = Create("ann", v1::ROLE_VIEWER);
  EXPECT_EQ(root.size(), 64u);
  EXPECT_NE(root, ann);
  EXPECT_EQ(Shown(tokens_.WhoShows(root)), "root admin");
  EXPECT_EQ(Shown(tokens_.WhoShows(ann)), "ann viewer");
  // The hash is what the database has: it opens nothing.
  for (const std::string& wrong : {std::string(), ann + "0", ann.substr(1), HashOf(ann)}) {
    EXPECT_EQ(Shown(tokens_.WhoShows(wrong)), "nobody") << wrong;
  }
}

TEST_F(TokensTest, ARevokedTokenIsNobodysAtOnceAndItsNameIsFree) {
  Create("root");
  const std::string ann = Create("ann", v1::ROLE_VIEWER);
  const uint64_t changes = tokens_.changes();
  EXPECT_TRUE(absl::IsAlreadyExists(tokens_.Create(root_, "ann", v1::ROLE_ADMIN).status()));
  ASSERT_TRUE(tokens_.Revoke(root_, "ann").ok());
  EXPECT_EQ(Shown(tokens_.WhoShows(ann)), "nobody");
  while (tokens_.changes() == changes) {  // PostgreSQL tells of it a little later
  }
  EXPECT_TRUE(absl::IsNotFound(tokens_.Revoke(root_, "ann").status()));
  EXPECT_EQ(Shown(tokens_.WhoShows(Create("ann", v1::ROLE_OPERATOR))), "ann operator");
  EXPECT_EQ(Shown(tokens_.WhoShows(ann)), "nobody");
  const auto all = tokens_.List({});
  ASSERT_EQ(all->tokens_size(), 3);
  EXPECT_EQ(all->tokens(0).role(), v1::ROLE_OPERATOR);
  EXPECT_EQ(all->tokens(0).revoked_unix_ns(), 0);
  EXPECT_EQ(all->tokens(0).created_by(), "root");
  EXPECT_NE(all->tokens(1).revoked_unix_ns(), 0);
}

TEST_F(TokensTest, TheConfiguredOneIsAnAdminsOfANameOfItsOwn) {
  Tokens tokens(*database_, clock_, "correct-horse-battery-staple");
  EXPECT_EQ(Shown(tokens.WhoShows("correct-horse-battery-staple")), "config admin");
  EXPECT_EQ(Shown(tokens.WhoShows("")), "nobody");
  EXPECT_EQ(Shown(tokens_.WhoShows("")), "nobody");  // without one
  EXPECT_EQ(tokens.CreateFirst().value(), "");
  EXPECT_TRUE(tokens.Create(root_, "ann", v1::ROLE_VIEWER).ok());
  EXPECT_EQ(tokens.List({})->tokens_size(), 1);
}

TEST_F(TokensTest, NamesAndRolesAreWhatTheyShouldBe) {
  for (const char* name : {"", "Ann", "ann smith", "config", "local", "-a"}) {
    const absl::Status wrong = tokens_.Create(root_, name, v1::ROLE_ADMIN).status();
    EXPECT_TRUE(absl::IsInvalidArgument(wrong)) << name << wrong;
  }
  for (const int role : {0, 5, -1, 300}) {
    const absl::Status wrong = tokens_.Create(root_, "ann", static_cast<v1::Role>(role)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(wrong)) << role << wrong;
  }
}

TEST_F(TokensTest, ThereIsAlwaysSomebodyWhoCanMakeAnother) {
  EXPECT_FALSE(tokens_.any());
  const absl::Status too_early = tokens_.Create(root_, "ann", v1::ROLE_OPERATOR).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(too_early));
  EXPECT_THAT(std::string(Message(too_early)), HasSubstr("an admin's token first"));
  Create("root");
  EXPECT_TRUE(tokens_.any());
  Create("ann", v1::ROLE_OPERATOR);
  EXPECT_TRUE(absl::IsFailedPrecondition(tokens_.Revoke(root_, "root").status()));
  EXPECT_TRUE(tokens_.Revoke(root_, "ann").ok());
  EXPECT_TRUE(tokens_.Revoke(root_, "root").ok());
  EXPECT_FALSE(tokens_.any());
}

TEST_F(TokensTest, TheFirstAdminsIsMadeOnce) {
  const std::string first = tokens_.CreateFirst().value();
  EXPECT_EQ(Shown(tokens_.WhoShows(first)), "first-admin admin");
  EXPECT_EQ(tokens_.CreateFirst().value(), "");
  EXPECT_EQ(AuditText(), "the server: AccessService/CreateToken first-admin, admin\n");
}

TEST_F(TokensTest, AFirstOneThatNobodyEverShowedIsNamedWhileThereIsNoOtherAdmins) {
  EXPECT_EQ(tokens_.UnusedFirst().value(), "");
  const std::string first = tokens_.CreateFirst().value();
  Create("ann", v1::ROLE_OPERATOR);
  EXPECT_EQ(tokens_.UnusedFirst().value(), "first-admin");
  EXPECT_EQ(Tokens(*database_, clock_, "correct-horse-battery-staple").UnusedFirst().value(), "");
  Create("root");
  EXPECT_EQ(tokens_.UnusedFirst().value(), "");
  ASSERT_TRUE(tokens_.Revoke(root_, "root").ok());
  EXPECT_EQ(tokens_.UnusedFirst().value(), "first-admin");
  ASSERT_TRUE(tokens_.WhoShows(first).ok());
  EXPECT_EQ(tokens_.UnusedFirst().value(), "");
}

TEST_F(TokensTest, AnAdminsThatPeopleMadeIsNotTheFirstOne) {
  Create("root");
  EXPECT_EQ(tokens_.UnusedFirst().value(), "");
}

TEST_F(TokensTest, TheLastUseIsKnownWithinAMinuteAndCostsAWriteAMinute) {
  const std::string root = Create("root");
  const auto last_used = [&] { return tokens_.List({})->tokens(0).last_used_unix_ns(); };
  EXPECT_EQ(last_used(), 0);
  ASSERT_TRUE(tokens_.WhoShows(root).ok());
  const int64_t first = last_used();
  EXPECT_EQ(first, clock_.WallNs());
  clock_.Advance(59 * kNanosPerSecond);
  ASSERT_TRUE(tokens_.WhoShows(root).ok());
  EXPECT_EQ(last_used(), first);
  clock_.Advance(kNanosPerSecond);
  ASSERT_TRUE(tokens_.WhoShows(root).ok());
  EXPECT_EQ(last_used(), clock_.WallNs());
}

TEST_F(TokensTest, TheListComesInPages) {
  Create("root");
  for (int i = 0; i < 6; ++i) Create(fmt::format("t{}", i), v1::ROLE_VIEWER);
  v1::ListTokensRequest request;
  request.set_page_size(3);
  std::string names;
  do {
    const auto page = tokens_.List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_LE(page->tokens_size(), 3);
    for (const v1::Token& token : page->tokens()) names += token.name() + " ";
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(names, "t5 t4 t3 t2 t1 t0 root ");
  request.set_page_token("what");
  EXPECT_TRUE(absl::IsInvalidArgument(tokens_.List(request).status()));
}

class SessionsTest : public AccessTest {};

TEST_F(SessionsTest, ACookieIsGivenForATokenAndIsNotTheToken) {
  const std::string root = Create("root");
  const std::string cookie = sessions_.Begin(root).value();
  EXPECT_EQ(Shown(sessions_.WhoHas(cookie)), "root admin");
  EXPECT_EQ(Shown(sessions_.WhoHas(root)), "nobody");
  EXPECT_EQ(Shown(tokens_.WhoShows(cookie)), "nobody");
  EXPECT_TRUE(absl::IsUnauthenticated(sessions_.Begin("guess").status()));
  EXPECT_TRUE(absl::IsUnauthenticated(sessions_.Begin(cookie).status()));
}

TEST_F(SessionsTest, ItEndsWithItsTokenWhenItIsClosedAndAfterThirtyDays) {
  const std::string root = Create("root"), ann = Create("ann", v1::ROLE_VIEWER);
  const std::string closed = sessions_.Begin(root).value(), old = sessions_.Begin(root).value(),
                    anns = sessions_.Begin(ann).value();
  const uint64_t changes = tokens_.changes();
  ASSERT_TRUE(sessions_.End(closed).ok());
  // What was opened with it looks again. PostgreSQL tells of it in its own time.
  while (tokens_.changes() == changes) std::this_thread::yield();
  EXPECT_EQ(Shown(sessions_.WhoHas(closed)), "nobody");
  EXPECT_TRUE(sessions_.End(closed).ok());
  ASSERT_TRUE(tokens_.Revoke(root_, "ann").ok());
  EXPECT_EQ(Shown(sessions_.WhoHas(anns)), "nobody");
  EXPECT_EQ(Shown(sessions_.WhoHas(old)), "root admin");
  clock_.Advance(Sessions::kDays * 24 * 3600 * kNanosPerSecond);
  EXPECT_EQ(Shown(sessions_.WhoHas(old)), "nobody");
}

TEST_F(SessionsTest, OfAHundredTheOldestGoes) {
  const std::string root = Create("root");
  const std::string first = sessions_.Begin(root).value();
  clock_.Advance(1);
  const std::string second = sessions_.Begin(root).value();
  for (int i = 0; i < 98; ++i) {
    clock_.Advance(1);
    ASSERT_TRUE(sessions_.Begin(root).ok());
  }
  EXPECT_EQ(Shown(sessions_.WhoHas(first)), "root admin");
  clock_.Advance(1);
  ASSERT_TRUE(sessions_.Begin(root).ok());
  EXPECT_EQ(Shown(sessions_.WhoHas(first)), "nobody");
  EXPECT_EQ(Shown(sessions_.WhoHas(second)), "root admin");
}

}  // namespace
}  // namespace gleaner::cloud
