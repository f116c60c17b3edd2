// One connection to a database, SQLite or PostgreSQL: the little that both can do alike, under
// sql.h, which is what rooms use. Everything here throws SqlError.
//
// Not thread-safe; one transaction and one statement at a time, but a statement may be stepped
// through while others run to their end.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace gleaner::cloud {

class SqlError : public std::runtime_error {
 public:
  enum class Kind {
    kOther,
    kDamaged,   // the file is no sound database
    kFull,      // no room on its disk
    kBusy,      // locked by another for too long
    kConflict,  // another transaction was in the way: the same again may pass
    kLost,      // the server doesn't answer; a commit that was under way may have happened
    kDisk,      // the disk itself failed: nothing more may be written through this connection
    kInput,     // a value that the database can't hold
    kPassed,    // the time that a ReadBound gave is over, or its caller gone
  };
  SqlError(Kind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

// DATA_LOSS for kDamaged, RESOURCE_EXHAUSTED for kFull, UNAVAILABLE for kBusy, kConflict and kLost,
// INVALID_ARGUMENT for kInput, DEADLINE_EXCEEDED for kPassed, else INTERNAL.
absl::Status ToStatus(const SqlError& error);

// Parameters and columns count from 0.
class Statement {
 public:
  virtual ~Statement() = default;
  virtual void Bind(int parameter, int64_t value) = 0;
  virtual void BindText(int parameter, std::string_view value) = 0;
  // `value` lives until the statement was stepped to its end, or reset.
  virtual void BindBytes(int parameter, std::string_view value) = 0;
  // To the next row; false when there is none. The first step runs the statement.
  virtual bool Step() = 0;
  // Of the row at hand. A view is valid until the next step.
  virtual int64_t Number(int column) = 0;
  virtual std::string_view Text(int column) = 0;
  virtual std::string_view Bytes(int column) = 0;
  // Ready to be bound and run again.
  virtual void Reset() = 0;
};

class Connection {
 public:
  virtual ~Connection() = default;
  // `text`: one statement with parameters :name, each once, bound in their order.
  virtual std::unique_ptr<Statement> Prepare(std::string_view text) = 0;
  // Statements without parameters, each ended by ";".
  virtual void Script(std::string_view statements) = 0;
  // As Script, for the words of schema.h.
  virtual void Define(std::string_view statements) = 0;
  // Whoever writes has the database for himself until he commits or rolls back.
  virtual void BeginWriting() = 0;
  // One snapshot until the end; nothing can be changed.
  virtual void BeginReading() = 0;
  virtual void Commit() = 0;
  // Never throws: where the connection is lost, so is the transaction.
  virtual void Rollback() = 0;
  virtual bool HasTable(std::string_view name) = 0;
  // Tells every process that listens (ListenOnPostgres) of `text` when this transaction commits.
  // False where there can be no other process: then the caller tells its own.
  virtual bool Notify(std::string_view text) = 0;
};

}  // namespace gleaner::cloud
