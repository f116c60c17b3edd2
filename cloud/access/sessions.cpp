#include "cloud/access/sessions.h"

#include "cloud/access/secret.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr int kMost = 100;

}  // namespace

absl::StatusOr<std::string> Sessions::Begin(std::string_view token) {
  const std::string hash = HashOf(token);
  RETURN_IF_ERROR(tokens_.HolderOf(hash).status());
  const std::string cookie = NewSecret();
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
    const int64_t now_ns = clock_.WallNs();
    sql.Run("DELETE FROM session WHERE until_ns <= :now", In(now_ns));
    sql.Run(
        "DELETE FROM session WHERE secret IN (SELECT secret FROM session WHERE token = :token "
        "ORDER BY begun_ns DESC, secret LIMIT 1000000 OFFSET :most)",
        In(hash, kMost - 1));
    sql.Run("INSERT INTO session (secret, token, begun_ns, until_ns) VALUES (:a, :b, :c, :d)",
            In(HashOf(cookie), hash, now_ns, now_ns + kDays * 24 * 3600 * kNanosPerSecond));
    return absl::OkStatus();
  }));
  return cookie;
}

absl::StatusOr<Principal> Sessions::WhoHas(std::string_view cookie) {
  std::string token;
  RETURN_IF_ERROR(database_.Read([&](Sql& sql) -> absl::Status {
    const bool found =
        sql.Query("SELECT token FROM session WHERE secret = :secret AND until_ns > :now",
                  In(HashOf(cookie), clock_.WallNs()), Out(token), [] {});
    return found ? absl::OkStatus() : absl::UnauthenticatedError("this session has ended");
  }));
  return tokens_.HolderOf(token);
}

absl::Status Sessions::End(std::string_view cookie) {
  return database_.Write([&](Sql& sql) {
    sql.Run("DELETE FROM session WHERE secret = :secret", In(HashOf(cookie)));
    sql.Announce(kTokensChanged, "");  // what was opened with it looks again
    return absl::OkStatus();
  });
}

}  // namespace gleaner::cloud
