// The database that the rooms of a server share: transactions with group commit, readers,
// migrations, and one translation of errors. SQLite (a file, one process) or PostgreSQL (any number
// of servers); a room never knows which.
//
// Durable: a Write that returns OK is on stable storage, one that returns an error has changed
// nothing; but UNAVAILABLE from a PostgreSQL that was lost in the middle of a commit leaves it
// open, and asking again is safe for all that is written the same way twice. Calls from many
// threads at once share a transaction, so a change costs a fraction of a sync under load. Writers
// see each other's changes one after another, over all servers. Reading never waits for writing.
//
// Thread-safe; blocks: never call it from a gRPC reactor. Errors: DATA_LOSS when the database is
// damaged, RESOURCE_EXHAUSTED when its disk is full, UNAVAILABLE when it is locked or away,
// INTERNAL for what the disk or the database did; after an I/O error of SQLite every later change
// is refused until a restart, since the kernel may have dropped what it failed to write.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/schema.h"
#include "cloud/database/sql.h"

namespace gleaner::cloud {

// Asked within each writing transaction before it commits, and told what it answered after that, by
// one thread at a time and before anyone who waits for the transaction goes on. Neither may block
// long.
struct CommitHook {
  std::function<uint64_t(Sql&)> before;
  std::function<void(uint64_t)> after;
};

class Database {
 public:
  // What a change does, in a transaction that others may share. Returns an error only before it has
  // changed anything; may throw SqlError; may run again after a transaction failed.
  using Operation = std::function<absl::Status(Sql&)>;

  // `name`: postgresql://… (see postgres.h), or else the path of an SQLite file; made, or migrated
  // to what `rooms` say. DATA_LOSS, naming the file, if it is damaged: it is never replaced, an
  // operator decides. FAILED_PRECONDITION if a newer program wrote it. Files up to 1 GiB are
  // checked whole (about a second), larger ones by their schema only.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& name,
                                                        std::span<const RoomTables> rooms,
                                                        CommitHook hook = {});
  ~Database();

  // Runs `operation` and commits; OK once that is durable.
  absl::Status Write(const Operation& operation);

  // Runs `read` (Sql& to a StatusOr or Status) on a connection of its own, in one snapshot; until
  // the thread's ReadBound has passed, where there is one.
  template <typename ReadOperation>
  auto Read(ReadOperation read) -> std::invoke_result_t<ReadOperation, Sql&>;

  // Calls `heard` with what is announced on `topic` (Sql::Announce), by this server and every other
  // on the same database, for the life of this; on a thread that commits or one of its own, and it
  // must not block. What others announce while a PostgreSQL is away is not heard: once it is back,
  // `heard` is called with an empty text, which means that anything may have happened. Where nobody
  // may miss anything, an announcement only says that a look is worth while.
  using Heard = std::function<void(const std::string& text)>;
  void Listen(const std::string& topic, Heard heard);

  // Can it commit? Writes a row.
  absl::Status Check();

  // For errors: the file, or the URI without its password.
  const std::string& name() const { return shown_; }
  const std::vector<RoomTables>& rooms() const { return rooms_; }

 private:
  struct Waiting {
    const Operation* operation;
    absl::Status result;
    bool done = false;
  };

  Database(const std::string& name, std::span<const RoomTables> rooms, CommitHook hook);

  std::unique_ptr<Sql> Connect(bool writes) const;
  void CommitTogether(const std::vector<Waiting*>& batch);
  // Throws SqlError.
  void CommitOnce(const std::vector<Waiting*>& batch);
  void NoteFailure(const SqlError& error);
  void Tell(std::string_view lines);
  void HearOthers(const std::stop_token& stop);
  std::unique_ptr<Sql> TakeReader();
  void GiveReader(std::unique_ptr<Sql> reader);
  void DropReader();

  const std::string name_, shown_;
  const bool postgres_;
  const std::vector<RoomTables> rooms_;
  const CommitHook hook_;

  std::mutex write_mutex_;
  std::condition_variable written_;
  std::vector<Waiting*> waiting_;
  bool committing_ = false;

  // Used by whoever set committing_, as what follows is.
  std::unique_ptr<Sql> writer_;  // null after it was lost, until the next change
  absl::Status broken_;          // after an I/O error: what every later change answers

  std::mutex listeners_mutex_;
  std::vector<std::pair<std::string, Heard>> listeners_;  // by topic

  std::mutex readers_mutex_;
  std::condition_variable reader_back_;
  size_t readers_out_ = 0;
  std::vector<std::unique_ptr<Sql>> readers_;  // idle ones; closed before the writer is
  std::jthread ear_;                           // PostgreSQL's announcements, once anybody listens
};

// What to say of a file that is no sound database.
absl::Status DamagedDatabase(const std::string& path, std::string_view what);

template <typename ReadOperation>
auto Database::Read(ReadOperation read) -> std::invoke_result_t<ReadOperation, Sql&> {
  std::unique_ptr<Sql> sql;
  try {
    sql = TakeReader();
    sql->connection().BeginReading();
    auto result = read(*sql);
    sql->connection().Rollback();
    GiveReader(std::move(sql));
    return result;
  } catch (const SqlError& error) {
    if (sql != nullptr && error.kind() == SqlError::Kind::kPassed) {
      sql->connection().Rollback();
      GiveReader(std::move(sql));
    } else if (sql != nullptr) {
      DropReader();  // the connection goes with its snapshot
    }
    return ToStatus(error);
  }
}

}  // namespace gleaner::cloud
