// Metadata as bytes.
#include "absl/strings/escaping.h"
#include "common/tuf/document.h"
#include "common/tuf/metadata.h"

namespace gleaner::tuf {
namespace {

using nlohmann::json;

constexpr char kSpecVersion[] = "1.0.31";

json Form(const MetaFile& file) {
  json form{{"version", file.version}};
  if (file.length.has_value()) form["length"] = *file.length;
  if (file.sha256.has_value()) form["hashes"] = {{"sha256", Hex(AsBytes(*file.sha256))}};
  return form;
}

void Fill(const Root& root, json* form) {
  json& keys = (*form)["keys"] = json::object();
  for (const auto& [id, key] : root.keys) keys[id] = json::parse(key.ToText());
  for (const Role role : kRoles) {
    (*form)["roles"][std::string(NameOf(role))] = {{"keyids", root.Of(role).key_ids},
                                                   {"threshold", root.Of(role).threshold}};
  }
  (*form)["consistent_snapshot"] = true;
}

void Fill(const Timestamp& timestamp, json* form) {
  (*form)["meta"]["snapshot.json"] = Form(timestamp.snapshot);
}

void Fill(const Snapshot& snapshot, json* form) {
  for (const auto& [name, file] : snapshot.meta) (*form)["meta"][name] = Form(file);
}

void Fill(const Targets& targets, json* form) {
  json& all = (*form)["targets"] = json::object();
  for (const auto& [path, target] : targets.targets) {
    json& one = all[path];
    one["length"] = target.length;
    one["hashes"]["sha256"] = Hex(AsBytes(target.sha256));
    if (!target.custom.empty()) one["custom"] = json::parse(target.custom, nullptr, false);
  }
}

template <typename T>
json FormOf(const T& content) {
  json form{{"_type", NameOf(T::kRole)},
            {"spec_version", kSpecVersion},
            {"version", content.version},
            {"expires", WriteTime(content.expires_unix_s)}};
  Fill(content, &form);
  return form;
}

}  // namespace

template <typename T>
std::string Payload(const T& content) {
  return Canonical(FormOf(content));
}

template <typename T>
std::string Write(const T& content, const std::vector<Signature>& signatures) {
  json list = json::array();
  for (const Signature& signature : signatures) {
    list.push_back({{"keyid", signature.key_id}, {"sig", Hex(signature.bytes)}});
  }
  return json{{"signatures", std::move(list)}, {"signed", FormOf(content)}}.dump(1) + "\n";
}

template std::string Payload(const Root&);
template std::string Payload(const Timestamp&);
template std::string Payload(const Snapshot&);
template std::string Payload(const Targets&);
template std::string Write(const Root&, const std::vector<Signature>&);
template std::string Write(const Timestamp&, const std::vector<Signature>&);
template std::string Write(const Snapshot&, const std::vector<Signature>&);
template std::string Write(const Targets&, const std::vector<Signature>&);

}  // namespace gleaner::tuf
