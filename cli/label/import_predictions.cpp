#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include "cli/json.h"
#include "cli/label/label.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"

namespace gleaner::cli {
namespace {

// What one request has: quotes are longer on their way, and a request has an end.
constexpr size_t kMaxPieceBytes = 256 << 10;
constexpr uint32_t kMaxPieceLines = 500;

// The next line, without its end. False where there is none.
absl::StatusOr<bool> NextLine(std::istream& file, const std::string& name, uint64_t number,
                              std::string* line) {
  line->clear();
  for (int c = file.get(); c != std::istream::traits_type::eof(); c = file.get()) {
    if (c == '\n') return true;
    if (line->size() == kMaxPieceBytes) {
      return absl::InvalidArgumentError(fmt::format("{}: line {} is longer than {} KiB",
                                                    Printable(name), number, kMaxPieceBytes >> 10));
    }
    *line += static_cast<char>(c);
  }
  if (file.bad()) return absl::DataLossError(fmt::format("{} can't be read", Printable(name)));
  return !line->empty();
}

}  // namespace

absl::Status ImportPredictions(Client& client, const ImportPredictionsOptions& options) {
  std::ifstream opened;
  const bool standard = options.file == "-";
  if (!standard) {
    opened.open(options.file, std::ios::binary);
    if (!opened) {
      return absl::NotFoundError(fmt::format("{} can't be opened", Printable(options.file)));
    }
  }
  std::istream& file = standard ? std::cin : opened;
  v1::ImportPredictionsRequest request;
  request.set_schema(options.schema);
  request.set_schema_version(options.schema_version);
  request.set_model(options.model);
  request.set_model_version(options.model_version);
  v1::ImportPredictionsResponse all;
  const auto send = [&]() -> absl::Status {
    v1::ImportPredictionsResponse some;
    const absl::Status sent = client.Call("LabelService/ImportPredictions", request, &some);
    if (!sent.ok()) return Annotate(sent, Printable(options.file));
    all.set_added(all.added() + some.added());
    all.set_already(all.already() + some.already());
    return absl::OkStatus();
  };
  std::string line;
  uint32_t lines = 0;
  for (uint32_t number = 1;; ++number) {
    ASSIGN_OR_RETURN(const bool more, NextLine(file, options.file, number, &line));
    const bool full =
        lines == kMaxPieceLines || request.json_lines().size() + line.size() + 1 > kMaxPieceBytes;
    if (lines > 0 && (!more || full)) {
      RETURN_IF_ERROR(send());
      request.clear_json_lines();
      lines = 0;
    }
    if (!more) break;
    if (lines == 0) {
      // A piece begins with a line that says something: blank lines alone are not sent.
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      request.set_first_line(number);
    }
    ++lines;
    *request.mutable_json_lines() += line + "\n";
  }
  if (options.json) return PrintJsonText(ToJson(all));
  fmt::print("{} added, {} there already.\n", all.added(), all.already());
  return absl::OkStatus();
}

}  // namespace gleaner::cli
