#include "common/tuf/refusal.h"

#include <fmt/format.h>

#include <array>

namespace gleaner::tuf {
namespace {

constexpr char kPayload[] = "gleaner/tuf.refusal";

struct Named {
  Refusal refusal;
  std::string_view name;
  absl::StatusCode code;
};
constexpr std::array<Named, 11> kNames{{
    {Refusal::kMalformed, "malformed", absl::StatusCode::kDataLoss},
    {Refusal::kEndlessData, "endless_data", absl::StatusCode::kResourceExhausted},
    {Refusal::kWrongKey, "wrong_key", absl::StatusCode::kPermissionDenied},
    {Refusal::kBadSignature, "bad_signature", absl::StatusCode::kPermissionDenied},
    {Refusal::kTooFewSignatures, "too_few_signatures", absl::StatusCode::kPermissionDenied},
    {Refusal::kExpired, "expired", absl::StatusCode::kFailedPrecondition},
    {Refusal::kFreeze, "freeze", absl::StatusCode::kFailedPrecondition},
    {Refusal::kRollback, "rollback", absl::StatusCode::kFailedPrecondition},
    {Refusal::kMixAndMatch, "mix_and_match", absl::StatusCode::kFailedPrecondition},
    {Refusal::kAltered, "altered", absl::StatusCode::kDataLoss},
    {Refusal::kMissing, "missing", absl::StatusCode::kNotFound},
}};

const Named& Entry(Refusal refusal) { return kNames.at(static_cast<size_t>(refusal)); }

}  // namespace

std::string_view NameOf(Refusal refusal) { return Entry(refusal).name; }

absl::Status Refuse(Refusal refusal, std::string_view sentence) {
  const Named& entry = Entry(refusal);
  absl::Status status(entry.code, fmt::format("{}: {}", entry.name, sentence));
  status.SetPayload(kPayload, absl::Cord(std::string(entry.name)));
  return status;
}

std::optional<Refusal> RefusalOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return std::nullopt;
  for (const Named& entry : kNames) {
    if (*payload == absl::string_view(entry.name.data(), entry.name.size())) return entry.refusal;
  }
  return std::nullopt;
}

}  // namespace gleaner::tuf
