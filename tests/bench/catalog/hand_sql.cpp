#include "tests/bench/catalog/hand_sql.h"

#include <sqlite3.h>

#include <map>
#include <pqxx/pqxx>
#include <stdexcept>

namespace gleaner::bench {
namespace {

// What was read is added up, so that no compiler leaves the reading out.
uint64_t g_sum = 0;

class SqliteByHand : public HandSql {
 public:
  explicit SqliteByHand(const std::string& path) {
    if (sqlite3_open_v2(path.c_str(), &database_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
      throw std::runtime_error("sqlite3_open " + path);
    }
    Execute("PRAGMA query_only=1; PRAGMA cache_size=-16384;");
  }
  ~SqliteByHand() override {
    for (const auto& [text, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close(database_);
  }

  uint64_t Run(const std::vector<HandQuery>& queries) override {
    uint64_t rows = 0;
    Execute("BEGIN");
    for (const HandQuery& query : queries) rows += RunOne(query);
    Execute("ROLLBACK");
    return rows;
  }

 private:
  void Execute(const char* text) {
    if (sqlite3_exec(database_, text, nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(database_));
    }
  }
  uint64_t RunOne(const HandQuery& query) {
    sqlite3_stmt*& statement = statements_[query.text];
    if (statement == nullptr &&
        sqlite3_prepare_v2(database_, query.text.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(database_));
    }
    for (size_t i = 0; i < query.values.size(); ++i) {
      const int index = static_cast<int>(i) + 1;
      if (query.is_number[i]) {
        sqlite3_bind_int64(statement, index, std::stoll(query.values[i]));
      } else {
        sqlite3_bind_text(statement, index, query.values[i].data(),
                          static_cast<int>(query.values[i].size()), SQLITE_STATIC);
      }
    }
    uint64_t rows = 0;
    const int columns = sqlite3_column_count(statement);
    while (sqlite3_step(statement) == SQLITE_ROW) {
      ++rows;
      for (int column = 0; column < columns; ++column) {
        if (sqlite3_column_type(statement, column) == SQLITE_INTEGER) {
          g_sum += static_cast<uint64_t>(sqlite3_column_int64(statement, column));
        } else if (sqlite3_column_text(statement, column) != nullptr) {
          g_sum += static_cast<uint64_t>(sqlite3_column_bytes(statement, column));
        }
      }
    }
    if (sqlite3_reset(statement) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(database_));
    return rows;
  }

  sqlite3* database_ = nullptr;
  std::map<std::string, sqlite3_stmt*> statements_;
};

class PostgresByHand : public HandSql {
 public:
  explicit PostgresByHand(const std::string& uri) : connection_(uri) {}

  uint64_t Run(const std::vector<HandQuery>& queries) override {
    uint64_t rows = 0;
    pqxx::transaction<pqxx::isolation_level::repeatable_read> work(connection_);
    for (const HandQuery& query : queries) {
      auto [found, fresh] = names_.try_emplace(query.text, "hand" + std::to_string(names_.size()));
      if (fresh) connection_.prepare(found->second, query.text);
      const pqxx::result result =
          work.exec_prepared(found->second, pqxx::prepare::make_dynamic_params(query.values));
      for (const auto& row : result) {
        ++rows;
        for (const auto& field : row) g_sum += field.size();
      }
    }
    return rows;
  }

 private:
  pqxx::connection connection_;
  std::map<std::string, std::string> names_;
};

}  // namespace

std::unique_ptr<HandSql> OpenSqliteByHand(const std::string& path) {
  return std::make_unique<SqliteByHand>(path);
}

std::unique_ptr<HandSql> OpenPostgresByHand(const std::string& uri) {
  return std::make_unique<PostgresByHand>(uri);
}

}  // namespace gleaner::bench
