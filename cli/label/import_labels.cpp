#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "cli/json.h"
#include "cli/label/import/label_file.h"
#include "cli/label/label.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cli {
namespace {

using v1::Annotation;

// A file's label in the terms of a schema.
class Translator {
 public:
  explicit Translator(const v1::LabelSchema& schema) : schema_(schema) {
    for (const v1::LabelClass& one : schema.classes()) ids_.emplace(one.name(), one.id());
  }

  absl::StatusOr<Annotation> Of(const FileLabel& label) const {
    Annotation annotation;
    for (const FileBox& box : label.boxes) {
      v1::LabelBox& added = *annotation.add_boxes();
      added.set_x(box.x);
      added.set_y(box.y);
      added.set_width(box.width);
      added.set_height(box.height);
      ASSIGN_OR_RETURN(const uint32_t id, IdOf(box.class_name, label));
      added.set_class_id(id);
      Add(box.attributes, added.mutable_attributes());
    }
    for (const std::string& name : label.classes) {
      ASSIGN_OR_RETURN(const uint32_t id, IdOf(name, label));
      annotation.add_classes()->set_class_id(id);
    }
    annotation.set_text(label.text);
    Add(label.attributes, annotation.mutable_attributes());
    return annotation;
  }

 private:
  absl::StatusOr<uint32_t> IdOf(const std::string& name, const FileLabel& label) const {
    if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
    return absl::InvalidArgumentError(fmt::format("{}: schema {} has no class \"{}\"", label.where,
                                                  Printable(schema_.name()),
                                                  Printable(name.substr(0, 63))));
  }
  static void Add(const FileAttributes& attributes,
                  google::protobuf::RepeatedPtrField<v1::AttributeValue>* values) {
    for (const auto& [name, value] : attributes) {
      v1::AttributeValue* added = values->Add();
      added->set_name(name);
      added->set_value(value);
    }
  }

  const v1::LabelSchema& schema_;
  std::map<std::string, uint32_t, std::less<>> ids_;
};

std::map<std::string, std::string> MapOf(
    const google::protobuf::RepeatedPtrField<v1::AttributeValue>& values) {
  std::map<std::string, std::string> map;
  for (const v1::AttributeValue& one : values) map.emplace(one.name(), one.value());
  return map;
}

bool Same(const v1::LabelBox& a, const v1::LabelBox& b, const FileLabel& label) {
  const auto near = [](double one, double other, double slack) {
    return std::abs(one - other) <= slack;
  };
  return a.class_id() == b.class_id() && near(a.x(), b.x(), label.slack_x) &&
         near(a.y(), b.y(), label.slack_y) &&
         near(a.x() + a.width(), b.x() + b.width(), label.slack_x) &&
         near(a.y() + a.height(), b.y() + b.height(), label.slack_y) &&
         MapOf(a.attributes()) == MapOf(b.attributes());
}

// Whether both say the same, but for what a tool rounds and for the order of boxes.
bool Same(const Annotation& a, const Annotation& b, const FileLabel& label) {
  if (a.boxes_size() != b.boxes_size() || a.text() != b.text() ||
      MapOf(a.attributes()) != MapOf(b.attributes())) {
    return false;
  }
  std::multiset<uint32_t> these, those;
  for (const v1::FrameClass& one : a.classes()) these.insert(one.class_id());
  for (const v1::FrameClass& one : b.classes()) those.insert(one.class_id());
  if (these != those) return false;
  std::vector<const v1::LabelBox*> left;
  for (const v1::LabelBox& one : b.boxes()) left.push_back(&one);
  for (const v1::LabelBox& one : a.boxes()) {
    const auto found = std::find_if(left.begin(), left.end(), [&](const v1::LabelBox* other) {
      return Same(one, *other, label);
    });
    if (found == left.end()) return false;
    left.erase(found);
  }
  return true;
}

}  // namespace

absl::Status ImportLabels(Client& client, const ImportLabelsOptions& options) {
  ASSIGN_OR_RETURN(const LabelFileFormat* format, FindLabelFileFormat(options.format));
  v1::GetSchemaRequest which;
  which.set_name(options.schema);
  v1::GetSchemaResponse schema;
  RETURN_IF_ERROR(client.Call("LabelService/GetSchema", which, &schema));
  const Translator translator(schema.schema());
  const auto read = [&](const std::function<absl::Status(const FileLabel&)>& each,
                        uint64_t* passed_over) -> absl::Status {
    std::ifstream file(options.file, std::ios::binary);
    if (!file) return absl::NotFoundError("it can't be opened");
    return format->Read(file, each, passed_over);
  };
  const std::string name = Printable(options.file);
  // All of it is looked at before anything is said, so that a mistake in it changes nothing.
  uint64_t passed_over = 0;
  RETURN_IF_ERROR(Annotate(
      read([&](const FileLabel& label) { return translator.Of(label).status(); }, &passed_over),
      name));
  uint64_t added = 0, already = 0;
  RETURN_IF_ERROR(Annotate(
      read(
          [&](const FileLabel& label) -> absl::Status {
            v1::SaveLabelRequest request;
            request.mutable_frame()->set_clip(label.clip);
            request.mutable_frame()->set_camera(label.camera);
            request.mutable_frame()->set_pts(label.pts);
            request.set_schema(options.schema);
            request.set_schema_version(schema.schema().version());
            request.set_verdict(v1::Label::VERDICT_CREATED);
            ASSIGN_OR_RETURN(*request.mutable_annotation(), translator.Of(label));
            v1::ListLabelsRequest before;
            before.set_schema(options.schema);
            *before.mutable_frame() = request.frame();
            before.set_page_size(1);
            v1::ListLabelsResponse known;
            RETURN_IF_ERROR(
                Annotate(client.Call("LabelService/ListLabels", before, &known), label.where));
            if (known.labels_size() > 0 &&
                Same(request.annotation(), known.labels(0).annotation(), label)) {
              ++already;
              return absl::OkStatus();
            }
            v1::SaveLabelResponse saved;
            RETURN_IF_ERROR(
                Annotate(client.Call("LabelService/SaveLabel", request, &saved), label.where));
            ++added;
            return absl::OkStatus();
          },
          nullptr),
      name));
  if (options.json) {
    PrintJson({{"added", added}, {"already", already}, {"passedOver", passed_over}});
    return absl::OkStatus();
  }
  fmt::print("{} added, {} there already.\n", added, already);
  if (passed_over > 0) {
    fmt::print("{} that nobody said anything of {} passed over.\n", Count(passed_over, "frame"),
               passed_over == 1 ? "was" : "were");
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cli
