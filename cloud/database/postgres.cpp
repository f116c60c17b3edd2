#include "cloud/database/postgres.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <pqxx/pqxx>
#include <vector>

#include "absl/strings/escaping.h"
#include "cloud/database/read_bound.h"
#include "cloud/database/schema.h"
#include "common/digest.h"

namespace gleaner::cloud {
namespace {

constexpr int kLeastVersion = 150000;

// One lock for each schema of a database, in which a store's tables are.
constexpr std::string_view kBeginWriting =
    "BEGIN; SELECT pg_advisory_xact_lock(1735159406, hashtext(current_schema()));";

// The session: a server that hangs or a network that is gone ends a statement, not a thread.
constexpr std::string_view kSession =
    "SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s';"
    "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;"
    "SELECT set_config('synchronous_commit', 'on', false) WHERE "
    "current_setting('synchronous_commit') IN ('off', 'local');";

constexpr std::string_view kChannel = "gleaner";
// How often one that listens looks whether it should stop.
constexpr long kListenMicros = 200'000;

// Appendix A of PostgreSQL's manual: the classes of error codes.
SqlError::Kind KindOf(std::string_view state) {
  if (state.empty()) return SqlError::Kind::kLost;  // libpq says it, not the server
  if (state == "40001" || state == "40P01") return SqlError::Kind::kConflict;
  if (state == "57014" && ReadBound::Current() != nullptr) return SqlError::Kind::kPassed;
  if (state == "55P03" || state == "57014") return SqlError::Kind::kBusy;
  if (state == "53100") return SqlError::Kind::kFull;
  if (state.starts_with("08") || state.starts_with("57P") || state.starts_with("53")) {
    return SqlError::Kind::kLost;
  }
  if (state == "25006") return SqlError::Kind::kLost;  // a standby: the primary is elsewhere now
  if (state.starts_with("22")) return SqlError::Kind::kInput;
  if (state.starts_with("XX00")) return SqlError::Kind::kDamaged;
  return SqlError::Kind::kOther;
}

std::string FirstLine(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

template <typename Work>
auto Translated(Work work) {
  try {
    return work();
  } catch (const pqxx::broken_connection& error) {
    throw SqlError(SqlError::Kind::kLost, FirstLine(error.what()));
  } catch (const pqxx::in_doubt_error& error) {
    throw SqlError(SqlError::Kind::kLost, FirstLine(error.what()));
  } catch (const pqxx::sql_error& error) {
    throw SqlError(KindOf(error.sqlstate()), FirstLine(error.what()));
  } catch (const SqlError&) {
    throw;
  } catch (const std::exception& error) {
    // libpqxx's other errors have no base of their own that all its versions know.
    throw SqlError(SqlError::Kind::kOther, FirstLine(error.what()));
  }
}

bool IsNameLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

// :name as $1, $2, …, in their order.
std::string WithNumbers(std::string_view text) {
  std::string out;
  int parameters = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\'') quoted = !quoted;
    if (quoted || text[i] != ':' || i + 1 == text.size() || !IsNameLetter(text[i + 1])) {
      out += text[i];
      continue;
    }
    out += fmt::format("${}", ++parameters);
    while (i + 1 < text.size() && IsNameLetter(text[i + 1])) ++i;
  }
  return out;
}

// What the URI says itself comes last and counts.
std::string WithDefaults(const std::string& connection) {
  const size_t query = connection.find('?');
  std::string uri = connection.substr(0, query) +
                    "?connect_timeout=10&keepalives_idle=20&tcp_user_timeout=60000&"
                    "fallback_application_name=gleaner-cloud";
  if (query != std::string::npos) uri += "&" + connection.substr(query + 1);
  return uri;
}

// What a connection's statements share. pqxx wants a transaction for every statement; ours are
// begun and ended by hand in one that does nothing by itself.
struct Session {
  explicit Session(const std::string& uri) : connection(uri), work(connection) {}
  pqxx::connection connection;
  pqxx::nontransaction work;
  int prepared = 0;
};

class PostgresStatement : public Statement {
 public:
  PostgresStatement(Session& session, std::string_view text)
      : session_(session), text_(WithNumbers(text)) {}

  void Bind(int parameter, int64_t value) override { Put(parameter, std::to_string(value)); }
  void BindText(int parameter, std::string_view value) override {
    Put(parameter, std::string(value));
  }
  void BindBytes(int parameter, std::string_view value) override {
    Put(parameter, "\\x" + Hex(value));
  }

  bool Step() override {
    if (!result_) {
      result_ = Translated([&] { return Execute(); });
      row_ = 0;
    } else {
      ++row_;
    }
    return row_ < result_->size();
  }

  int64_t Number(int column) override {
    const std::string_view text = Text(column);
    if (text == "t") return 1;
    if (text == "f") return 0;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      throw SqlError(SqlError::Kind::kOther, fmt::format("\"{}\" is no number", text));
    }
    return value;
  }
  std::string_view Text(int column) override {
    const pqxx::field field = (*result_)[row_][column];
    return {field.c_str(), field.size()};
  }
  std::string_view Bytes(int column) override {
    std::string_view text = Text(column);
    if (text.starts_with("\\x")) text.remove_prefix(2);
    bytes_ = absl::HexStringToBytes({text.data(), text.size()});
    return bytes_;
  }
  // The server keeps a statement that is run again.
  void Reset() override {
    result_.reset();
    ++runs_;
  }

 private:
  void Put(int parameter, std::string value) {
    const auto index = static_cast<size_t>(parameter);
    if (values_.size() <= index) values_.resize(index + 1);
    values_[index] = std::move(value);
  }

  pqxx::result Execute() {
    const auto values = pqxx::prepare::make_dynamic_params(values_);
    if (runs_ == 0) return session_.work.exec_params(text_, values);
    if (name_.empty()) {
      name_ = fmt::format("s{}", ++session_.prepared);
      session_.connection.prepare(name_, text_);
    }
    return session_.work.exec_prepared(name_, values);
  }

  Session& session_;
  const std::string text_;
  std::string name_;
  std::vector<std::string> values_;
  std::optional<pqxx::result> result_;
  pqxx::result::size_type row_ = 0;
  std::string bytes_;
  int runs_ = 0;
};

class PostgresConnection : public Connection {
 public:
  explicit PostgresConnection(const std::string& uri)
      : session_(Translated([&] { return std::make_unique<Session>(uri); })) {}

  std::unique_ptr<Statement> Prepare(std::string_view text) override {
    return std::make_unique<PostgresStatement>(*session_, text);
  }
  void Script(std::string_view statements) override {
    Translated([&] { session_->work.exec(std::string(statements)); });
  }
  void Define(std::string_view statements) override {
    Script(InDialect(statements, Dialect::kPostgres));
  }
  void BeginWriting() override { Script(kBeginWriting); }
  void BeginReading() override {
    std::string begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    // Of each statement, but what reads is one or few.
    if (const ReadBound* bound = ReadBound::Current()) {
      begin += fmt::format("; SET LOCAL statement_timeout = {}", bound->Left().count());
    }
    Script(begin);
  }
  void Commit() override { Script("COMMIT"); }
  void Rollback() override {
    try {
      session_->work.exec("ROLLBACK");
    } catch (const std::exception&) {
      // Lost, and the transaction with it.
    }
  }
  bool HasTable(std::string_view name) override {
    // By a query, whose snapshot is as young as the lock before it: to_regclass may answer from a
    // cache that is older.
    return Translated([&] {
      return !session_->work
                  .exec_params(
                      "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND "
                      "tablename = $1",
                      std::string(name))
                  .empty();
    });
  }

  bool Notify(std::string_view text) override {
    Translated([&] {
      session_->work.exec_params("SELECT pg_notify($1, $2)", std::string(kChannel),
                                 std::string(text));
    });
    return true;
  }

  // What a store needs of the server.
  void Check() {
    Translated([&] {
      const int version = session_->connection.server_version();
      if (version < kLeastVersion) {
        throw SqlError(SqlError::Kind::kOther,
                       fmt::format("the server is PostgreSQL {}.{}: 15 or later is wanted",
                                   version / 10000, version % 10000));
      }
      const auto encoding = session_->work.exec1("SHOW server_encoding")[0].as<std::string>();
      if (encoding != "UTF8") {
        throw SqlError(
            SqlError::Kind::kOther,
            fmt::format("the database has the encoding {}: make one with UTF8", encoding));
      }
    });
  }

 private:
  std::unique_ptr<Session> session_;
};

class Ear : public pqxx::notification_receiver {
 public:
  Ear(pqxx::connection& connection, const std::function<void(const std::string&)>& heard)
      : notification_receiver(connection, std::string(kChannel)), heard_(heard) {}
  void operator()(const std::string& text, int) override { heard_(text); }

 private:
  const std::function<void(const std::string&)>& heard_;
};

}  // namespace

bool IsPostgres(std::string_view connection) {
  return connection.starts_with("postgresql://") || connection.starts_with("postgres://");
}

std::string WithoutPassword(std::string_view connection) {
  // postgresql://user:password@host/name?password=…: what lies between is shown to nobody.
  const size_t scheme = connection.find("://");
  if (scheme == std::string_view::npos) return std::string(connection);
  std::string_view rest = connection.substr(scheme + 3);
  rest = rest.substr(0, rest.find('?'));
  const size_t at = rest.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view user = rest.substr(0, at);
    return fmt::format("{}://{}@{}", connection.substr(0, scheme), user.substr(0, user.find(':')),
                       rest.substr(at + 1));
  }
  return fmt::format("{}://{}", connection.substr(0, scheme), rest);
}

std::unique_ptr<Connection> ConnectPostgres(const std::string& connection) {
  auto made = std::make_unique<PostgresConnection>(WithDefaults(connection));
  made->Script(kSession);
  made->Check();
  return made;
}

void ListenOnPostgres(const std::string& connection, const std::stop_token& stop,
                      const std::function<void()>& listening,
                      const std::function<void(const std::string& text)>& heard) {
  Translated([&] {
    pqxx::connection session(WithDefaults(connection));
    const Ear ear(session, heard);
    listening();
    while (!stop.stop_requested()) session.await_notification(0, kListenMicros);
  });
}

}  // namespace gleaner::cloud
