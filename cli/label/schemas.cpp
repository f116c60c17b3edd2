#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/json.h"
#include "cli/label/label.h"
#include "cli/pages.h"
#include "common/clock.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"

namespace gleaner::cli {
namespace {

using v1::LabelSchema;

struct KindWord {
  const char* word;
  LabelSchema::Kind kind;
};
constexpr KindWord kKinds[] = {{"boxes", LabelSchema::KIND_BOXES},
                               {"classes", LabelSchema::KIND_CLASSES},
                               {"transcription", LabelSchema::KIND_TRANSCRIPTION}};

std::string WordOf(LabelSchema::Kind kind) {
  for (const KindWord& one : kKinds) {
    if (one.kind == kind) return one.word;
  }
  return "unknown";
}

absl::StatusOr<LabelSchema::Kind> KindOf(const std::string& word) {
  for (const KindWord& one : kKinds) {
    if (word == one.word) return one.kind;
  }
  return absl::InvalidArgumentError(
      fmt::format("--kind: \"{}\" is none of boxes, classes, transcription", Printable(word)));
}

// "3=bottle", or "bottle", whose id the server knows.
absl::Status AddClass(const std::string& text, LabelSchema& schema) {
  v1::LabelClass& added = *schema.add_classes();
  if (const size_t equals = text.find('='); equals != std::string::npos) {
    uint32_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + equals, id);
    if (error != std::errc() || end != text.data() + equals) {
      return absl::InvalidArgumentError(
          fmt::format("--class: \"{}\" is not NAME or ID=NAME", Printable(text)));
    }
    added.set_id(id);
    added.set_name(text.substr(equals + 1));
    return absl::OkStatus();
  }
  added.set_name(text);
  return absl::OkStatus();
}

void AddAttribute(const std::string& text, LabelSchema& schema) {
  v1::LabelAttribute& added = *schema.add_attributes();
  const size_t equals = text.find('=');
  added.set_name(text.substr(0, equals));
  if (equals == std::string::npos) return;
  for (const auto value : absl::StrSplit(text.substr(equals + 1), ',')) {
    added.add_values(std::string(value));
  }
}

void Print(const LabelSchema& schema) {
  fmt::print("schema    {} version {}, {}\n", Printable(schema.name()), schema.version(),
             WordOf(schema.kind()));
  fmt::print("made      {} by {}\n", Ago(schema.created_unix_ns(), RealClock().WallNs()),
             Printable(schema.created_by()));
  for (const v1::LabelClass& one : schema.classes()) {
    fmt::print("class     {} = {}\n", one.id(), Printable(one.name()));
  }
  for (const v1::LabelAttribute& one : schema.attributes()) {
    fmt::print(
        "attribute {}{}\n", Printable(one.name()),
        one.values().empty() ? ", any text" : ": " + Printable(absl::StrJoin(one.values(), ", ")));
  }
}

}  // namespace

absl::Status CreateSchema(Client& client, const CreateSchemaOptions& options) {
  v1::CreateSchemaRequest request;
  request.set_drop_classes(options.drop_classes);
  LabelSchema& schema = *request.mutable_schema();
  schema.set_name(options.name);
  ASSIGN_OR_RETURN(const LabelSchema::Kind kind, KindOf(options.kind));
  schema.set_kind(kind);
  for (const std::string& one : options.classes) {
    RETURN_IF_ERROR(AddClass(one, schema));
  }
  for (const std::string& one : options.attributes) AddAttribute(one, schema);
  v1::CreateSchemaResponse response;
  RETURN_IF_ERROR(client.Call("LabelService/CreateSchema", request, &response));
  if (options.json) return PrintJsonText(ToJson(response));
  if (!response.made()) fmt::print("It is the same as the newest version: nothing was made.\n");
  Print(response.schema());
  return absl::OkStatus();
}

absl::Status ListSchemas(Client& client, bool json) {
  ASSIGN_OR_RETURN(const v1::ListSchemasResponse all,
                   ReadPages(client, "LabelService/ListSchemas", v1::ListSchemasRequest(),
                             &v1::ListSchemasResponse::mutable_schemas));
  if (json) return PrintJsonText(ToJson(all));
  const int64_t now_ns = RealClock().WallNs();
  Table table({{"SCHEMA"}, {"VERSION", true}, {"KIND"}, {"CLASSES", true}, {"MADE"}, {"BY"}});
  for (const LabelSchema& one : all.schemas()) {
    table.Add({Printable(one.name()), std::to_string(one.version()), WordOf(one.kind()),
               std::to_string(one.classes_size()), Ago(one.created_unix_ns(), now_ns),
               Printable(one.created_by())});
  }
  if (table.empty()) {
    fmt::print("No schemas. `gleaner label schema create` makes one.\n");
  } else {
    fmt::print("{}", table.Render());
  }
  return absl::OkStatus();
}

absl::Status ShowSchema(Client& client, const std::string& name, uint32_t version, bool json) {
  v1::GetSchemaRequest request;
  request.set_name(name);
  request.set_version(version);
  v1::GetSchemaResponse response;
  RETURN_IF_ERROR(client.Call("LabelService/GetSchema", request, &response));
  if (json) return PrintJsonText(ToJson(response));
  Print(response.schema());
  return absl::OkStatus();
}

}  // namespace gleaner::cli
