#include "cloud/database/sqlite.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <utility>

#include "cloud/database/hmac_number.h"
#include "cloud/database/read_bound.h"
#include "cloud/database/schema.h"

namespace gleaner::cloud {
namespace {

constexpr int kBusyTimeoutMs = 10'000;
// Of SQLite's virtual machine, between two looks at the bound: less than a millisecond.
constexpr int kStepsALook = 20'000;

SqlError::Kind KindOf(int code) {
  switch (code & 0xff) {  // extended codes have more in the upper bits
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return SqlError::Kind::kDamaged;
    case SQLITE_FULL:
      return SqlError::Kind::kFull;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return SqlError::Kind::kBusy;
    case SQLITE_IOERR:
      return SqlError::Kind::kDisk;
    case SQLITE_INTERRUPT:
      return SqlError::Kind::kPassed;
    default:
      return SqlError::Kind::kOther;
  }
}

// Calls `work` and gives what SQLiteCpp throws our own type.
template <typename Work>
auto Translated(Work work) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    throw SqlError(KindOf(error.getErrorCode()), error.what());
  }
}

class SqliteStatement : public Statement {
 public:
  SqliteStatement(SQLite::Database& database, const std::string& text)
      : statement_(database, text) {}

  void Bind(int parameter, int64_t value) override {
    Translated([&] { statement_.bind(parameter + 1, value); });
  }
  void BindText(int parameter, std::string_view value) override {
    Translated([&] { statement_.bind(parameter + 1, std::string(value)); });
  }
  void BindBytes(int parameter, std::string_view value) override {
    // No bytes at all are not NULL. They stay where they are: a statement is run before what was
    // bound to it goes, and bound anew before it is run again.
    const void* data = value.empty() ? "" : value.data();
    Translated([&] { statement_.bindNoCopy(parameter + 1, data, static_cast<int>(value.size())); });
  }
  bool Step() override {
    return Translated([&] { return statement_.executeStep(); });
  }
  int64_t Number(int column) override {
    return Translated([&] { return statement_.getColumn(column).getInt64(); });
  }
  std::string_view Text(int column) override {
    return Translated([&]() -> std::string_view {
      const SQLite::Column text = statement_.getColumn(column);
      const char* data = text.getText();  // before its size: it may convert
      return {data, static_cast<size_t>(text.getBytes())};
    });
  }
  std::string_view Bytes(int column) override {
    return Translated([&]() -> std::string_view {
      const SQLite::Column bytes = statement_.getColumn(column);
      const auto* data = static_cast<const char*>(bytes.getBlob());
      return {data, static_cast<size_t>(bytes.getBytes())};
    });
  }
  void Reset() override { statement_.tryReset(); }  // it repeats the error of the last step

 private:
  SQLite::Statement statement_;
};

std::string_view TextOf(sqlite3_value* value) {
  const auto* data = reinterpret_cast<const char*>(::sqlite3_value_text(value));  // before its size
  return data == nullptr
             ? std::string_view()
             : std::string_view(data, static_cast<size_t>(::sqlite3_value_bytes(value)));
}

// See hmac_number.h.
void CallHmacNumber(sqlite3_context* context, int, sqlite3_value** values) {
  ::sqlite3_result_int64(context,
                         HmacNumber(TextOf(values[0]), TextOf(values[1]), TextOf(values[2]),
                                    TextOf(values[3]), TextOf(values[4])));
}

class SqliteConnection : public Connection {
 public:
  SqliteConnection(const std::string& path, int flags)
      : database_(Translated([&] { return SQLite::Database(path, flags, kBusyTimeoutMs); })) {
    Translated([&] {
      database_.createFunction("hmac_number", 5, true, nullptr, CallHmacNumber, nullptr, nullptr,
                               nullptr);
    });
  }

  std::unique_ptr<Statement> Prepare(std::string_view text) override {
    return Translated(
        [&] { return std::make_unique<SqliteStatement>(database_, std::string(text)); });
  }
  void Script(std::string_view statements) override {
    Translated([&] { database_.exec(std::string(statements)); });
  }
  void Define(std::string_view statements) override {
    Script(InDialect(statements, Dialect::kSqlite));
  }
  // At once, or two writers that both have read could wait for each other.
  void BeginWriting() override { Script("BEGIN IMMEDIATE"); }
  void BeginReading() override {
    Script("BEGIN");
    if (ReadBound::Current() == nullptr) return;
    heeds_bound_ = true;
    ::sqlite3_progress_handler(
        database_.getHandle(), kStepsALook,
        [](void*) {
          const ReadBound* bound = ReadBound::Current();
          return bound != nullptr && bound->Passed() ? 1 : 0;
        },
        nullptr);
  }
  void Commit() override { Script("COMMIT"); }
  void Rollback() override {
    // SQLite has rolled back by itself where an error was grave enough.
    database_.tryExec("ROLLBACK");
    if (std::exchange(heeds_bound_, false)) {
      ::sqlite3_progress_handler(database_.getHandle(), 0, nullptr, nullptr);
    }
  }
  bool HasTable(std::string_view name) override {
    return Translated([&] { return database_.tableExists(std::string(name)); });
  }
  bool Notify(std::string_view) override { return false; }

 private:
  SQLite::Database database_;
  bool heeds_bound_ = false;  // what is read now ends with the thread's ReadBound
};

// SQLite makes a log and its index even for whoever only reads. Where there is no log to be read,
// nobody is at work, and the file can be taken as one that doesn't change.
std::string NameToInspect(const std::string& path) {
  struct stat info;
  if (::stat((path + "-wal").c_str(), &info) == 0 && info.st_size > 0) return path;
  std::string uri = "file:";
  for (const char c : path) {
    uri += std::string_view("%?#").find(c) == std::string_view::npos ? std::string(1, c)
                                                                     : fmt::format("%{:02x}", c);
  }
  return uri + "?immutable=1";
}

}  // namespace

std::unique_ptr<Connection> ConnectSqlite(const std::string& path, SqliteMode mode) {
  const bool writes = mode == SqliteMode::kWrite || mode == SqliteMode::kAlone;
  const bool inspects = mode == SqliteMode::kInspect;
  // A reader beside the writer opens the file like it, for the log's index is shared by writing.
  int flags = writes                      ? SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE
              : mode == SqliteMode::kRead ? SQLite::OPEN_READWRITE
                                          : SQLite::OPEN_READONLY;
  if (inspects) flags |= SQLite::OPEN_URI;
  auto connection =
      std::make_unique<SqliteConnection>(inspects ? NameToInspect(path) : path, flags);
  switch (mode) {
    case SqliteMode::kWrite:
      // A checkpoint every 16 MiB of log: each page that many commits touched is copied once.
      connection->Script(
          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=1;"
          "PRAGMA wal_autocheckpoint=4096; PRAGMA cache_size=-32768;");
      break;
    case SqliteMode::kRead:
      connection->Script(
          "PRAGMA query_only=1; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-16384;");
      break;
    case SqliteMode::kBeside:
    case SqliteMode::kInspect:
      connection->Script("PRAGMA wal_autocheckpoint=0;");
      break;
    case SqliteMode::kAlone:
      connection->Script(
          "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; PRAGMA foreign_keys=1;");
      break;
  }
  return connection;
}

}  // namespace gleaner::cloud
