#include "cloud/label/task_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

#include "cloud/database/pages.h"
#include "cloud/label/annotation.h"
#include "cloud/label/disagreement.h"
#include "cloud/label/kept_frames.h"
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
  if (request.most() > TaskSets::kMaxTasks) {
    return Wrong("most", fmt::format("at most {}", TaskSets::kMaxTasks));
  }
  if (std::abs(int64_t{request.priority()}) > TaskSets::kMaxPriority) {
    return Wrong("priority", fmt::format("-{0} to {0}", TaskSets::kMaxPriority));
  }
  if (!request.model().empty()) RETURN_IF_ERROR(CheckModelName(request.model(), "model"));
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

bool HasLabel(Sql& sql, const v1::FrameId& id, std::string_view schema) {
  int one = 0;
  return sql.Query(
      "SELECT 1 FROM label_current WHERE schema_name = :schema AND clip = :clip AND camera = "
      ":camera AND pts = :pts",
      In(schema, id.clip(), id.camera(), id.pts()), Out(one), [] {});
}

// The last turn of a schema and priority that anybody took.
int64_t LastTurnTaken(Sql& sql, std::string_view schema, int32_t priority) {
  int64_t turn = 0;
  sql.Query(
      "SELECT turn FROM label_task WHERE schema_name = :schema AND priority = :priority AND holder "
      "<> '' ORDER BY turn DESC LIMIT 1",
      In(schema, priority), Out(turn), [] {});
  return turn;
}

// One frame's task, or its two.
void InsertTasks(Sql& sql, const v1::CreateTasksRequest& request, const v1::LabelSchema& schema,
                 const v1::FrameId& frame, TaskRow row) {
  auto prediction = NewestPrediction(sql, row.frame, schema.name(), request.model());
  // One that says what this version of the schema can't say is shown to nobody: nobody could save
  // it.
  if (prediction &&
      !CheckAnnotation(schema, prediction->annotation(), SaidBy::kModel, "prediction").ok()) {
    prediction.reset();
  }
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

// Of the tasks of a set: somebody has them now.
uint32_t CountTaken(Sql& sql, uint64_t set, int64_t now_ns) {
  uint32_t taken = 0;
  sql.Query(
      "SELECT COUNT(*) FROM label_task WHERE task_set = :set AND state = 1 AND holder <> '' AND "
      "free_ns > :now",
      In(set, now_ns), Out(taken), [] {});
  return taken;
}

// Sets with numbers below `before` and from `from` on, newest first, `most` of them.
std::vector<v1::TaskSet> ReadSets(Sql& sql, int64_t from, int64_t before, int most,
                                  int64_t now_ns) {
  std::vector<v1::TaskSet> sets;
  uint64_t number = 0;
  uint32_t open = 0, done = 0, skipped = 0;
  std::string body;
  BytesOut out{&body};
  sql.Query(
      "SELECT number, body, open, done, skipped FROM label_task_set WHERE number >= :from AND "
      "number < :before ORDER BY number DESC LIMIT :most",
      In(from, before, most), Out(number, out, open, done, skipped), [&] {
        v1::TaskSet& set = sets.emplace_back();
        set.ParseFromString(body);
        set.set_number(number);
        set.set_open(open);
        set.set_done(done);
        set.set_skipped(skipped);
      });
  for (v1::TaskSet& set : sets) set.set_taken(CountTaken(sql, set.number(), now_ns));
  return sets;
}

}  // namespace

absl::StatusOr<std::vector<TaskSets::Candidate>> TaskSets::FindFrames(
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

absl::StatusOr<std::vector<TaskSets::Candidate>> TaskSets::FindErrors(
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

absl::StatusOr<v1::TaskSet> TaskSets::Create(const v1::CreateTasksRequest& request,
                                             const Filter& filter, const Principal& who,
                                             const Database::Operation& with) {
  RETURN_IF_ERROR(Check(request));
  const uint32_t most = request.most() == 0 ? kUsualTasks : request.most();
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
        base = LastTurnTaken(sql, schema.name(), request.priority());
        sql.Query(
            "INSERT INTO label_task_set (body, open, done, skipped) VALUES (:body, 0, 0, 0) "
            "RETURNING number",
            In(Bytes{made.SerializeAsString()}), Out(set), [] {});
      }
      for (size_t i = from; i < to; ++i) {
        const Candidate& one = found[i];
        // Others may have made a task of it since it was found, or checked its clip anew.
        if (!FindFrame(sql, one.frame, "frame").ok()) continue;
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

absl::StatusOr<v1::TaskSet> TaskSets::Get(uint64_t number) {
  const auto at = static_cast<int64_t>(number);
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::TaskSet> {
    if (at > 0 && at < std::numeric_limits<int64_t>::max()) {
      std::vector<v1::TaskSet> found = ReadSets(sql, at, at + 1, 1, clock_.WallNs());
      if (!found.empty()) return std::move(found.front());
    }
    return absl::NotFoundError(fmt::format("there is no set {}", number));
  });
}

absl::StatusOr<v1::ListTaskSetsResponse> TaskSets::List(const v1::ListTaskSetsRequest& request) {
  ASSIGN_OR_RETURN(const int64_t before, PageBefore(request.page_token()));
  const auto page = static_cast<int>(PageSize(request.page_size()));
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListTaskSetsResponse> {
    v1::ListTaskSetsResponse response;
    for (v1::TaskSet& set : ReadSets(sql, 0, before, page + 1, clock_.WallNs())) {
      if (response.sets_size() == page) {
        response.set_next_page_token(std::to_string(response.sets(page - 1).number()));
        break;
      }
      *response.add_sets() = std::move(set);
    }
    return response;
  });
}

}  // namespace gleaner::cloud
