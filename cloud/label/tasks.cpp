#include "cloud/label/tasks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "cloud/database/pages.h"
#include "cloud/label/annotation.h"
#include "cloud/label/disagreement.h"
#include "cloud/label/labelled_frames.h"
#include "cloud/label/labels.h"
#include "cloud/label/predictions.h"
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

bool IsShare(double value) { return std::isfinite(value) && value >= 0 && value <= 1; }

absl::Status Check(const v1::CreateTasksRequest& request) {
  if (request.most() > Tasks::kMaxInSet) {
    return Wrong("most", fmt::format("at most {}", Tasks::kMaxInSet));
  }
  if (std::abs(int64_t{request.priority()}) > Tasks::kMaxPriority) {
    return Wrong("priority", fmt::format("-{0} to {0}", Tasks::kMaxPriority));
  }
  if (request.model().size() > kMaxModelBytes) {
    return Wrong("model", fmt::format("at most {} bytes", kMaxModelBytes));
  }
  if (!IsShare(request.control_share())) return Wrong("control_share", "from 0 to 1");
  if (!IsShare(request.known_wrong_share())) return Wrong("known_wrong_share", "from 0 to 1");
  if (!IsShare(request.pair_share())) return Wrong("pair_share", "from 0 to 1");
  if (request.control_share() + request.known_wrong_share() > 1) {
    return Wrong("known_wrong_share", "with control_share at most 1");
  }
  if (!IsShare(request.likely_errors_from())) return Wrong("likely_errors_from", "from 0 to 1");
  if (request.likely_errors_from() == 0) return absl::OkStatus();
  if (!request.filter().empty()) return Wrong("likely_errors_from", "not together with filter");
  if (request.control_share() + request.known_wrong_share() + request.pair_share() > 0) {
    return Wrong("likely_errors_from", "a second look has no shares");
  }
  return absl::OkStatus();
}

bool HasOpenTask(Sql& sql, uint64_t frame, std::string_view schema) {
  int one = 0;
  return sql.Query(
      "SELECT 1 FROM label_task WHERE frame = :frame AND schema_name = :schema AND state = 1 LIMIT "
      "1",
      In(frame, schema), Out(one), [] {});
}

bool HasLabel(Sql& sql, const v1::FrameId& id, std::string_view schema) {
  int one = 0;
  return sql.Query(
      "SELECT 1 FROM label_current WHERE schema_name = :schema AND clip = :clip AND camera = "
      ":camera AND pts = :pts",
      In(schema, id.clip(), id.camera(), id.pts()), Out(one), [] {});
}

int64_t FirstOpenTurn(Sql& sql, std::string_view schema, int32_t priority) {
  int64_t turn = 0;
  sql.Query(
      "SELECT turn FROM label_task WHERE schema_name = :schema AND state = 1 AND priority = "
      ":priority ORDER BY turn LIMIT 1",
      In(schema, priority), Out(turn), [] {});
  return turn;
}

// One frame's task, or its two.
void InsertTasks(Sql& sql, const v1::CreateTasksRequest& request, const v1::LabelSchema& schema,
                 const v1::FrameId& frame, TaskRow row) {
  const auto prediction = NewestPrediction(sql, row.frame, schema.name(), request.model());
  Chosen chosen = Choose({.control = request.control_share(),
                          .known_wrong = request.known_wrong_share(),
                          .pair = request.pair_share()},
                         request.seed(), frame, prediction.has_value());
  if (request.likely_errors_from() > 0 && prediction) chosen.kind = Task::KIND_SECOND_LOOK;
  row.kind = chosen.kind;
  if (prediction) {
    row.prediction = prediction->number();
    const v1::Annotation& said = prediction->annotation();
    if (row.kind == Task::KIND_KNOWN_WRONG) {
      row.shown =
          MadeWrong(schema, said, Chance(request.seed(), "mistake", frame)).SerializeAsString();
    } else if (row.IsShown()) {
      row.shown = said.SerializeAsString();
    }
  }
  row.number = InsertTask(sql, row);
  if (!chosen.pair) return;
  TaskRow second = row;
  second.kind = Task::KIND_SECOND_OPINION;
  second.shown.clear();
  second.pair = row.number;
  row.pair = InsertTask(sql, second);
  KeepTask(sql, row, row.state);
}

void CopyTo(const TaskRow& row, const v1::FrameId& frame, Task* task) {
  task->set_number(row.number);
  task->set_set(row.set);
  *task->mutable_frame() = frame;
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

// As it is now, or as it was when something was first said of it.
v1::Frame FrameOf(Sql& sql, uint64_t number) {
  v1::Frame frame;
  FrameName id;
  std::string device, site, rule;
  uint32_t width = 0, height = 0;
  int64_t taken_ns = 0;
  sql.Query(
      "SELECT clip, camera, pts, width, height, device, site, rule, taken_ns FROM label_frame "
      "WHERE number = :number",
      In(number), Out(id.clip, id.camera, id.pts, width, height, device, site, rule, taken_ns),
      [] {});
  if (auto now = ReadFrame(sql, id); now.ok()) return *std::move(now);
  frame.mutable_id()->set_clip(id.clip);
  frame.mutable_id()->set_camera(id.camera);
  frame.mutable_id()->set_pts(id.pts);
  frame.set_width(width);
  frame.set_height(height);
  frame.set_device(device);
  frame.set_site(site);
  frame.set_rule(rule);
  frame.set_taken_unix_ns(taken_ns);
  return frame;
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

v1::TaskSet ParseSet(const std::string& body, uint64_t number) {
  v1::TaskSet set;
  set.ParseFromString(body);
  set.set_number(number);
  return set;
}

}  // namespace

absl::StatusOr<std::vector<Tasks::Candidate>> Tasks::FindFrames(
    const v1::CreateTasksRequest& request, const Filter& filter, uint32_t most,
    uint32_t* left_out) {
  std::vector<Candidate> found;
  v1::ListFramesRequest page;
  page.set_page_size(500);
  for (size_t looked_at = 0; looked_at < kMaxLookedAt;) {
    ASSIGN_OR_RETURN(const v1::ListFramesResponse some, frames_.List(page, filter));
    looked_at += static_cast<size_t>(some.frames_size());
    RETURN_IF_ERROR(database_.Read([&](Sql& sql) {
      for (const v1::Frame& frame : some.frames()) {
        if (found.size() == most) break;
        const uint64_t kept = FindKeptFrame(sql, frame.id());
        if (kept != 0 &&
            (HasOpenTask(sql, kept, request.schema()) ||
             (!request.also_labelled() && HasLabel(sql, frame.id(), request.schema())))) {
          ++*left_out;
        } else {
          found.push_back({.frame = frame.id(), .not_for = {}});
        }
      }
      return absl::OkStatus();
    }));
    if (found.size() == most || some.next_page_token().empty()) break;
    page.set_page_token(some.next_page_token());
  }
  return found;
}

absl::StatusOr<std::vector<Tasks::Candidate>> Tasks::FindErrors(
    const v1::CreateTasksRequest& request, uint32_t most) {
  ASSIGN_OR_RETURN(const v1::ListLikelyErrorsResponse errors,
                   FindLikelyErrors(database_, request.schema(), request.model(),
                                    request.likely_errors_from(), most));
  std::vector<Candidate> found;
  for (const v1::LikelyError& error : errors.errors()) {
    found.push_back({.frame = error.label().frame(), .not_for = error.label().reviewer()});
  }
  return found;
}

absl::StatusOr<v1::TaskSet> Tasks::Create(const v1::CreateTasksRequest& request,
                                          const Filter& filter, const Principal& who,
                                          const Database::Operation& with) {
  RETURN_IF_ERROR(Check(request));
  const uint32_t most = request.most() == 0 ? kUsualInSet : request.most();
  v1::LabelSchema schema;
  RETURN_IF_ERROR(database_.Read([&](Sql& sql) -> absl::Status {
    ASSIGN_OR_RETURN(schema, ReadSchema(sql, request.schema(), request.schema_version()));
    return absl::OkStatus();
  }));
  uint32_t left_out = 0;
  std::vector<Candidate> found;
  if (request.likely_errors_from() > 0) {
    ASSIGN_OR_RETURN(found, FindErrors(request, most));
  } else {
    ASSIGN_OR_RETURN(found, FindFrames(request, filter, most, &left_out));
  }
  v1::TaskSet made;
  made.set_schema(schema.name());
  made.set_schema_version(schema.version());
  made.set_filter(request.filter());
  made.set_priority(request.priority());
  made.set_model(request.model());
  made.set_control_share(request.control_share());
  made.set_known_wrong_share(request.known_wrong_share());
  made.set_pair_share(request.pair_share());
  made.set_seed(request.seed());
  made.set_likely_errors_from(request.likely_errors_from());
  made.set_created_unix_ns(clock_.WallNs());
  made.set_created_by(who.name);
  made.set_left_out(left_out);
  uint64_t set = 0;
  int64_t base = 0;
  // The first transaction makes the set, also where there are no frames for it.
  for (size_t from = 0; from == 0 || from < found.size(); from += kTogether) {
    const size_t to = std::min(found.size(), from + kTogether);
    RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
      if (from == 0) {
        if (with) RETURN_IF_ERROR(with(sql));
        base = FirstOpenTurn(sql, schema.name(), request.priority());
        sql.Query(
            "INSERT INTO label_task_set (body, open, done, skipped) VALUES (:body, 0, 0, 0) "
            "RETURNING number",
            In(Bytes{made.SerializeAsString()}), Out(set), [] {});
      }
      for (size_t i = from; i < to; ++i) {
        const Candidate& one = found[i];
        // Others may have made a task of it since it was found, or checked its clip anew.
        if (!CheckFrameIsThere(sql, one.frame, "frame").ok()) continue;
        ASSIGN_OR_RETURN(const uint64_t frame, KeepFrame(sql, one.frame));
        if (HasOpenTask(sql, frame, schema.name())) continue;
        TaskRow row;
        row.set = set;
        row.frame = frame;
        row.schema = schema.name();
        row.version = schema.version();
        row.priority = request.priority();
        row.turn = base + static_cast<int64_t>(i);
        row.not_for = one.not_for;
        InsertTasks(sql, request, schema, one.frame, std::move(row));
      }
      return absl::OkStatus();
    }));
  }
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::TaskSet> {
    uint32_t open = 0;
    sql.Query("SELECT open FROM label_task_set WHERE number = :set", In(set), Out(open), [] {});
    made.set_number(set);
    made.set_open(open);
    return made;
  });
}

absl::StatusOr<v1::ListTaskSetsResponse> Tasks::ListSets(const v1::ListTaskSetsRequest& request) {
  ASSIGN_OR_RETURN(const int64_t before, PageBefore(request.page_token()));
  const auto page = static_cast<int>(PageSize(request.page_size()));
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListTaskSetsResponse> {
    v1::ListTaskSetsResponse response;
    uint64_t number = 0;
    uint32_t open = 0, done = 0, skipped = 0;
    std::string body;
    BytesOut out{&body};
    sql.Query(
        "SELECT number, body, open, done, skipped FROM label_task_set WHERE number < :before ORDER "
        "BY number DESC LIMIT :most",
        In(before, page + 1), Out(number, out, open, done, skipped), [&] {
          if (response.sets_size() == page) {
            response.set_next_page_token(std::to_string(response.sets(page - 1).number()));
            return;
          }
          v1::TaskSet& set = *response.add_sets();
          set = ParseSet(body, number);
          set.set_open(open);
          set.set_done(done);
          set.set_skipped(skipped);
        });
    return response;
  });
}

absl::StatusOr<v1::ListTasksResponse> Tasks::List(const v1::ListTasksRequest& request) {
  ASSIGN_OR_RETURN(const int64_t before, PageBefore(request.page_token()));
  const auto page = static_cast<int>(PageSize(request.page_size()));
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListTasksResponse> {
    std::string rest = "WHERE number < :before";
    const int state = request.state();
    std::vector<TaskRow> rows;
    const std::string order = " ORDER BY number DESC LIMIT :most";
    if (request.set() != 0 && state != 0) {
      rows = ReadTasks(sql, rest + " AND task_set = :set AND state = :state" + order,
                       In(before, request.set(), state, page + 1));
    } else if (request.set() != 0) {
      rows = ReadTasks(sql, rest + " AND task_set = :set" + order,
                       In(before, request.set(), page + 1));
    } else if (state != 0) {
      rows = ReadTasks(sql, rest + " AND state = :state" + order, In(before, state, page + 1));
    } else {
      rows = ReadTasks(sql, rest + order, In(before, page + 1));
    }
    v1::ListTasksResponse response;
    for (const TaskRow& row : rows) {
      if (response.tasks_size() == page) {
        response.set_next_page_token(std::to_string(response.tasks(page - 1).number()));
        break;
      }
      CopyTo(row, FrameOf(sql, row.frame).id(), response.add_tasks());
    }
    return response;
  });
}

absl::StatusOr<v1::TakeTasksResponse> Tasks::Take(std::string_view schema, uint32_t most,
                                                  const Principal& who,
                                                  const Database::Operation& with) {
  if (most > kMostHeld) return Wrong("most", fmt::format("1 to {}", kMostHeld));
  const size_t wanted = most == 0 ? 1 : most;
  v1::TakeTasksResponse response;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    response.Clear();
    RETURN_IF_ERROR(ReadSchema(sql, schema).status());
    if (with) RETURN_IF_ERROR(with(sql));
    const int64_t now_ns = clock_.WallNs();
    std::vector<TaskRow> taken = ReadTasks(
        sql,
        "WHERE holder = :who AND schema_name = :schema AND free_ns > :now AND state = 1 ORDER BY "
        "priority DESC, turn, number LIMIT :most",
        In(who.name, schema, now_ns, wanted));
    if (taken.size() < wanted) {
      std::set<uint64_t> pairs;
      // Both of a pair may be among the next, of which one person gets one.
      for (TaskRow& row : ReadTasks(sql, std::string(kNextTasks),
                                    In(schema, now_ns, who.name, 2 * (wanted - taken.size())))) {
        if (taken.size() == wanted) break;
        if (pairs.contains(row.number)) continue;
        pairs.insert(row.pair);
        taken.push_back(std::move(row));
      }
    }
    for (TaskRow& row : taken) {
      row.holder = who.name;
      row.free_ns = now_ns + kLeaseNs;
      KeepTask(sql, row, row.state);
      SetNotFor(sql, row.pair, who.name);
      v1::ReviewTask& task = *response.add_tasks();
      task.set_number(row.number);
      *task.mutable_frame() = FrameOf(sql, row.frame);
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
    ASSIGN_OR_RETURN(TaskRow row, ReadHeld(sql, request.task(), who));
    ASSIGN_OR_RETURN(const v1::LabelSchema schema, ReadSchema(sql, row.schema, row.version));
    ASSIGN_OR_RETURN(const v1::Annotation said, SaidOf(row, schema, request));
    v1::Annotation shown;
    shown.ParseFromString(row.shown);
    const bool same = row.IsShown() && SaySame(said, shown);
    // One that puts nothing right accepts.
    const auto verdict = same && request.verdict() == v1::Label::VERDICT_FIXED
                             ? v1::Label::VERDICT_ACCEPTED
                             : request.verdict();
    const bool fooled = same && row.kind == Task::KIND_KNOWN_WRONG;
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

absl::StatusOr<uint32_t> Tasks::Return(std::string_view schema, const Principal& who,
                                       const Database::Operation& with) {
  uint32_t returned = 0;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    RETURN_IF_ERROR(ReadSchema(sql, schema).status());
    if (with) RETURN_IF_ERROR(with(sql));
    std::vector<TaskRow> held = ReadTasks(
        sql, "WHERE holder = :who AND schema_name = :schema AND free_ns > :now AND state = 1",
        In(who.name, schema, clock_.WallNs()));
    for (TaskRow& row : held) {
      row.holder.clear();
      row.free_ns = 0;
      KeepTask(sql, row, row.state);
      SetNotFor(sql, row.pair, "");
    }
    returned = static_cast<uint32_t>(held.size());
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
