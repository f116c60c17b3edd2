#include "cloud/label/tasks.h"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cloud/database/pages.h"
#include "cloud/label/annotation.h"
#include "cloud/label/kept_frames.h"
#include "cloud/label/labels.h"
#include "cloud/label/schemas.h"
#include "cloud/label/shares.h"
#include "cloud/label/task_rows.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using v1::Task;

absl::Status Wrong(std::string_view what, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", what, why));
}

void CopyTo(const TaskRow& row, Task* task) {
  task->set_number(row.number);
  task->set_set(row.set);
  task->mutable_frame()->set_clip(row.id.clip);
  task->mutable_frame()->set_camera(row.id.camera);
  task->mutable_frame()->set_pts(row.id.pts);
  task->set_schema(row.schema);
  task->set_schema_version(row.version);
  task->set_state(row.state);
  task->set_kind(row.kind);
  task->set_priority(row.priority);
  task->set_holder(row.holder);
  task->set_lease_unix_ns(row.free_ns);
  task->set_reason(row.reason);
  task->set_pair(row.pair);
  task->set_prediction(row.prediction);
}

// The caller's, and open; its lease may have ended, as long as nobody else took it.
absl::StatusOr<TaskRow> ReadHeld(Sql& sql, uint64_t number, const Principal& who) {
  auto row = ReadTask(sql, number);
  if (!row) return absl::NotFoundError(fmt::format("there is no task {}", number));
  if (row->state == Task::STATE_OPEN && row->holder == who.name) return *std::move(row);
  return absl::FailedPreconditionError(
      fmt::format("task {} is not yours (any more): take another", number));
}

// What a person says of what he was shown, or of the frame alone.
absl::StatusOr<v1::Annotation> SaidOf(const TaskRow& row, const v1::LabelSchema& schema,
                                      const v1::SaveLabelRequest& request) {
  using Label = v1::Label;
  const v1::Annotation& said = request.annotation();
  const bool says_nothing = said.ByteSizeLong() == 0;
  const bool created = request.verdict() == Label::VERDICT_CREATED;
  switch (request.verdict()) {
    case Label::VERDICT_ACCEPTED:
    case Label::VERDICT_REJECTED:
      if (!says_nothing) return Wrong("annotation", "accepted and rejected have none");
      [[fallthrough]];
    case Label::VERDICT_FIXED:
    case Label::VERDICT_CREATED:
      break;
    default:
      return Wrong("verdict", "accepted, fixed, rejected or created");
  }
  if (created == row.IsShown()) {
    return Wrong("verdict", created ? "a pre-label is shown: accepted, fixed or rejected"
                                    : "no pre-label is shown: created");
  }
  if (request.verdict() == Label::VERDICT_REJECTED) return v1::Annotation();
  if (request.verdict() == Label::VERDICT_ACCEPTED) {
    v1::Annotation shown;
    shown.ParseFromString(row.shown);
    return WithoutConfidence(shown);
  }
  RETURN_IF_ERROR(CheckAnnotation(schema, said, SaidBy::kPerson, "annotation"));
  return said;
}

size_t CountHeld(Sql& sql, const std::string& holder, int64_t now_ns) {
  size_t count = 0;
  sql.Query("SELECT COUNT(*) FROM label_task WHERE holder = :who AND free_ns > :now AND state = 1",
            In(holder, now_ns), Out(count), [] {});
  return count;
}

v1::Annotation PredictionBody(Sql& sql, uint64_t number) {
  std::string body;
  BytesOut out{&body};
  sql.Query("SELECT body FROM prediction WHERE number = :number", In(number), Out(out), [] {});
  v1::Annotation annotation;
  annotation.ParseFromString(body);
  return annotation;
}

// The label that came of the same request, where its answer was lost on the way.
std::optional<v1::Label> SaidAlready(Sql& sql, const v1::SaveLabelRequest& request,
                                     const Principal& who) {
  const auto row = ReadTask(sql, request.task());
  if (!row || row->state != Task::STATE_DONE || row->holder != who.name) return std::nullopt;
  auto label = LabelOfTask(sql, row->number, row->frame, row->schema);
  if (!label || label->human_ms() != request.human_ms()) return std::nullopt;
  // Who accepted says no more; who rejected, nothing.
  const bool same = request.verdict() == v1::Label::VERDICT_ACCEPTED
                        ? label->verdict() == v1::Label::VERDICT_ACCEPTED
                        : SaySame(label->annotation(), request.annotation());
  return same ? label : std::nullopt;
}

}  // namespace

absl::StatusOr<v1::ListTasksResponse> Tasks::List(const v1::ListTasksRequest& request) {
  ASSIGN_OR_RETURN(const int64_t before, PageBefore(request.page_token()));
  const auto page = static_cast<int>(PageSize(request.page_size()));
  Parameters parameters;
  std::string where;
  const auto add = [&](std::string_view term, int64_t value) {
    where += fmt::format("{} {} {}", where.empty() ? "WHERE" : " AND", term, parameters.NextName());
    parameters.Add(value);
  };
  add("label_task.number <", before);
  if (request.set() != 0) add("task_set =", static_cast<int64_t>(request.set()));
  if (request.state() != Task::STATE_UNSPECIFIED) add("state =", request.state());
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListTasksResponse> {
    const std::vector<TaskRow> rows = ReadTasksOnce(
        sql, fmt::format("{} ORDER BY label_task.number DESC LIMIT {}", where, page + 1),
        parameters);
    v1::ListTasksResponse response;
    for (const TaskRow& row : rows) {
      if (response.tasks_size() == page) {
        response.set_next_page_token(std::to_string(response.tasks(page - 1).number()));
        break;
      }
      CopyTo(row, response.add_tasks());
    }
    return response;
  });
}

absl::StatusOr<v1::TakeTasksResponse> Tasks::Take(const v1::TakeTasksRequest& request,
                                                  const Principal& who,
                                                  const Database::Operation& with) {
  if (request.most() > kMostHeld) return Wrong("most", fmt::format("1 to {}", kMostHeld));
  const size_t wanted = request.most() == 0 ? 1 : request.most();
  const auto set = static_cast<int64_t>(request.set());
  v1::TakeTasksResponse response;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    response.Clear();
    RETURN_IF_ERROR(ReadSchema(sql, request.schema()).status());
    const int64_t now_ns = clock_.WallNs();
    // A person has few: those of other sets are passed over.
    std::vector<TaskRow> taken = ReadTasks(
        sql,
        "WHERE holder = :who AND schema_name = :schema AND free_ns > :now AND state = 1 AND "
        "task_set >= :from AND task_set <= :to ORDER BY priority DESC, turn, label_task.number "
        "LIMIT :most",
        In(who.name, request.schema(), now_ns, set,
           set == 0 ? std::numeric_limits<int64_t>::max() : set, wanted));
    // A person has few at a time, in all sets together.
    const size_t room = kMostHeld - std::min<size_t>(kMostHeld, CountHeld(sql, who.name, now_ns));
    if (taken.empty() && room == 0) {
      return absl::FailedPreconditionError(fmt::format(
          "you have {} tasks of other sets already: finish some, or give them back", kMostHeld));
    }
    if (const size_t most = std::min(wanted, taken.size() + room); taken.size() < most) {
      std::set<uint64_t> pairs;
      // Both of a pair may be among the next, of which one person gets one.
      const size_t looked_at = 2 * (most - taken.size());
      for (TaskRow& row :
           set == 0 ? ReadTasks(sql, kNextTasks, In(request.schema(), now_ns, who.name, looked_at))
                    : ReadTasks(sql, kNextTasksOfSet, In(set, now_ns, who.name, looked_at))) {
        if (row.schema != request.schema()) {
          return Wrong("set", fmt::format("{} is of schema {}", set, row.schema));
        }
        if (taken.size() == most) break;
        if (pairs.contains(row.number)) continue;
        pairs.insert(row.pair);
        taken.push_back(std::move(row));
      }
    }
    if (taken.empty()) return absl::OkStatus();
    if (with) RETURN_IF_ERROR(with(sql));
    for (TaskRow& row : taken) {
      row.holder = who.name;
      row.free_ns = now_ns + kLeaseNs;
      KeepTask(sql, row, row.state);
      SetNotFor(sql, row.pair, who.name);
      v1::ReviewTask& task = *response.add_tasks();
      task.set_number(row.number);
      *task.mutable_frame() = ReadKeptFrame(sql, row.frame);
      task.set_schema(row.schema);
      task.set_schema_version(row.version);
      if (row.IsShown()) task.mutable_prelabel()->ParseFromString(row.shown);
      task.set_lease_unix_ns(row.free_ns);
    }
    return absl::OkStatus();
  }));
  return response;
}

absl::StatusOr<v1::Label> Tasks::Save(const v1::SaveLabelRequest& request, const Principal& who,
                                      const Database::Operation& with) {
  if (request.human_ms() > kMaxHumanMs) {
    return Wrong("human_ms", fmt::format("at most {}", kMaxHumanMs));
  }
  v1::Label label;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    if (auto already = SaidAlready(sql, request, who)) {
      label = *std::move(already);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(TaskRow row, ReadHeld(sql, request.task(), who));
    ASSIGN_OR_RETURN(const v1::LabelSchema schema, ReadSchema(sql, row.schema, row.version));
    ASSIGN_OR_RETURN(const v1::Annotation said, SaidOf(row, schema, request));
    v1::Annotation shown;
    shown.ParseFromString(row.shown);
    const bool same = row.IsShown() && SaySame(said, shown);
    // Who puts nothing right, or rejects a pre-label that shows nothing, accepts.
    const auto verdict = same ? v1::Label::VERDICT_ACCEPTED : request.verdict();
    const bool fooled =
        row.kind == Task::KIND_KNOWN_WRONG &&
        KeepsMistake(schema.kind(), PredictionBody(sql, row.prediction), shown, said);
    if (with) RETURN_IF_ERROR(with(sql));
    label = WriteLabel(sql, {.frame = row.frame,
                             .schema = row.schema,
                             .version = row.version,
                             .annotation = said,
                             .verdict = verdict,
                             .reviewer = who,
                             .task = row.number,
                             .prediction = row.IsShown() ? row.prediction : 0,
                             .human_ms = request.human_ms(),
                             .made_ns = clock_.WallNs(),
                             .counts = !fooled});
    row.state = Task::STATE_DONE;
    KeepTask(sql, row, Task::STATE_OPEN);
    if (fooled && row.pair == 0) {
      // What is known to be wrong is no label: the frame is somebody else's task now.
      TaskRow again = row;
      again.state = Task::STATE_OPEN;
      again.kind = Task::KIND_BARE;
      again.shown.clear();
      again.free_ns = 0;
      again.holder.clear();
      again.not_for = who.name;
      again.pair = 0;
      again.prediction = 0;
      InsertTask(sql, again);
    }
    return absl::OkStatus();
  }));
  return label;
}

absl::Status Tasks::Skip(uint64_t number, const std::string& reason, const Principal& who,
                         const Database::Operation& with) {
  if (reason.empty() || reason.size() > kMaxAttributeBytes ||
      reason.find('\0') != std::string::npos) {
    return Wrong("reason", fmt::format("1 to {} bytes", kMaxAttributeBytes));
  }
  return database_.Write([&](Sql& sql) -> absl::Status {
    ASSIGN_OR_RETURN(TaskRow row, ReadHeld(sql, number, who));
    if (with) RETURN_IF_ERROR(with(sql));
    row.state = Task::STATE_SKIPPED;
    row.free_ns = 0;
    row.reason = reason;
    KeepTask(sql, row, Task::STATE_OPEN);
    return absl::OkStatus();
  });
}

absl::StatusOr<uint32_t> Tasks::Return(const v1::ReturnTasksRequest& request, const Principal& who,
                                       const Database::Operation& with) {
  uint32_t returned = 0;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    RETURN_IF_ERROR(ReadSchema(sql, request.schema()).status());
    std::vector<TaskRow> held =
        ReadTasks(sql,
                  "WHERE holder = :who AND schema_name = :schema AND free_ns > :now AND free_ns <= "
                  ":until AND "
                  "state = 1",
                  In(who.name, request.schema(), clock_.WallNs(),
                     request.lease_unix_ns() == 0 ? std::numeric_limits<int64_t>::max()
                                                  : request.lease_unix_ns()));
    returned = static_cast<uint32_t>(held.size());
    if (held.empty()) return absl::OkStatus();
    if (with) RETURN_IF_ERROR(with(sql));
    for (TaskRow& row : held) {
      row.holder.clear();
      row.free_ns = 0;
      KeepTask(sql, row, row.state);
    }
    return absl::OkStatus();
  }));
  return returned;
}

absl::Status Tasks::Requeue(uint64_t number, const Database::Operation& with) {
  return database_.Write([&](Sql& sql) -> absl::Status {
    auto row = ReadTask(sql, number);
    if (!row) return absl::NotFoundError(fmt::format("there is no task {}", number));
    if (row->state != Task::STATE_SKIPPED) {
      return absl::FailedPreconditionError(
          fmt::format("task {} was not put aside: nothing to put back", number));
    }
    if (with) RETURN_IF_ERROR(with(sql));
    row->state = Task::STATE_OPEN;
    row->holder.clear();
    row->reason.clear();
    KeepTask(sql, *row, Task::STATE_SKIPPED);
    return absl::OkStatus();
  });
}

}  // namespace gleaner::cloud
