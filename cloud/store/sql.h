// One connection of the catalogue to its database: SOCI, with prepared statements kept for reuse.
//
//   sql.Run("INSERT INTO t (a, b) VALUES (:a, :b)", In(1, "x"));
//   std::string b;
//   sql.Query("SELECT b FROM t WHERE a > :a ORDER BY a", In(0), Out(b), [&] { use(b); });
//
// Values go in only as bound parameters, each :name once and in the order of In(). Numbers, text
// and Bytes (a BLOB) are all the types there are; no column is ever NULL. Everything here throws
// soci::soci_error; the catalogue turns that into a Status at its door (ToStatus).
//
// The SQL is what SQLite 3.40 and PostgreSQL 15 both understand. Not thread-safe.
#pragma once

// SOCI's bridge to Boost.Fusion is not used and would need Boost's headers.
#include <soci/soci-config.h>
#undef SOCI_HAVE_BOOST
#include <soci/soci.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace gleaner::cloud {

// Binary data on its way into a BLOB column.
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
    long long number;  // NOLINT(google-runtime-int): SOCI's type
  };
  std::deque<Value> values_;  // a deque, since SOCI keeps references
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
  enum class Mode {
    kWrite,    // the one that writes, and checkpoints
    kRead,     // beside it in one process; can change nothing and never checkpoints (see the
               // WAL-reset bug of SQLite before 3.51.3: one connection writes and checkpoints)
    kBeside,   // the same in another process: nor does it checkpoint as the last one to leave
    kInspect,  // as kBeside, for a short look; where nobody is at work it makes no file either
    kAlone,    // a file that nobody else has open, left without a log beside it
  };
  // Opens the SQLite file.
  Sql(const std::string& path, Mode mode);

  void Begin() { session_.begin(); }
  void Commit() { session_.commit(); }
  void Rollback() { session_.rollback(); }
  // Several statements without parameters, each ended by ";".
  void Script(std::string_view statements);

  template <typename... Ins>
  void Run(std::string_view text, const std::tuple<Ins...>& ins) {
    Query(text, ins, std::tuple<>(), [] {});
  }

  // Calls `row` for each row after its columns are in `outs`. True if there was one.
  template <typename... Ins, typename... Outs, typename Row>
  bool Query(std::string_view text, const std::tuple<Ins...>& ins, const std::tuple<Outs...>& outs,
             Row row) {
    auto holders = std::apply([&](const auto&... in) { return std::make_tuple(Hold(in)...); }, ins);
    soci::statement& statement = Prepared(text);
    Cleaner cleaner{this, text};
    std::apply([&](auto&... held) { (statement.exchange(soci::use(*held)), ...); }, holders);
    const bool any = Fetch(statement, outs, row);
    cleaner.ok = true;
    statement.bind_clean_up();
    return any;
  }

  // The same for text that is made at run time: not kept.
  template <typename... Outs, typename Row>
  bool QueryOnce(const std::string& text, const Parameters& parameters,
                 const std::tuple<Outs...>& outs, Row row) {
    soci::statement statement(session_);
    statement.alloc();
    statement.prepare(text);
    for (const Parameters::Value& value : parameters.values_) {
      if (value.is_text) {
        statement.exchange(soci::use(value.text));
      } else {
        statement.exchange(soci::use(value.number));
      }
    }
    return Fetch(statement, outs, row);
  }

 private:
  using Number = long long;  // NOLINT(google-runtime-int): SOCI's type

  // Forgets a statement that threw, since it still refers to its parameters.
  struct Cleaner {
    ~Cleaner() {
      if (!ok) sql->statements_.erase(std::string(text));
    }
    Sql* sql;
    std::string_view text;
    bool ok = false;
  };

  template <typename T>
  auto Hold(const T& value) {
    if constexpr (std::is_same_v<T, Bytes>) {
      auto blob = std::make_unique<soci::blob>(session_);
      blob->append(value.data.data(), value.data.size());
      return blob;
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      return std::make_unique<Number>(static_cast<Number>(value));
    } else {
      return std::make_unique<std::string>(value);
    }
  }

  // Where a column lands before it is moved to the caller's variable.
  template <typename T>
  struct Landing {
    Landing(Sql&, T& out) : out(out) {}
    void Move() {
      if constexpr (std::is_same_v<T, std::string>) {
        out = held;
      } else {
        out = static_cast<T>(held);
      }
    }
    T& out;
    std::conditional_t<std::is_same_v<T, std::string>, std::string, Number> held{};
  };

  template <typename... Outs, typename Row>
  bool Fetch(soci::statement& statement, const std::tuple<Outs...>& outs, Row& row);

  soci::statement& Prepared(std::string_view text);

  soci::session session_;
  std::unordered_map<std::string, std::unique_ptr<soci::statement>> statements_;
};

template <>
struct Sql::Landing<BytesOut> {
  Landing(Sql& sql, BytesOut& out) : out(out), held(sql.session_) {}
  void Move() {
    out.data->resize(held.get_len());
    if (!out.data->empty()) held.read(0, out.data->data(), out.data->size());
  }
  BytesOut& out;
  soci::blob held;
};

template <typename... Outs, typename Row>
bool Sql::Fetch(soci::statement& statement, const std::tuple<Outs...>& outs, Row& row) {
  auto landings = std::apply(
      [&](auto&... out) {
        return std::make_tuple(
            std::make_unique<Landing<std::remove_reference_t<decltype(out)>>>(*this, out)...);
      },
      outs);
  std::apply([&](auto&... landing) { (statement.exchange(soci::into(landing->held)), ...); },
             landings);
  statement.define_and_bind();
  bool any = false;
  bool got = statement.execute(true);
  if constexpr (sizeof...(Outs) > 0) {
    while (got) {
      any = true;
      std::apply([&](auto&... landing) { (landing->Move(), ...); }, landings);
      row();
      got = statement.fetch();  // to the end, so that no statement holds a snapshot open
    }
  }
  return any;
}

// What a soci::soci_error means for the caller: DATA_LOSS for a damaged file, RESOURCE_EXHAUSTED
// for a full disk, UNAVAILABLE for a locked database, else INTERNAL.
absl::Status ToStatus(const soci::soci_error& error);
// True if the disk itself failed: nothing more may be written through this connection.
bool IsIoError(const soci::soci_error& error);

}  // namespace gleaner::cloud
