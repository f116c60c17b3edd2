#include "cloud/access/tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/access/audit.h"
#include "cloud/access/secret.h"
#include "cloud/database/pages.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr char kFirst[] = "first-admin";
// Who made that. No token has a blank in its name.
constexpr char kServer[] = "the server";
constexpr uint64_t kMostInUse = 1'000;
// How exactly the last use is known: it must not cost a write a request.
constexpr int64_t kUseNs = 60 * kNanosPerSecond;

uint64_t CountInUse(Sql& sql, v1::Role least = v1::ROLE_UNSPECIFIED) {
  uint64_t count = 0;
  sql.Query("SELECT COUNT(*) FROM token WHERE revoked_ns = 0 AND role >= :least", In(least),
            Out(count), [] {});
  return count;
}

// Calls `select`, which binds `outs`, and gives the numbers and tokens.
template <typename Select>
std::vector<std::pair<uint64_t, v1::Token>> ReadRows(Select select) {
  std::vector<std::pair<uint64_t, v1::Token>> rows;
  uint64_t number = 0;
  std::string name, created_by;
  int role = 0;
  int64_t created_ns = 0, last_used_ns = 0, revoked_ns = 0;
  select(Out(number, name, role, created_ns, created_by, last_used_ns, revoked_ns), [&] {
    v1::Token& token = rows.emplace_back(number, v1::Token()).second;
    token.set_name(name);
    token.set_role(static_cast<v1::Role>(role));
    token.set_created_unix_ns(created_ns);
    token.set_created_by(created_by);
    token.set_last_used_unix_ns(last_used_ns);
    token.set_revoked_unix_ns(revoked_ns);
  });
  return rows;
}

// The one in use.
std::vector<std::pair<uint64_t, v1::Token>> FindInUse(Sql& sql, const std::string& name) {
  return ReadRows([&](const auto& outs, auto row) {
    sql.Query(
        "SELECT number, name, role, created_ns, created_by, last_used_ns, revoked_ns FROM token "
        "WHERE name = :name AND revoked_ns = 0",
        In(name), outs, row);
  });
}

absl::Status CheckName(const std::string& name) {
  if (!IsName(name)) return absl::InvalidArgumentError(fmt::format("name: {}", NotAName(name)));
  if (name == Tokens::kConfigured || name == Tokens::kLocal) {
    return absl::InvalidArgumentError(
        fmt::format("name: \"{}\" is what the server calls somebody else", name));
  }
  return absl::OkStatus();
}

// The new token's secret goes into *answer.
void Insert(Sql& sql, const Principal& by, const std::string& name, v1::Role role, int64_t now_ns,
            v1::CreateTokenResponse* answer) {
  answer->set_secret(NewSecret());
  v1::Token* token = answer->mutable_token();
  token->set_name(name);
  token->set_role(role);
  token->set_created_unix_ns(now_ns);
  token->set_created_by(by.name);
  sql.Run(
      "INSERT INTO token (name, role, secret, created_ns, created_by, last_used_ns, revoked_ns) "
      "VALUES (:name, :role, :secret, :created, :by, 0, 0)",
      In(name, role, HashOf(answer->secret()), now_ns, by.name));
  WriteAudit(sql, by, "AccessService/CreateToken", fmt::format("{}, {}", name, RoleWord(role)),
             now_ns);
  sql.Announce(kTokensChanged, name);
}

}  // namespace

Tokens::Tokens(Database& database, Clock& clock, std::string_view configured)
    : database_(database),
      clock_(clock),
      configured_(configured.empty() ? "" : HashOf(configured)),
      changes_(std::make_shared<std::atomic<uint64_t>>(0)) {
  database_.Listen(std::string(kTokensChanged),
                   [changes = changes_](const std::string&) { ++*changes; });
}

absl::StatusOr<Principal> Tokens::WhoShows(std::string_view secret) {
  return HolderOf(HashOf(secret));
}

absl::StatusOr<Principal> Tokens::HolderOf(const std::string& hash) {
  // Hashes may be compared in any time: how one begins says nothing of how its secret does.
  if (!configured_.empty() && hash == configured_) {
    return Principal{.name = kConfigured, .role = v1::ROLE_ADMIN};
  }
  uint64_t number = 0;
  Principal holder;
  int64_t last_used_ns = 0;
  RETURN_IF_ERROR(database_.Read([&](Sql& sql) -> absl::Status {
    const bool found = sql.Query(
        "SELECT number, name, role, last_used_ns FROM token WHERE secret = :secret AND revoked_ns "
        "= 0",
        In(hash), Out(number, holder.name, holder.role, last_used_ns), [] {});
    return found ? absl::OkStatus() : absl::UnauthenticatedError("this token is nobody's");
  }));
  const int64_t now_ns = clock_.WallNs();
  if (now_ns - last_used_ns >= kUseNs) {
    // Whether that works or not: it is for people to look at, and keeps nobody out.
    (void)database_.Write([&](Sql& sql) {
      sql.Run("UPDATE token SET last_used_ns = :now WHERE number = :number", In(now_ns, number));
      return absl::OkStatus();
    });
  }
  return holder;
}

bool Tokens::any() {
  if (!configured_.empty()) return true;
  const auto count = database_.Read([](Sql& sql) -> absl::StatusOr<bool> {
    uint64_t number = 0;
    return sql.Query("SELECT number FROM token WHERE revoked_ns = 0 LIMIT 1", In(), Out(number),
                     [] {});
  });
  if (count.ok()) any_ = *count;
  return any_;
}

absl::StatusOr<v1::CreateTokenResponse> Tokens::Create(const Principal& by, const std::string& name,
                                                       v1::Role role) {
  RETURN_IF_ERROR(CheckName(name));
  if (!v1::Role_IsValid(role) || role == v1::ROLE_UNSPECIFIED) {
    return absl::InvalidArgumentError("role: viewer, annotator, operator or admin");
  }
  v1::CreateTokenResponse answer;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    if (!FindInUse(sql, name).empty()) {
      return absl::AlreadyExistsError(
          fmt::format("there is a token called \"{}\": revoke that first", name));
    }
    if (CountInUse(sql) >= kMostInUse) {
      return absl::FailedPreconditionError(
          fmt::format("{} tokens are in use, and more there can't be: revoke some", kMostInUse));
    }
    if (role != v1::ROLE_ADMIN && configured_.empty() && CountInUse(sql, v1::ROLE_ADMIN) == 0) {
      return absl::FailedPreconditionError(
          "make an admin's token first: once there is any, nobody comes in without one, and nobody "
          "could make another");
    }
    Insert(sql, by, name, role, clock_.WallNs(), &answer);
    return absl::OkStatus();
  }));
  return answer;
}

absl::StatusOr<v1::Token> Tokens::Revoke(const Principal& by, const std::string& name) {
  RETURN_IF_ERROR(CheckName(name));
  v1::Token token;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    auto found = FindInUse(sql, name);
    if (found.empty()) {
      return absl::NotFoundError(fmt::format("no token called \"{}\" is in use", name));
    }
    token = std::move(found[0].second);
    if (token.role() == v1::ROLE_ADMIN && configured_.empty() &&
        CountInUse(sql, v1::ROLE_ADMIN) == 1 && CountInUse(sql) > 1) {
      return absl::FailedPreconditionError(
          fmt::format("\"{}\" is the last admin's token while there are others: make another "
                      "admin's first, or revoke those",
                      name));
    }
    token.set_revoked_unix_ns(clock_.WallNs());
    sql.Run("UPDATE token SET revoked_ns = :now WHERE number = :number",
            In(token.revoked_unix_ns(), found[0].first));
    WriteAudit(sql, by, "AccessService/RevokeToken", name, token.revoked_unix_ns());
    sql.Announce(kTokensChanged, name);
    return absl::OkStatus();
  }));
  return token;
}

absl::StatusOr<v1::ListTokensResponse> Tokens::List(const v1::ListTokensRequest& request) {
  ASSIGN_OR_RETURN(const int64_t before, PageBefore(request.page_token()));
  const uint32_t wanted = PageSize(request.page_size());
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListTokensResponse> {
    v1::ListTokensResponse response;
    auto rows = ReadRows([&](const auto& outs, auto row) {
      sql.Query(
          "SELECT number, name, role, created_ns, created_by, last_used_ns, revoked_ns FROM token "
          "WHERE number < :before ORDER BY number DESC LIMIT :limit",
          In(before, wanted + 1), outs, row);
    });
    if (rows.size() > wanted) {
      rows.pop_back();
      response.set_next_page_token(std::to_string(rows.back().first));
    }
    for (auto& row : rows) *response.add_tokens() = std::move(row.second);
    return response;
  });
}

absl::StatusOr<std::string> Tokens::CreateFirst() {
  if (!configured_.empty()) return "";
  v1::CreateTokenResponse answer;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    answer.Clear();
    if (CountInUse(sql, v1::ROLE_ADMIN) > 0) return absl::OkStatus();
    const Principal server{.name = kServer, .role = v1::ROLE_ADMIN};
    // A viewer's may have its name.
    std::string name = kFirst;
    for (int i = 2; !FindInUse(sql, name).empty(); ++i) name = fmt::format("{}-{}", kFirst, i);
    Insert(sql, server, name, v1::ROLE_ADMIN, clock_.WallNs(), &answer);
    return absl::OkStatus();
  }));
  return answer.secret();
}

absl::StatusOr<std::string> Tokens::UnusedFirst() {
  if (!configured_.empty()) return "";
  return database_.Read([](Sql& sql) -> absl::StatusOr<std::string> {
    const auto admins = ReadRows([&](const auto& outs, auto row) {
      sql.Query(
          "SELECT number, name, role, created_ns, created_by, last_used_ns, revoked_ns FROM token "
          "WHERE revoked_ns = 0 AND role >= :admin LIMIT 2",
          In(v1::ROLE_ADMIN), outs, row);
    });
    if (admins.size() != 1) return "";
    const v1::Token& only = admins[0].second;
    return only.created_by() == kServer && only.last_used_unix_ns() == 0 ? only.name() : "";
  });
}

}  // namespace gleaner::cloud
