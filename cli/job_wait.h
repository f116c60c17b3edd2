// Waiting for a job of the server.
#pragma once

#include "absl/status/status.h"
#include "cli/client.h"
#include "gleaner/v1/jobs.pb.h"

namespace gleaner::cli {

// Until the job has ended; with `progress` how far it is stands on standard error. An error says
// why it isn't done.
absl::Status WaitForJob(Client& client, v1::Job job, bool progress);

// For who doesn't wait: the answer that names the job, as JSON, or only "job 7".
absl::Status PrintJobToCome(const google::protobuf::Message& answer, const v1::Job& job, bool json);

}  // namespace gleaner::cli
