// A unary call that can't hang: it has a deadline, and ends at once when `stop` is requested.
#pragma once

#include <grpc/support/time.h>
#include <grpcpp/client_context.h>

#include <cstdint>
#include <stop_token>

#include "absl/status/status.h"
#include "edge/upload/link.h"

namespace gleaner::edge {

// `call(context)` makes the call and returns its grpc::Status; this what Link::Heard makes of it.
template <typename F>
absl::Status CallUnary(Link& link, const std::stop_token& stop, int64_t deadline_ns, F call) {
  grpc::ClientContext context;
  link.Prepare(&context);
  // By the monotonic clock: wall time may step.
  context.set_deadline(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(deadline_ns, GPR_TIMESPAN)));
  const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  return link.Heard(call(&context));
}

}  // namespace gleaner::edge
