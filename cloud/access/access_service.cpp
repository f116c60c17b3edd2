#include "cloud/access/access_service.h"

#include "cloud/access/audit.h"
#include "cloud/rpc/answer.h"

namespace gleaner::cloud {

grpc::Status AccessService::WhoAmI(grpc::ServerContext* context, const v1::WhoAmIRequest*,
                                   v1::WhoAmIResponse* response) {
  const auto who = PrincipalOf(*context);
  if (!who.ok()) return ToCaller(who.status());
  response->set_name(who->name);
  response->set_role(who->role);
  return grpc::Status::OK;
}

grpc::Status AccessService::ListTokens(grpc::ServerContext*, const v1::ListTokensRequest* request,
                                       v1::ListTokensResponse* response) {
  return Answer(tokens_.List(*request), response);
}

grpc::Status AccessService::CreateToken(grpc::ServerContext* context,
                                        const v1::CreateTokenRequest* request,
                                        v1::CreateTokenResponse* response) {
  const auto who = PrincipalOf(*context);
  if (!who.ok()) return ToCaller(who.status());
  return Answer(tokens_.Create(*who, request->name(), request->role()), response);
}

grpc::Status AccessService::RevokeToken(grpc::ServerContext* context,
                                        const v1::RevokeTokenRequest* request,
                                        v1::RevokeTokenResponse* response) {
  const auto who = PrincipalOf(*context);
  if (!who.ok()) return ToCaller(who.status());
  return Answer(tokens_.Revoke(*who, request->name()), response->mutable_token());
}

grpc::Status AccessService::ListAudit(grpc::ServerContext*, const v1::ListAuditRequest* request,
                                      v1::ListAuditResponse* response) {
  return Answer(cloud::ListAudit(database_, *request), response);
}

}  // namespace gleaner::cloud
