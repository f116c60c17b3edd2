#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "common/clock.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "gleaner/v1/access.pb.h"

namespace gleaner::cli {
namespace {

struct RoleName {
  const char* word;
  v1::Role role;
};
constexpr RoleName kRoles[] = {{"viewer", v1::ROLE_VIEWER},
                               {"annotator", v1::ROLE_ANNOTATOR},
                               {"operator", v1::ROLE_OPERATOR},
                               {"admin", v1::ROLE_ADMIN}};

std::string WordOf(v1::Role role) {
  for (const RoleName& one : kRoles) {
    if (one.role == role) return one.word;
  }
  return "unknown";
}

absl::StatusOr<v1::Role> RoleOf(const std::string& word) {
  for (const RoleName& one : kRoles) {
    if (word == one.word) return one.role;
  }
  return absl::InvalidArgumentError(
      fmt::format("--role: \"{}\" is none of viewer, annotator, operator, admin", Printable(word)));
}

// Whether whoever asks is an admin, as there is no token at all.
bool IsOpen(Client& client) {
  v1::WhoAmIResponse who;
  return client.Call("AccessService/WhoAmI", v1::WhoAmIRequest(), &who).ok() &&
         who.name() == "local";
}

}  // namespace

absl::Status ListTokens(Client& client, bool json) {
  ASSIGN_OR_RETURN(const v1::ListTokensResponse all,
                   ReadPages(client, "AccessService/ListTokens", v1::ListTokensRequest(),
                             &v1::ListTokensResponse::mutable_tokens));
  if (json) return PrintJsonText(ToJson(all));
  const int64_t now_ns = RealClock().WallNs();
  Table table({{"TOKEN"}, {"ROLE"}, {"MADE"}, {"BY"}, {"LAST USED"}, {"REVOKED"}});
  for (const v1::Token& token : all.tokens()) {
    table.Add({Printable(token.name()), WordOf(token.role()), Ago(token.created_unix_ns(), now_ns),
               Printable(token.created_by()), Ago(token.last_used_unix_ns(), now_ns),
               token.revoked_unix_ns() == 0 ? "" : Ago(token.revoked_unix_ns(), now_ns)});
  }
  if (table.empty()) {
    fmt::print("No tokens.\n");
  } else {
    fmt::print("{}", table.Render());
  }
  return absl::OkStatus();
}

absl::Status CreateToken(Client& client, const std::string& name, const std::string& role,
                         bool json) {
  v1::CreateTokenRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::Role as, RoleOf(role));
  request.set_role(as);
  const bool open = IsOpen(client);
  v1::CreateTokenResponse response;
  RETURN_IF_ERROR(client.Call("AccessService/CreateToken", request, &response));
  if (json) return PrintJsonText(ToJson(response));
  // Alone on standard output, for a script to take.
  fmt::print("{}\n", Printable(response.secret()));
  fmt::print(stderr, "{} is {}. The token is said this once: keep it now.\n", Printable(name),
             WordOf(as));
  if (open) {
    fmt::print(stderr, "It is the first: from now on nobody comes in without a token.\n");
  }
  return absl::OkStatus();
}

absl::Status RevokeToken(Client& client, const std::string& name, bool json) {
  v1::RevokeTokenRequest request;
  request.set_name(name);
  v1::RevokeTokenResponse response;
  RETURN_IF_ERROR(client.Call("AccessService/RevokeToken", request, &response));
  if (json) return PrintJsonText(ToJson(response));
  fmt::print("{} opens nothing any more.\n", Printable(name));
  if (IsOpen(client)) {
    fmt::print(
        "It was the last: whoever reaches this server from its machine is an admin again, without "
        "a token.\n");
  }
  return absl::OkStatus();
}

absl::Status ShowAudit(Client& client, uint32_t limit, bool json) {
  ASSIGN_OR_RETURN(const v1::ListAuditResponse all,
                   ReadPages(client, "AccessService/ListAudit", v1::ListAuditRequest(),
                             &v1::ListAuditResponse::mutable_entries, limit));
  if (json) return PrintJsonText(ToJson(all));
  Table table({{"WHEN"}, {"WHO"}, {"AS"}, {"WHAT"}, {"ON"}});
  for (const v1::AuditEntry& entry : all.entries()) {
    table.Add({LocalTime(entry.unix_ns()), Printable(entry.who()), WordOf(entry.role()),
               Printable(entry.what()), Printable(entry.subject())});
  }
  if (table.empty()) {
    fmt::print("Nothing was changed yet.\n");
  } else {
    fmt::print("{}", table.Render());
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cli
