// Tokens, sessions and the audit on a database of their own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "cloud/access/access_tables.h"
#include "cloud/access/audit.h"
#include "cloud/access/sessions.h"
#include "common/status.h"
#include "tests/data/temporary_folder.h"
#include "tests/data/test_database.h"

namespace gleaner::cloud {

class AccessTest : public testing::Test {
 protected:
  // Its secret.
  std::string Create(const std::string& name, v1::Role role = v1::ROLE_ADMIN) {
    const auto made = tokens_.Create(root_, name, role);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? made->secret() : "";
  }
  // "ann viewer", or "nobody".
  static std::string Shown(const absl::StatusOr<Principal>& who) {
    if (absl::IsUnauthenticated(who.status())) return "nobody";
    if (!who.ok()) return who.status().ToString();
    return who->name + " " + std::string(RoleWord(who->role));
  }
  // "who: what subject", newest first, a line each.
  std::string AuditText() {
    std::string text;
    const v1::ListAuditResponse audit = ListAudit(*database_, {}).value();
    for (const v1::AuditEntry& entry : audit.entries()) {
      text += entry.who() + ": " + entry.what() + " " + entry.subject() + "\n";
    }
    return text;
  }

  const Principal root_{.name = "root", .role = v1::ROLE_ADMIN};
  TemporaryFolder folder_;
  FakeClock clock_;
  const RoomTables tables_ = AccessTables();
  std::unique_ptr<Database> database_ =
      Database::Open(TestDatabase(folder_ / "access.db"), {&tables_, 1}).value();
  Tokens tokens_{*database_, clock_, ""};
  Sessions sessions_{*database_, clock_, tokens_};
};

}  // namespace gleaner::cloud
