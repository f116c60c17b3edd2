// What rooms say to the database: SQL with bound parameters, and variables for what comes back.
//
//   sql.Run("INSERT INTO t (a, b) VALUES (:a, :b)", In(1, "x"));
//   std::string b;
//   sql.Query("SELECT b FROM t WHERE a > :a ORDER BY a", In(0), Out(b), [&] { use(b); });
//
// Values go in only as bound parameters, each :name once and in the order of In(). Numbers, text
// and Bytes are all the types there are; no column is ever NULL. Text is valid UTF-8 without NUL
// and is compared byte by byte. Everything here throws SqlError, which the Database turns into a
// Status at its door.
//
// The SQL is what SQLite 3.40 and PostgreSQL 15 both understand; what they spell differently is
// kept in connections and schema.h. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cloud/database/connection.h"

namespace gleaner::cloud {

// Binary data on its way into a column of bytes.
struct Bytes {
  std::string_view data;
};
// Binary data on its way out of one.
struct BytesOut {
  std::string* data;
};

// A list of parameters whose length is known only at run time: the filter's.
class Parameters {
 public:
  void Add(std::string_view text) { values_.push_back({true, std::string(text), 0}); }
  void Add(int64_t number) { values_.push_back({false, {}, number}); }
  // A name for the parameter that Add() makes next, ":p0", ":p1", …
  std::string NextName() const { return ":p" + std::to_string(values_.size()); }

 private:
  friend class Sql;
  struct Value {
    bool is_text;
    std::string text;
    int64_t number;
  };
  std::vector<Value> values_;
};

// What a transaction tells those who listen: see Database::Listen.
struct Announcement {
  std::string topic, text;
};

template <typename... T>
std::tuple<const T&...> In(const T&... values) {
  return std::tie(values...);
}
template <typename... T>
std::tuple<T&...> Out(T&... values) {
  return std::tie(values...);
}

class Sql {
 public:
  explicit Sql(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

  Connection& connection() { return *connection_; }

  // Is told to every listener of `topic`, on every server, once this transaction is durable; never
  // if it fails. Said twice in one transaction, it is heard once. `topic`: a word; `text`: a line
  // of at most 4 KiB.
  void Announce(std::string_view topic, std::string_view text) {
    announced_.push_back({std::string(topic), std::string(text)});
  }
  // What was announced since the last call: for the Database.
  std::vector<Announcement> TakeAnnounced() { return std::exchange(announced_, {}); }

  template <typename... Ins>
  void Run(std::string_view text, const std::tuple<Ins...>& ins) {
    Query(text, ins, std::tuple<>(), [] {});
  }

  // Calls `row` for each row after its columns are in `outs`. True if there was one.
  template <typename... Ins, typename... Outs, typename Row>
  bool Query(std::string_view text, const std::tuple<Ins...>& ins, const std::tuple<Outs...>& outs,
             Row row) {
    Statement& statement = Prepared(text);
    const Resetter resetter{statement};
    int parameter = 0;
    std::apply([&](const auto&... in) { (Bind(statement, parameter++, in), ...); }, ins);
    return Fetch(statement, outs, row);
  }

  // The same for text that is made at run time: not kept.
  template <typename... Outs, typename Row>
  bool QueryOnce(const std::string& text, const Parameters& parameters,
                 const std::tuple<Outs...>& outs, Row row) {
    const std::unique_ptr<Statement> statement = connection_->Prepare(text);
    int parameter = 0;
    for (const Parameters::Value& value : parameters.values_) {
      if (value.is_text) {
        BindText(*statement, parameter++, value.text);
      } else {
        statement->Bind(parameter++, value.number);
      }
    }
    return Fetch(*statement, outs, row);
  }

 private:
  struct Resetter {
    ~Resetter() { statement.Reset(); }
    Statement& statement;
  };

  template <typename T>
  static void Bind(Statement& statement, int parameter, const T& value) {
    if constexpr (std::is_same_v<T, Bytes>) {
      statement.BindBytes(parameter, value.data);
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      statement.Bind(parameter, static_cast<int64_t>(value));
    } else {
      BindText(statement, parameter, value);
    }
  }
  // One database ends a text at a NUL, the other refuses it.
  static void BindText(Statement& statement, int parameter, std::string_view value);

  template <typename T>
  static void Take(Statement& statement, int column, T& out) {
    if constexpr (std::is_same_v<T, BytesOut>) {
      out.data->assign(statement.Bytes(column));
    } else if constexpr (std::is_same_v<T, std::string>) {
      out.assign(statement.Text(column));
    } else {
      out = static_cast<T>(statement.Number(column));
    }
  }

  template <typename... Outs, typename Row>
  static bool Fetch(Statement& statement, const std::tuple<Outs...>& outs, Row& row) {
    bool any = false;
    while (statement.Step()) {
      any = true;
      if constexpr (sizeof...(Outs) > 0) {
        int column = 0;
        std::apply([&](auto&... out) { (Take(statement, column++, out), ...); }, outs);
        row();
      }
    }
    return any;
  }

  Statement& Prepared(std::string_view text);

  std::unique_ptr<Connection> connection_;
  std::unordered_map<std::string, std::unique_ptr<Statement>> statements_;
  std::vector<Announcement> announced_;
};

}  // namespace gleaner::cloud
