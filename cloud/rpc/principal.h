// Who a call is made for: the person or script behind a request, from the door where that was found
// out (http/access.h) to the service that does what was asked.
//
// It goes along as metadata of the call, together with a secret that this process made for itself
// when it started. So nobody outside can say who he is: the gateway passes no header on, and what a
// device or another client sends as metadata lacks the secret and counts as nothing.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gleaner/v1/role.pb.h"

namespace gleaner::cloud {

struct Principal {
  std::string name;  // for the audit; bounded, one line
  v1::Role role = v1::ROLE_UNSPECIFIED;

  bool May(v1::Role least) const { return role >= least; }
};

// "operator", as people and commands write it; "nobody" for ROLE_UNSPECIFIED.
std::string_view RoleWord(v1::Role role);

// The call goes out in the name of `principal`. Only within this process.
void CallAs(const Principal& principal, grpc::ClientContext* context);

// In whose name the call came. UNAUTHENTICATED where it doesn't say, or nobody of this process says
// so.
absl::StatusOr<Principal> PrincipalOf(const grpc::ServerContextBase& context);

}  // namespace gleaner::cloud
