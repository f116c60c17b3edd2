#include "cloud/label/task_rows.h"

#include <fmt/format.h>

#include <utility>

namespace gleaner::cloud {
namespace {

void CountTask(Sql& sql, uint64_t set, v1::Task::State state, int by) {
  const std::string_view column = state == v1::Task::STATE_OPEN   ? "open"
                                  : state == v1::Task::STATE_DONE ? "done"
                                                                  : "skipped";
  sql.Run(fmt::format("UPDATE label_task_set SET {0} = {0} + :by WHERE number = :set", column),
          In(by, set));
}

}  // namespace

std::vector<TaskRow> ReadTasksOnce(Sql& sql, std::string_view rest, const Parameters& parameters) {
  std::vector<TaskRow> rows;
  TaskColumns columns;
  sql.QueryOnce(fmt::format("{}{}", TaskColumns::kSelect, rest), parameters, columns.Outs(),
                [&] { rows.push_back(columns.row); });
  return rows;
}

std::optional<TaskRow> ReadTask(Sql& sql, uint64_t number) {
  std::vector<TaskRow> rows = ReadTasks(sql, "WHERE label_task.number = :number", In(number));
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

bool HasOpenTask(Sql& sql, uint64_t frame, std::string_view schema) {
  int one = 0;
  return sql.Query(
      "SELECT 1 FROM label_task WHERE frame = :frame AND schema_name = :schema AND state = 1 LIMIT "
      "1",
      In(frame, schema), Out(one), [] {});
}

uint64_t InsertTask(Sql& sql, const TaskRow& row) {
  uint64_t number = 0;
  sql.Query(
      "INSERT INTO label_task (task_set, frame, schema_name, version, state, kind, priority, turn, "
      "free_ns, holder, not_for, pair, prediction, shown, reason) VALUES (:set, :frame, :schema, "
      ":version, :state, :kind, :priority, :turn, :free, :holder, :not_for, :pair, :prediction, "
      ":shown, :reason) RETURNING number",
      In(row.set, row.frame, row.schema, row.version, row.state, row.kind, row.priority, row.turn,
         row.free_ns, row.holder, row.not_for, row.pair, row.prediction, Bytes{row.shown},
         row.reason),
      Out(number), [] {});
  CountTask(sql, row.set, row.state, 1);
  return number;
}

void KeepTask(Sql& sql, const TaskRow& row, v1::Task::State before) {
  sql.Run(
      "UPDATE label_task SET state = :state, free_ns = :free, holder = :holder, not_for = "
      ":not_for, pair = :pair, reason = :reason WHERE number = :number",
      In(row.state, row.free_ns, row.holder, row.not_for, row.pair, row.reason, row.number));
  if (row.state == before) return;
  CountTask(sql, row.set, before, -1);
  CountTask(sql, row.set, row.state, 1);
}

void SetNotFor(Sql& sql, uint64_t number, std::string_view who) {
  if (number == 0) return;
  sql.Run("UPDATE label_task SET not_for = :who WHERE number = :number", In(who, number));
}

}  // namespace gleaner::cloud
