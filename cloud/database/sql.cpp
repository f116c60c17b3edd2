#include "cloud/database/sql.h"

#include <fmt/format.h>

namespace gleaner::cloud {

Statement& Sql::Prepared(std::string_view text) {
  auto& statement = statements_[std::string(text)];
  if (statement == nullptr) statement = connection_->Prepare(text);
  return *statement;
}

void Sql::BindText(Statement& statement, int parameter, std::string_view value) {
  if (value.find('\0') != std::string_view::npos) {
    throw SqlError(SqlError::Kind::kInput, "a text with a NUL in it");
  }
  statement.BindText(parameter, value);
}

absl::Status ToStatus(const SqlError& error) {
  const std::string message = fmt::format("database: {}", error.what());
  switch (error.kind()) {
    case SqlError::Kind::kDamaged:
      return absl::DataLossError(message);
    case SqlError::Kind::kFull:
      return absl::ResourceExhaustedError(message);
    case SqlError::Kind::kBusy:
    case SqlError::Kind::kConflict:
    case SqlError::Kind::kLost:
      return absl::UnavailableError(message);
    case SqlError::Kind::kInput:
      return absl::InvalidArgumentError(message);
    case SqlError::Kind::kPassed:
      return absl::DeadlineExceededError(
          "there was no time to read all that was asked for: a narrower filter needs less");
    case SqlError::Kind::kDisk:
    case SqlError::Kind::kOther:
      break;
  }
  return absl::InternalError(message);
}

}  // namespace gleaner::cloud
