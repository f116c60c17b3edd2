#include "cloud/access/audit.h"

#include "cloud/database/pages.h"
#include "common/printable.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxSubjectBytes = 500;

}  // namespace

void WriteAudit(Sql& sql, const Principal& who, std::string_view what, std::string_view subject,
                int64_t now_ns) {
  const std::string shown = Printable(subject.substr(0, kMaxSubjectBytes));
  sql.Run(
      "INSERT INTO audit (at_ns, who, role, what, subject) VALUES (:at, :who, :role, :what, "
      ":subject)",
      In(now_ns, who.name, who.role, what, shown));
}

Database::Operation Audited(const grpc::ServerContextBase& context, std::string_view what,
                            std::string subject, Clock& clock) {
  return [who = PrincipalOf(context), what = std::string(what), subject = std::move(subject),
          &clock](Sql& sql) -> absl::Status {
    if (!who.ok()) return who.status();
    WriteAudit(sql, *who, what, subject, clock.WallNs());
    return absl::OkStatus();
  };
}

absl::StatusOr<v1::ListAuditResponse> ListAudit(Database& database,
                                                const v1::ListAuditRequest& request) {
  ASSIGN_OR_RETURN(const int64_t before, PageBefore(request.page_token()));
  const uint32_t wanted = PageSize(request.page_size());
  return database.Read([&](Sql& sql) -> absl::StatusOr<v1::ListAuditResponse> {
    v1::ListAuditResponse response;
    uint64_t number = 0;
    int64_t at_ns = 0;
    int role = 0;
    std::string who, what, subject;
    sql.Query(
        "SELECT number, at_ns, who, role, what, subject FROM audit WHERE number < :before ORDER BY "
        "number DESC LIMIT :limit",
        In(before, wanted + 1), Out(number, at_ns, who, role, what, subject), [&] {
          v1::AuditEntry* entry = response.add_entries();
          entry->set_number(number);
          entry->set_unix_ns(at_ns);
          entry->set_who(who);
          entry->set_role(static_cast<v1::Role>(role));
          entry->set_what(what);
          entry->set_subject(subject);
        });
    if (static_cast<uint32_t>(response.entries_size()) > wanted) {
      response.mutable_entries()->RemoveLast();
      response.set_next_page_token(std::to_string(response.entries().rbegin()->number()));
    }
    return response;
  });
}

}  // namespace gleaner::cloud
