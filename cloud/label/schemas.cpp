#include "cloud/label/schemas.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "cloud/database/pages.h"
#include "cloud/label/annotation.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using v1::LabelSchema;

absl::Status Wrong(std::string_view what, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("schema.{}: {}", what, why));
}

absl::Status CheckAttribute(const v1::LabelAttribute& attribute, const std::string& at) {
  if (!IsName(attribute.name())) return Wrong(at + ".name", kNameRule);
  if (attribute.values_size() > kMaxAttributeValues) {
    return Wrong(at + ".values", fmt::format("at most {}", kMaxAttributeValues));
  }
  std::set<std::string_view> values;
  for (const std::string& value : attribute.values()) {
    if (!IsName(value)) return Wrong(at + ".values", kNameRule);
    if (!values.insert(value).second) return Wrong(at + ".values", value + " is there twice");
  }
  return absl::OkStatus();
}

absl::Status Check(const LabelSchema& schema) {
  if (!IsName(schema.name())) return Wrong("name", kNameRule);
  if (!LabelSchema::Kind_IsValid(schema.kind()) || schema.kind() == LabelSchema::KIND_UNSPECIFIED) {
    return Wrong("kind", "boxes, classes or transcription");
  }
  const bool of_text = schema.kind() == LabelSchema::KIND_TRANSCRIPTION;
  if (of_text && schema.classes_size() > 0) return Wrong("classes", "none for transcription");
  if (!of_text && (schema.classes_size() == 0 || schema.classes_size() > kMaxClasses)) {
    return Wrong("classes", fmt::format("1 to {}", kMaxClasses));
  }
  std::set<uint32_t> ids;
  std::set<std::string_view> names;
  for (int i = 0; i < schema.classes_size(); ++i) {
    const v1::LabelClass& one = schema.classes(i);
    const std::string at = fmt::format("classes[{}]", i);
    if (one.id() == 0 || one.id() > kMaxClassId) {
      return Wrong(at + ".id", fmt::format("1 to {}", kMaxClassId));
    }
    if (!IsName(one.name())) return Wrong(at + ".name", kNameRule);
    if (!ids.insert(one.id()).second) return Wrong(at + ".id", "is there twice");
    if (!names.insert(one.name()).second) return Wrong(at + ".name", "is there twice");
  }
  if (schema.attributes_size() > kMaxAttributes) {
    return Wrong("attributes", fmt::format("at most {}", kMaxAttributes));
  }
  std::set<std::string_view> attributes;
  for (int i = 0; i < schema.attributes_size(); ++i) {
    const std::string at = fmt::format("attributes[{}]", i);
    RETURN_IF_ERROR(CheckAttribute(schema.attributes(i), at));
    if (!attributes.insert(schema.attributes(i).name()).second) {
      return Wrong(at + ".name", "is there twice");
    }
  }
  return absl::OkStatus();
}

LabelSchema Parse(const std::string& body) {
  LabelSchema schema;
  schema.ParseFromString(body);
  return schema;
}

// Whether it may follow those that were before.
absl::Status Follows(Sql& sql, const LabelSchema& schema) {
  absl::Status status;
  std::string body;
  BytesOut out{&body};
  sql.Query("SELECT body FROM label_schema WHERE name = :name", In(schema.name()), Out(out), [&] {
    const LabelSchema before = Parse(body);
    if (before.kind() != schema.kind()) {
      status = Wrong("kind", "not that of the versions before");
    }
    for (int i = 0; i < schema.classes_size(); ++i) {
      const v1::LabelClass* was = FindClass(before, schema.classes(i).id());
      if (was != nullptr && was->name() != schema.classes(i).name()) {
        status = Wrong(fmt::format("classes[{}].id", i),
                       fmt::format("{} was {} in version {}: take another id", was->id(),
                                   was->name(), before.version()));
      }
    }
  });
  return status;
}

// A class without an id has the one that its name had in any version, else the next that none had.
void GiveIds(Sql& sql, LabelSchema* schema) {
  std::map<std::string, uint32_t, std::less<>> known;
  uint32_t last = 0;
  std::string body;
  BytesOut out{&body};
  sql.Query("SELECT body FROM label_schema WHERE name = :name ORDER BY version", In(schema->name()),
            Out(out), [&] {
              const LabelSchema before = Parse(body);
              for (const v1::LabelClass& one : before.classes()) {
                known[one.name()] = one.id();
                last = std::max(last, one.id());
              }
            });
  for (v1::LabelClass& one : *schema->mutable_classes()) {
    if (one.id() != 0) continue;
    if (const auto before = known.find(one.name()); before != known.end()) {
      one.set_id(before->second);
      continue;
    }
    do {
      ++last;
    } while (FindClass(*schema, last) != nullptr);
    one.set_id(last);
  }
}

// Classes are rarely meant to go, and what names them is refused from then on.
absl::Status CheckNoneGoes(const LabelSchema& before, const LabelSchema& schema) {
  std::string gone;
  for (const v1::LabelClass& one : before.classes()) {
    if (FindClass(schema, one.id()) == nullptr) gone += (gone.empty() ? "" : ", ") + one.name();
  }
  if (gone.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("version {} of {} has {}, which this one lacks: name them too, or say that they "
                  "go (drop_classes)",
                  before.version(), before.name(), gone));
}

// What was said by who made it.
std::string Said(LabelSchema schema) {
  schema.clear_version();
  schema.clear_created_unix_ns();
  schema.clear_created_by();
  return schema.SerializeAsString();
}

}  // namespace

absl::StatusOr<LabelSchema> ReadSchema(Sql& sql, std::string_view name, uint32_t version) {
  std::string body;
  BytesOut out{&body};
  const bool found =
      version == 0
          ? sql.Query(
                "SELECT body FROM label_schema WHERE name = :name ORDER BY version DESC LIMIT 1",
                In(name), Out(out), [] {})
          : sql.Query("SELECT body FROM label_schema WHERE name = :name AND version = :version",
                      In(name, version), Out(out), [] {});
  if (found) return Parse(body);
  if (!IsName(name)) return absl::InvalidArgumentError(fmt::format("schema: {}", kNameRule));
  return absl::NotFoundError(version == 0
                                 ? fmt::format("there is no schema {}", name)
                                 : fmt::format("schema {} has no version {}", name, version));
}

absl::StatusOr<v1::CreateSchemaResponse> Schemas::Create(const LabelSchema& asked,
                                                         const Principal& who, int64_t now_ns,
                                                         const Database::Operation& with,
                                                         bool drop_classes) {
  v1::CreateSchemaResponse response;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    response.Clear();
    LabelSchema schema = asked;
    GiveIds(sql, &schema);
    RETURN_IF_ERROR(Check(schema));
    RETURN_IF_ERROR(Follows(sql, schema));
    LabelSchema& made = *response.mutable_schema();
    if (const auto newest = ReadSchema(sql, schema.name()); newest.ok()) {
      made = *newest;
      if (Said(made) == Said(schema)) return absl::OkStatus();
      if (!drop_classes) RETURN_IF_ERROR(CheckNoneGoes(made, schema));
    }
    if (with) RETURN_IF_ERROR(with(sql));
    const uint32_t version = made.version() + 1;
    made = schema;
    made.set_version(version);
    made.set_created_unix_ns(now_ns);
    made.set_created_by(who.name);
    response.set_made(true);
    sql.Run("INSERT INTO label_schema (name, version, body) VALUES (:name, :version, :body)",
            In(made.name(), version, Bytes{made.SerializeAsString()}));
    return absl::OkStatus();
  }));
  return response;
}

absl::StatusOr<v1::ListSchemasResponse> Schemas::List(const v1::ListSchemasRequest& request) {
  if (!request.page_token().empty() && !IsName(request.page_token())) {
    return absl::InvalidArgumentError("page_token: not one that this server gave");
  }
  const auto page = static_cast<int>(PageSize(request.page_size()));
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListSchemasResponse> {
    v1::ListSchemasResponse response;
    std::string body;
    BytesOut out{&body};
    sql.Query(
        "SELECT body FROM label_schema WHERE name > :after AND version = (SELECT MAX(version) FROM "
        "label_schema AS newer WHERE newer.name = label_schema.name) ORDER BY name LIMIT :most",
        In(request.page_token(), page + 1), Out(out), [&] {
          if (response.schemas_size() < page) {
            *response.add_schemas() = Parse(body);
          } else {
            response.set_next_page_token(response.schemas(page - 1).name());
          }
        });
    return response;
  });
}

absl::StatusOr<LabelSchema> Schemas::Get(std::string_view name, uint32_t version) {
  return database_.Read([&](Sql& sql) { return ReadSchema(sql, name, version); });
}

}  // namespace gleaner::cloud
