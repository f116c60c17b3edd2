// Tasks as rows, and the numbers of their sets that are kept with them. All may throw SqlError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/database/sql.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

struct TaskRow {
  static constexpr std::string_view kColumns =
      "label_task.number, label_task.task_set, label_task.frame, label_task.schema_name, "
      "label_task.version, label_task.state, label_task.kind, label_task.priority, "
      "label_task.turn, label_task.free_ns, label_task.holder, label_task.not_for, "
      "label_task.pair, label_task.prediction, label_task.shown, label_task.reason";

  uint64_t number = 0, set = 0, frame = 0, pair = 0, prediction = 0;
  std::string schema, holder, not_for, shown, reason;
  uint32_t version = 0;
  v1::Task::State state = v1::Task::STATE_OPEN;
  v1::Task::Kind kind = v1::Task::KIND_BARE;
  int32_t priority = 0;
  int64_t turn = 0, free_ns = 0;

  // Whether its pre-label is shown.
  bool IsShown() const {
    return kind == v1::Task::KIND_SHOWN || kind == v1::Task::KIND_KNOWN_WRONG ||
           kind == v1::Task::KIND_SECOND_LOOK;
  }
};

// The next tasks that a person may have, for ReadTasks: of a schema, free now, not for that person,
// so many. In the order of an index, so that what it costs doesn't depend on how many wait.
inline constexpr std::string_view kNextTasks =
    "WHERE schema_name = :schema AND state = 1 AND free_ns <= :now AND not_for <> :who ORDER BY "
    "priority DESC, turn, number LIMIT :most";

// `rest`: what follows "SELECT … FROM label_task", with its parameters.
template <typename... Ins>
std::vector<TaskRow> ReadTasks(Sql& sql, const std::string& rest, const std::tuple<Ins...>& ins) {
  std::vector<TaskRow> rows;
  TaskRow row;
  BytesOut shown{&row.shown};
  sql.Query("SELECT " + std::string(TaskRow::kColumns) + " FROM label_task " + rest, ins,
            Out(row.number, row.set, row.frame, row.schema, row.version, row.state, row.kind,
                row.priority, row.turn, row.free_ns, row.holder, row.not_for, row.pair,
                row.prediction, shown, row.reason),
            [&] { rows.push_back(row); });
  return rows;
}

std::optional<TaskRow> ReadTask(Sql& sql, uint64_t number);

// Its number; its set has one more that is open.
uint64_t InsertTask(Sql& sql, const TaskRow& row);
// Writes what changes in a task's life; `before`: its state so far.
void KeepTask(Sql& sql, const TaskRow& row, v1::Task::State before);
// `who` may not have it, if it is still open.
void SetNotFor(Sql& sql, uint64_t number, std::string_view who);

}  // namespace gleaner::cloud
