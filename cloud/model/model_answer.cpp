#include "cloud/model/model_answer.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "cloud/sandbox/process.h"
#include "common/status.h"

namespace gleaner::cloud::model {
namespace {

absl::Status Nonsense(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("the worker's answer makes no sense: {}", what));
}

bool IsInside(const Detection& one) {
  const auto share = [](float value) { return value >= 0 && value <= 1; };  // NaN is neither
  return share(one.score) && share(one.left) && share(one.top) && share(one.right) &&
         share(one.bottom) && one.left < one.right && one.top < one.bottom;
}

absl::StatusOr<Said> ParseResult(std::string_view payload, const Wanted& wanted) {
  ResultHead head;
  if (payload.size() < sizeof(head)) return Nonsense("a result breaks off");
  std::memcpy(&head, payload.data(), sizeof(head));
  payload.remove_prefix(sizeof(head));
  if (head.detections > kMaxDetections || head.dims > kMaxDims ||
      (wanted.labels == 0 && head.detections > 0) || (head.dims > 0) != wanted.embedding) {
    return Nonsense("a result nobody asked for");
  }
  const size_t boxes = head.detections * sizeof(Detection);
  if (payload.size() != boxes + head.dims * sizeof(float)) return Nonsense("a result breaks off");
  Said said;
  said.detections.resize(head.detections);
  said.embedding.resize(head.dims);
  if (boxes > 0) std::memcpy(said.detections.data(), payload.data(), boxes);
  if (head.dims > 0) {
    std::memcpy(said.embedding.data(), payload.data() + boxes, head.dims * sizeof(float));
  }
  float before = 1;
  for (const Detection& one : said.detections) {
    if (one.label >= wanted.labels) return Nonsense("a label that isn't one");
    if (!IsInside(one) || one.score > before) return Nonsense("a box that can't be");
    before = one.score;
  }
  for (const float value : said.embedding) {
    if (!std::isfinite(value)) return Nonsense("an embedding of what is no number");
  }
  return said;
}

}  // namespace

absl::StatusOr<std::vector<Said>> ParseAnswer(std::string_view bytes, const Wanted& wanted) {
  std::vector<Said> all;
  while (!bytes.empty()) {
    sandbox::Piece piece;
    if (!sandbox::NextPiece(bytes, &piece)) return Nonsense("it breaks off");
    const auto kind = static_cast<PieceKind>(piece.kind);
    switch (kind) {
      case PieceKind::kTrouble:
        return absl::UnavailableError(sandbox::PlainText(piece.payload));
      case PieceKind::kFault:
        return absl::FailedPreconditionError(sandbox::PlainText(piece.payload));
      case PieceKind::kRefused:
        if (piece.payload.empty()) return Nonsense("a picture refused without a reason");
        all.push_back({.refused = sandbox::PlainText(piece.payload)});
        break;
      case PieceKind::kResult: {
        ASSIGN_OR_RETURN(Said said, ParseResult(piece.payload, wanted));
        all.push_back(std::move(said));
        break;
      }
      default:
        return Nonsense("an unknown piece");
    }
    if (all.size() > wanted.pictures) return Nonsense("more pictures than there are");
  }
  size_t dims = 0;
  for (const Said& said : all) {
    if (said.embedding.empty()) continue;
    if (dims != 0 && said.embedding.size() != dims)
      return Nonsense("embeddings of several lengths");
    dims = said.embedding.size();
  }
  if (all.size() != wanted.pictures) return Nonsense("pictures are missing");
  return all;
}

size_t MaxAnswerBytes(const Wanted& wanted) {
  const size_t each = sizeof(sandbox::PieceHead) + sizeof(ResultHead) +
                      kMaxDetections * sizeof(Detection) + kMaxDims * sizeof(float);
  return (wanted.pictures + 1) * each;
}

}  // namespace gleaner::cloud::model
