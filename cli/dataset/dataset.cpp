#include "cli/dataset/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "cli/download.h"
#include "cli/filter.h"
#include "cli/job_wait.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "gleaner/v1/dataset.pb.h"

namespace gleaner::cli {
namespace {

void ShowProgress(const std::string& text) {
  fmt::print(stderr, "\r\x1b[K{}", text);
  std::fflush(stderr);
}

// A name from the server that is to become a file's here.
bool IsFileName(const std::string& name) {
  return !name.empty() && name.size() < 200 && name[0] != '.' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string::npos;
}

}  // namespace

absl::Status FreezeDataset(Client& client, const FreezeDatasetOptions& options) {
  v1::FreezeDatasetRequest request;
  request.set_name(options.name);
  request.set_schema(options.schema);
  request.set_filter(options.filter);
  request.set_leave_out_empty(options.leave_out_empty);
  request.set_most(options.most);
  request.set_seed(options.seed);
  if (!options.least_role.empty()) {
    v1::Role role = v1::ROLE_UNSPECIFIED;
    if (!v1::Role_Parse("ROLE_" + absl::AsciiStrToUpper(options.least_role), &role)) {
      return absl::InvalidArgumentError(
          fmt::format("--least-role: \"{}\" is none of annotator, operator, admin",
                      Printable(options.least_role)));
    }
    request.set_least_role(role);
  }
  v1::FreezeDatasetResponse response;
  const absl::Status asked = client.Call("DatasetService/FreezeDataset", request, &response);
  if (!asked.ok()) return PointAt(options.filter, asked);
  if (!options.wait) return PrintJobToCome(response, response.job(), options.json);
  RETURN_IF_ERROR(WaitForJob(client, response.job(), options.progress));
  return ShowDataset(client, options.name, options.json);
}

absl::Status ListDatasets(Client& client, uint32_t limit, bool json) {
  ASSIGN_OR_RETURN(const v1::ListDatasetsResponse all,
                   ReadPages(client, "DatasetService/ListDatasets", v1::ListDatasetsRequest(),
                             &v1::ListDatasetsResponse::mutable_datasets, limit));
  if (json) return PrintJsonText(ToJson(all));
  Table table({{"DATASET"},
               {"SCHEMA"},
               {"FRAMES", true},
               {"PICTURES", true},
               {"FROZEN"},
               {"BY"},
               {"ROOT"},
               {"FILTER"}});
  for (const v1::Dataset& one : all.datasets()) {
    table.Add({Printable(one.name()), Printable(one.schema()), std::to_string(one.frames()),
               HumanBytes(one.picture_bytes()), LocalTime(one.made_unix_ns()),
               Printable(one.made_by()), Printable(one.root().substr(0, 12)),
               Printable(one.filter())});
  }
  if (table.empty()) {
    fmt::print("No dataset yet: gleaner dataset freeze makes one.\n");
  } else {
    fmt::print("{}", table.Render());
  }
  return absl::OkStatus();
}

absl::Status ShowDataset(Client& client, const std::string& name, bool json) {
  v1::GetDatasetRequest request;
  request.set_name(name);
  v1::GetDatasetResponse response;
  RETURN_IF_ERROR(client.Call("DatasetService/GetDataset", request, &response));
  if (json) return PrintJsonText(ToJson(response));
  const v1::Dataset& dataset = response.dataset();
  fmt::print("root      {}\nfrozen    {} by {}\n", Printable(dataset.root()),
             LocalTime(dataset.made_unix_ns()), Printable(dataset.made_by()));
  // Line by line: what it says comes from names and a filter that others wrote.
  const std::string& card = response.card_text();
  for (size_t at = 0; at < card.size();) {
    const size_t end = std::min(card.find('\n', at), card.size());
    fmt::print("{}\n", Printable(card.substr(at, end - at)));
    at = end + 1;
  }
  return absl::OkStatus();
}

absl::Status DiffDatasets(Client& client, const std::string& from, const std::string& to,
                          uint32_t limit, bool json) {
  v1::DiffDatasetsRequest request;
  request.set_from(from);
  request.set_to(to);
  request.set_limit(limit);
  v1::DiffDatasetsResponse response;
  RETURN_IF_ERROR(client.Call("DatasetService/DiffDatasets", request, &response));
  if (json) return PrintJsonText(ToJson(response));
  fmt::print("{} added, {} removed, {} changed, {} the same\n", response.added(),
             response.removed(), response.changed(), response.same());
  for (const v1::DatasetChange& change : response.changes()) {
    std::string what;
    for (const std::string& one : change.what())
      what += (what.empty() ? "  " : ", ") + Printable(one);
    fmt::print("{} {}/{}/{}{}\n",
               change.kind() == v1::DatasetChange::KIND_ADDED     ? '+'
               : change.kind() == v1::DatasetChange::KIND_REMOVED ? '-'
                                                                  : '~',
               Printable(change.frame().clip()), Printable(change.frame().camera()),
               change.frame().pts(), what);
  }
  return absl::OkStatus();
}

absl::Status VerifyDataset(Client& client, const std::string& name, bool json) {
  v1::VerifyDatasetRequest request;
  request.set_name(name);
  v1::VerifyDatasetResponse response;
  RETURN_IF_ERROR(client.Call("DatasetService/VerifyDataset", request, &response));
  if (json) return PrintJsonText(ToJson(response));
  fmt::print("{} is what was frozen: {}, root {}\n", Printable(name),
             Count(response.frames(), "frame"), Printable(response.root()));
  return absl::OkStatus();
}

absl::Status ExportDataset(Client& client, const ExportDatasetOptions& options) {
  v1::ExportDatasetRequest request;
  request.set_name(options.name);
  request.set_format(options.format);
  request.set_shard_bytes(options.shard_bytes);
  for (const std::string& split : options.splits) request.add_splits(split);
  v1::ExportDatasetResponse response;
  RETURN_IF_ERROR(client.Call("DatasetService/ExportDataset", request, &response));
  if (response.has_job()) {
    RETURN_IF_ERROR(WaitForJob(client, response.job(), options.progress));
    response.Clear();
    RETURN_IF_ERROR(client.Call("DatasetService/ExportDataset", request, &response));
    if (!response.has_export_()) {
      return absl::UnavailableError("the export was made and is gone again: ask once more");
    }
  }
  const v1::Export& made = response.export_();
  if (!options.urls) {
    std::error_code error;
    std::filesystem::create_directories(options.directory, error);
    if (error) {
      return absl::InvalidArgumentError(fmt::format("{}: {}", options.directory, error.message()));
    }
    for (const v1::ExportedFile& file : made.files()) {
      if (!IsFileName(file.name()) || file.sha256().size() != 64) {
        return absl::DataLossError("the server names a file as none is named");
      }
      const auto fetched =
          Fetch(client,
                {.from = fmt::format("/datasets/{}/exports/{}/{}", options.name, made.number(),
                                     file.name()),
                 .to = options.directory + "/" + file.name(),
                 .size_bytes = file.bytes(),
                 .sha256 = std::string(absl::HexStringToBytes(file.sha256()))},
                options.overwrite, [&](uint64_t done) {
                  if (options.progress) {
                    ShowProgress(fmt::format("{} {} of {}", file.name(), HumanBytes(done),
                                             HumanBytes(file.bytes())));
                  }
                });
      if (options.progress) ShowProgress("");
      if (!fetched.ok()) return fetched.status();
      if (!options.json) {
        fmt::print("{}  {}{}\n", options.directory + "/" + file.name(), HumanBytes(file.bytes()),
                   *fetched == Outcome::kWasThere ? "  was there" : "");
      }
    }
  }
  if (options.json) return PrintJsonText(ToJson(response));
  if (options.urls) {
    for (const v1::ExportedFile& file : made.files()) fmt::print("{}\n", Printable(file.url()));
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cli
