// v1.AccessService: who asks, tokens, the audit.
#pragma once

#include "cloud/access/tokens.h"
#include "gleaner/v1/access.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class AccessService : public v1::AccessService::Service {
 public:
  // Both must outlive it.
  AccessService(Database& database, Tokens& tokens) : database_(database), tokens_(tokens) {}

  grpc::Status WhoAmI(grpc::ServerContext* context, const v1::WhoAmIRequest* request,
                      v1::WhoAmIResponse* response) override;
  grpc::Status ListTokens(grpc::ServerContext* context, const v1::ListTokensRequest* request,
                          v1::ListTokensResponse* response) override;
  grpc::Status CreateToken(grpc::ServerContext* context, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override;
  grpc::Status RevokeToken(grpc::ServerContext* context, const v1::RevokeTokenRequest* request,
                           v1::RevokeTokenResponse* response) override;
  grpc::Status ListAudit(grpc::ServerContext* context, const v1::ListAuditRequest* request,
                         v1::ListAuditResponse* response) override;

 private:
  Database& database_;
  Tokens& tokens_;
};

}  // namespace gleaner::cloud
