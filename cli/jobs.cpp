#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "common/clock.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "gleaner/v1/jobs.pb.h"

namespace gleaner::cli {
namespace {

using v1::Job;

struct StateWord {
  const char* word;
  Job::State state;
};
constexpr StateWord kStates[] = {{"waiting", Job::STATE_WAITING},
                                 {"running", Job::STATE_RUNNING},
                                 {"done", Job::STATE_DONE},
                                 {"failed", Job::STATE_FAILED},
                                 {"cancelled", Job::STATE_CANCELLED}};

std::string WordOf(const Job& job) {
  if (job.cancel_requested()) return "ending";
  for (const StateWord& one : kStates) {
    if (one.state == job.state()) return one.word;
  }
  return "unknown";
}

absl::StatusOr<Job::State> StateOf(const std::string& word) {
  std::string known;
  for (const StateWord& one : kStates) {
    if (word == one.word) return one.state;
    known += (known.empty() ? "" : ", ") + std::string(one.word);
  }
  return absl::InvalidArgumentError(
      fmt::format("--state: \"{}\" is none of {}", Printable(word), known));
}

// How far it is, or what came of it.
std::string OutcomeOf(const Job& job) {
  switch (job.state()) {
    case Job::STATE_RUNNING:
      return fmt::format("{:.0f} %{}", 100 * job.progress(),
                         job.doing().empty() ? "" : ", " + Printable(job.doing()));
    case Job::STATE_DONE:
      return Printable(job.result());
    default:
      return Printable(job.error());
  }
}

std::string SinceOf(const Job& job, int64_t now_ns) {
  const int64_t since = job.ended_unix_ns() != 0     ? job.ended_unix_ns()
                        : job.started_unix_ns() != 0 ? job.started_unix_ns()
                                                     : job.created_unix_ns();
  return Ago(since, now_ns);
}

void PrintJob(const Job& job) {
  const int64_t now_ns = RealClock().WallNs();
  fmt::print("job       {}, {} of {}\n", job.number(), Printable(job.kind()),
             Printable(job.subject()));
  if (!job.share().empty()) fmt::print("for       {}\n", Printable(job.share()));
  fmt::print("state     {}, {}\n", WordOf(job), SinceOf(job, now_ns));
  fmt::print("attempts  {} of {}\n", job.attempts(), job.max_attempts());
  if (!job.worker().empty()) fmt::print("server    {}\n", Printable(job.worker()));
  if (job.state() == Job::STATE_RUNNING) fmt::print("progress  {}\n", OutcomeOf(job));
  if (!job.result().empty()) fmt::print("result    {}\n", Printable(job.result()));
  if (!job.error().empty()) fmt::print("error     {}\n", Printable(job.error()));
}

template <typename Request, typename Response>
absl::Status AskAbout(Client& client, std::string_view method, uint64_t number, bool json) {
  Request request;
  request.set_number(number);
  Response response;
  RETURN_IF_ERROR(client.Call(fmt::format("JobsService/{}", method), request, &response));
  if (json) return PrintJsonText(ToJson(response));
  PrintJob(response.job());
  return absl::OkStatus();
}

}  // namespace

absl::Status ListJobs(Client& client, const ListJobsOptions& options) {
  v1::ListJobsRequest request;
  for (const std::string& kind : options.kinds) request.add_kinds(kind);
  for (const std::string& word : options.states) {
    ASSIGN_OR_RETURN(const Job::State state, StateOf(word));
    request.add_states(state);
  }
  request.set_subject(options.subject);
  ASSIGN_OR_RETURN(const v1::ListJobsResponse all,
                   ReadPages(client, "JobsService/ListJobs", request,
                             &v1::ListJobsResponse::mutable_jobs, options.limit));
  if (options.json) return PrintJsonText(ToJson(all));
  const int64_t now_ns = RealClock().WallNs();
  Table table({{"JOB", true}, {"KIND"}, {"SUBJECT"}, {"FOR"}, {"STATE"}, {"SINCE"}, {"OUTCOME"}});
  for (const Job& job : all.jobs()) {
    table.Add({std::to_string(job.number()), Printable(job.kind()), Printable(job.subject()),
               Printable(job.share()), WordOf(job), SinceOf(job, now_ns), OutcomeOf(job)});
  }
  if (table.empty()) {
    const bool any = options.kinds.empty() && options.states.empty() && options.subject.empty();
    fmt::print("No jobs{}.\n", any ? " yet" : " match this");
  } else {
    fmt::print("{}", table.Render());
  }
  for (const v1::JobCount& count : all.counts()) {
    fmt::print("{}: {} waiting, {} running, {} failed\n", Printable(count.kind()), count.waiting(),
               count.running(), count.failed());
  }
  return absl::OkStatus();
}

absl::Status ShowJob(Client& client, uint64_t number, bool json) {
  return AskAbout<v1::GetJobRequest, v1::GetJobResponse>(client, "GetJob", number, json);
}

absl::Status CancelJob(Client& client, uint64_t number, bool json) {
  return AskAbout<v1::CancelJobRequest, v1::CancelJobResponse>(client, "CancelJob", number, json);
}

absl::Status RetryJob(Client& client, uint64_t number, bool json) {
  return AskAbout<v1::RetryJobRequest, v1::RetryJobResponse>(client, "RetryJob", number, json);
}

}  // namespace gleaner::cli
