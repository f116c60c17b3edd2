#include "cli/job_wait.h"

#include <fmt/format.h>

#include <cstdio>
#include <stop_token>

#include "cli/json.h"
#include "common/clock.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"

namespace gleaner::cli {
namespace {

constexpr int64_t kAskEveryNs = kNanosPerSecond / 2;

void ShowProgress(const std::string& text) {
  fmt::print(stderr, "\r\x1b[K{}", text);
  std::fflush(stderr);
}

}  // namespace

absl::Status WaitForJob(Client& client, v1::Job job, bool progress) {
  v1::GetJobRequest request;
  request.set_number(job.number());
  while (job.state() == v1::Job::STATE_WAITING || job.state() == v1::Job::STATE_RUNNING) {
    if (progress) {
      ShowProgress(job.state() == v1::Job::STATE_WAITING
                       ? "waiting for its turn"
                       : fmt::format("{:.0f} % {}", 100 * job.progress(), Printable(job.doing())));
    }
    RealClock().Sleep({}, kAskEveryNs);
    v1::GetJobResponse response;
    RETURN_IF_ERROR(client.Call("JobsService/GetJob", request, &response));
    job = response.job();
  }
  if (progress) ShowProgress("");
  if (job.state() == v1::Job::STATE_DONE) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("job {} {}", job.number(),
                                                   job.state() == v1::Job::STATE_CANCELLED
                                                       ? "was cancelled"
                                                       : "failed: " + Printable(job.error())));
}

absl::Status PrintJobToCome(const google::protobuf::Message& answer, const v1::Job& job,
                            bool json) {
  if (json) return PrintJsonText(ToJson(answer));
  fmt::print("job {}\n", job.number());
  return absl::OkStatus();
}

}  // namespace gleaner::cli
