// Tasks as rows, and the numbers of their sets that are kept with them. All may throw SqlError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "cloud/database/sql.h"
#include "cloud/frames/frames.h"
#include "gleaner/v1/label_task.pb.h"

namespace gleaner::cloud {

struct TaskRow {
  uint64_t number = 0, set = 0, frame = 0, pair = 0, prediction = 0;
  FrameName id;  // of `frame`
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

// One row on its way out of the database.
struct TaskColumns {
  static constexpr std::string_view kSelect =
      "SELECT label_task.number, task_set, frame, label_frame.clip, label_frame.camera, "
      "label_frame.pts, schema_name, version, state, kind, priority, turn, free_ns, holder, "
      "not_for, pair, prediction, shown, reason FROM label_task JOIN label_frame ON "
      "label_frame.number = label_task.frame ";
  TaskRow row;
  BytesOut shown{&row.shown};

  auto Outs() {
    return Out(row.number, row.set, row.frame, row.id.clip, row.id.camera, row.id.pts, row.schema,
               row.version, row.state, row.kind, row.priority, row.turn, row.free_ns, row.holder,
               row.not_for, row.pair, row.prediction, shown, row.reason);
  }
};

// The next tasks that a person may have, for ReadTasks: of a schema, free now, not for that person,
// so many. In the order of an index, so that what it costs doesn't depend on how many wait.
inline constexpr std::string_view kNextTasks =
    "WHERE schema_name = :schema AND state = 1 AND free_ns <= :now AND not_for <> :who ORDER BY "
    "priority DESC, turn, label_task.number LIMIT :most";

// The same of one set, whose tasks are of one schema and priority.
inline constexpr std::string_view kNextTasksOfSet =
    "WHERE task_set = :set AND state = 1 AND free_ns <= :now AND not_for <> :who ORDER BY turn, "
    "label_task.number LIMIT :most";

// `rest`: what follows "FROM …", text that doesn't change, with its parameters.
template <typename... Ins>
std::vector<TaskRow> ReadTasks(Sql& sql, std::string_view rest, const std::tuple<Ins...>& ins) {
  std::vector<TaskRow> rows;
  TaskColumns columns;
  sql.Query(std::string(TaskColumns::kSelect) + std::string(rest), ins, columns.Outs(),
            [&] { rows.push_back(columns.row); });
  return rows;
}
// The same where `rest` is made at run time.
std::vector<TaskRow> ReadTasksOnce(Sql& sql, std::string_view rest, const Parameters& parameters);

std::optional<TaskRow> ReadTask(Sql& sql, uint64_t number);
// Whether somebody has, or is to have, a task of that frame.
bool HasOpenTask(Sql& sql, uint64_t frame, std::string_view schema);

// Its number; its set has one more that is open.
uint64_t InsertTask(Sql& sql, const TaskRow& row);
// Writes what changes in a task's life; `before`: its state so far.
void KeepTask(Sql& sql, const TaskRow& row, v1::Task::State before);
// `who` may not have it, also where it was put aside and comes back. Number 0: nothing.
void SetNotFor(Sql& sql, uint64_t number, std::string_view who);

}  // namespace gleaner::cloud
