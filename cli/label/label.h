// What `gleaner label` can do: see commands.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/client.h"
#include "gleaner/v1/label.pb.h"

namespace gleaner::cli {

struct CreateSchemaOptions {
  std::string name;
  std::string kind;                     // boxes, classes, transcription
  std::vector<std::string> classes;     // NAME or ID=NAME
  std::vector<std::string> attributes;  // NAME or NAME=VALUE,VALUE
  bool drop_classes = false;
  bool json = false;
};
// The next version of a schema. A class without an id has the one that its name had before, or the
// next one.
absl::Status CreateSchema(Client& client, const CreateSchemaOptions& options);
absl::Status ListSchemas(Client& client, bool json);
// `version` 0: the newest.
absl::Status ShowSchema(Client& client, const std::string& name, uint32_t version, bool json);

// Also prints a mistake in the request's filter with its place.
absl::Status CreateTasks(Client& client, const v1::CreateTasksRequest& request, bool json);
// Sets of tasks, or with `set` that one's tasks; newest first.
absl::Status ListTasks(Client& client, uint64_t set, uint32_t limit, bool json);

// Those that were put aside wait again: these, and with `set` all of that set.
absl::Status RequeueTasks(Client& client, const std::vector<uint64_t>& numbers, uint64_t set,
                          bool json);

struct ImportPredictionsOptions {
  std::string file;  // JSON lines; "-": standard input
  std::string schema;
  uint32_t schema_version = 0;
  std::string model;
  std::string model_version;
  bool json = false;
};
// Piece by piece, each of which is taken whole or not at all; what is there already is counted, so
// that it may be run again after an error, which names the line.
absl::Status ImportPredictions(Client& client, const ImportPredictionsOptions& options);

struct ImportLabelsOptions {
  std::string file;
  std::string format;  // see import/label_file.h
  std::string schema;
  bool json = false;
};
// What a labelling tool exported becomes labels of whoever is signed in, frame by frame. The whole
// file is read first, so that a mistake in it changes nothing; what is there already, the same but
// for what the tool rounds, is counted, so that it may be run again.
absl::Status ImportLabels(Client& client, const ImportLabelsOptions& options);

absl::Status ShowLabelReport(Client& client, const v1::GetLabelReportRequest& request, bool json);

}  // namespace gleaner::cli
