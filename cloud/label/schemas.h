// Schemas: what can be said of frames. Each version stays as it is; a new one of the same name
// keeps its kind, and the ids of its classes keep their meaning.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/rpc/principal.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cloud {

// Within a transaction. NOT_FOUND without such a schema or version; version 0: the newest.
absl::StatusOr<v1::LabelSchema> ReadSchema(Sql& sql, std::string_view name, uint32_t version = 0);

// Thread-safe; blocks. Errors as Database.
class Schemas {
 public:
  // `database` must outlive it.
  explicit Schemas(Database& database) : database_(database) {}

  // The next version of its name; INVALID_ARGUMENT names what is wrong with it, FAILED_PRECONDITION
  // the classes that it lacks, unless they are meant to go. `with`: in the same transaction,
  // before.
  absl::StatusOr<v1::CreateSchemaResponse> Create(const v1::LabelSchema& schema,
                                                  const Principal& who, int64_t now_ns,
                                                  const Database::Operation& with = {},
                                                  bool drop_classes = false);
  absl::StatusOr<v1::ListSchemasResponse> List(const v1::ListSchemasRequest& request);
  absl::StatusOr<v1::LabelSchema> Get(std::string_view name, uint32_t version);

 private:
  Database& database_;
};

}  // namespace gleaner::cloud
