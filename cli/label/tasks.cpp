#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "cli/filter.h"
#include "cli/json.h"
#include "cli/label/label.h"
#include "cli/pages.h"
#include "common/clock.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"

namespace gleaner::cli {
namespace {

using v1::Task;

// "second opinion" of KIND_SECOND_OPINION.
std::string WordOf(const std::string& name) {
  return absl::AsciiStrToLower(
      absl::StrReplaceAll(name.substr(std::min(name.size(), name.find('_') + 1)), {{"_", " "}}));
}

std::string StateOf(const Task& task, int64_t now_ns) {
  if (task.state() == Task::STATE_OPEN && task.lease_unix_ns() > now_ns) {
    return "with " + Printable(task.holder());
  }
  if (task.state() == Task::STATE_SKIPPED) return "skipped: " + Printable(task.reason());
  return WordOf(Task::State_Name(task.state()));
}

std::string SourceOf(const v1::TaskSet& set) {
  if (set.likely_errors_from() > 0) {
    return fmt::format("likely errors from {:.2f}", set.likely_errors_from());
  }
  return set.filter().empty() ? "all frames" : Printable(set.filter());
}

absl::Status PrintTasks(const v1::ListTasksResponse& all) {
  const int64_t now_ns = RealClock().WallNs();
  Table table({{"TASK", true}, {"CLIP"}, {"CAMERA"}, {"PTS", true}, {"KIND"}, {"STATE"}});
  for (const Task& task : all.tasks()) {
    table.Add({std::to_string(task.number()), Printable(task.frame().clip()),
               Printable(task.frame().camera()), std::to_string(task.frame().pts()),
               WordOf(Task::Kind_Name(task.kind())), StateOf(task, now_ns)});
  }
  fmt::print("{}", table.empty() ? "No such task.\n" : table.Render());
  return absl::OkStatus();
}

absl::Status PrintSets(const v1::ListTaskSetsResponse& all) {
  const int64_t now_ns = RealClock().WallNs();
  Table table({{"SET", true},
               {"SCHEMA"},
               {"OF"},
               {"PRIORITY", true},
               {"OPEN", true},
               {"TAKEN", true},
               {"DONE", true},
               {"SKIPPED", true},
               {"MADE"},
               {"BY"}});
  for (const v1::TaskSet& set : all.sets()) {
    table.Add({std::to_string(set.number()), Printable(set.schema()), SourceOf(set),
               std::to_string(set.priority()), std::to_string(set.open()),
               std::to_string(set.taken()), std::to_string(set.done()),
               std::to_string(set.skipped()), Ago(set.created_unix_ns(), now_ns),
               Printable(set.created_by())});
  }
  fmt::print("{}", table.empty() ? "No tasks. `gleaner label tasks create` makes some.\n"
                                 : table.Render());
  return absl::OkStatus();
}

}  // namespace

absl::Status CreateTasks(Client& client, const v1::CreateTasksRequest& request, bool json) {
  v1::CreateTasksResponse response;
  const absl::Status asked = client.Call("LabelService/CreateTasks", request, &response);
  if (!asked.ok()) return PointAt(request.filter(), asked);
  if (json) return PrintJsonText(ToJson(response));
  const v1::TaskSet& set = response.set();
  fmt::print("Set {}: {} of {}.\n", set.number(), Count(set.open(), "task"), SourceOf(set));
  if (set.left_out() > 0) {
    fmt::print("{} left out: with an open task, or a label already.\n",
               Count(set.left_out(), "frame"));
  }
  return absl::OkStatus();
}

absl::Status ListTasks(Client& client, uint64_t set, uint32_t limit, bool json) {
  if (set == 0) {
    ASSIGN_OR_RETURN(const v1::ListTaskSetsResponse all,
                     ReadPages(client, "LabelService/ListTaskSets", v1::ListTaskSetsRequest(),
                               &v1::ListTaskSetsResponse::mutable_sets, limit));
    return json ? PrintJsonText(ToJson(all)) : PrintSets(all);
  }
  v1::GetTaskSetRequest which;
  which.set_number(set);
  v1::GetTaskSetResponse there;
  RETURN_IF_ERROR(client.Call("LabelService/GetTaskSet", which, &there));
  v1::ListTasksRequest request;
  request.set_set(set);
  ASSIGN_OR_RETURN(const v1::ListTasksResponse all,
                   ReadPages(client, "LabelService/ListTasks", request,
                             &v1::ListTasksResponse::mutable_tasks, limit));
  return json ? PrintJsonText(ToJson(all)) : PrintTasks(all);
}

absl::Status RequeueTasks(Client& client, const std::vector<uint64_t>& numbers, uint64_t set,
                          bool json) {
  if (numbers.empty() == (set == 0)) {
    return absl::InvalidArgumentError("which tasks? Their numbers, or --set for all of one set");
  }
  std::vector<uint64_t> all = numbers;
  if (set != 0) {
    v1::ListTasksRequest request;
    request.set_set(set);
    request.set_state(Task::STATE_SKIPPED);
    ASSIGN_OR_RETURN(const v1::ListTasksResponse skipped,
                     ReadPages(client, "LabelService/ListTasks", request,
                               &v1::ListTasksResponse::mutable_tasks));
    for (const Task& task : skipped.tasks()) all.push_back(task.number());
  }
  for (const uint64_t number : all) {
    v1::RequeueTaskRequest request;
    request.set_number(number);
    v1::RequeueTaskResponse response;
    RETURN_IF_ERROR(client.Call("LabelService/RequeueTask", request, &response));
  }
  if (json) {
    PrintJson({{"requeued", all}});
  } else {
    fmt::print("{} again.\n",
               all.size() == 1 ? "1 task waits" : fmt::format("{} tasks wait", all.size()));
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cli
