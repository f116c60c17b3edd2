// Label Studio: one tar with config.xml (the labelling interface), SPLIT.json (tasks, to import)
// and the pictures they name by their paths in the tar. Places are in per cent of the picture. A
// task has the label twice, as the annotation that a person made and as the prediction that a
// person begins with who makes another. The frame's id is in its "meta", which exports keep, and in
// its data, which every part of the tool keeps.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cloud/dataset/export/format.h"
#include "cloud/dataset/export/tar_writer.h"
#include "cloud/dataset/export/xml_text.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kPieceBytes = 1 << 20;

std::string Quoted(std::string_view text) { return nlohmann::json(text).dump(); }

// Millionths as per cent.
std::string PerCent(int64_t millionths) { return Decimal(millionths, 100); }

std::string Place(const FrozenBox& box) {
  return fmt::format(R"("x":{},"y":{},"width":{},"height":{},"rotation":0)", PerCent(box.x),
                     PerCent(box.y), PerCent(box.width), PerCent(box.height));
}

// What interface the frames need, and the results of each.
class Interface {
 public:
  void Learn(const FrozenFrame& frame) {
    boxes_ |= !frame.boxes.empty();
    classes_ |= !frame.classes.empty();
    text_ |= !frame.text.empty();
    for (const auto& [name, value] : frame.attributes) frame_attributes_.insert(name);
    for (const FrozenBox& box : frame.boxes) {
      for (const auto& [name, value] : box.attributes) box_attributes_.insert(name);
    }
  }

  std::string Config(const FrozenHead& head) const {
    std::string config = "<View>\n  <Image name=\"image\" value=\"$image\"/>\n";
    const auto choices = [&](std::string_view tag, std::string_view opened) {
      config += fmt::format("  <{}>\n", opened);
      for (const std::string& name : head.classes) {
        config += fmt::format("    <{} value=\"{}\"/>\n", tag, XmlText(name));
      }
      config += fmt::format("  </{}>\n", opened.substr(0, opened.find(' ')));
    };
    // A list in which nothing is says nothing of its kind: boxes are the usual one.
    if (boxes_ || (!classes_ && !text_)) {
      choices("Label", "RectangleLabels name=\"label\" toName=\"image\"");
    }
    if (classes_) {
      choices("Choice", "Choices name=\"classes\" toName=\"image\" choice=\"multiple\"");
    }
    if (text_) config += "  <TextArea name=\"text\" toName=\"image\"/>\n";
    for (const std::string& name : box_attributes_) {
      config +=
          fmt::format("  <TextArea name=\"attribute-{}\" toName=\"image\" perRegion=\"true\"/>\n",
                      XmlText(name));
    }
    for (const std::string& name : frame_attributes_) {
      config += fmt::format("  <TextArea name=\"frame-attribute-{}\" toName=\"image\"/>\n",
                            XmlText(name));
    }
    return config + "</View>\n";
  }

  static std::string Results(const FrozenFrame& frame) {
    std::string results;
    const auto add = [&](const std::string& id, const std::string& from, std::string_view type,
                         const std::string& value) {
      results += fmt::format(
          R"({}{{"id":"{}","from_name":{},"to_name":"image","type":"{}","original_width":{},)"
          R"("original_height":{},"image_rotation":0,"value":{{{}}}}})",
          results.empty() ? "" : ",\n  ", id, Quoted(from), type, frame.width, frame.height, value);
    };
    for (size_t i = 0; i < frame.boxes.size(); ++i) {
      const FrozenBox& box = frame.boxes[i];
      const std::string id = fmt::format("box-{}", i);
      add(id, "label", "rectanglelabels",
          fmt::format(R"({},"rectanglelabels":[{}])", Place(box), Quoted(box.class_name)));
      for (const auto& [name, value] : box.attributes) {
        add(id, "attribute-" + name, "textarea",
            fmt::format(R"({},"text":[{}])", Place(box), Quoted(value)));
      }
    }
    if (!frame.classes.empty()) {
      add("classes", "classes", "choices",
          fmt::format(R"("choices":{})", nlohmann::json(frame.classes).dump()));
    }
    if (!frame.text.empty()) {
      add("text", "text", "textarea", fmt::format(R"("text":[{}])", Quoted(frame.text)));
    }
    for (size_t i = 0; i < frame.attributes.size(); ++i) {
      add(fmt::format("frame-{}", i), "frame-attribute-" + frame.attributes[i].first, "textarea",
          fmt::format(R"("text":[{}])", Quoted(frame.attributes[i].second)));
    }
    return results;
  }

 private:
  bool boxes_ = false, classes_ = false, text_ = false;
  std::set<std::string> box_attributes_, frame_attributes_;
};

std::string TaskOf(const std::string& dataset, const FrozenFrame& frame) {
  const std::string results = Interface::Results(frame);
  const std::string id =
      fmt::format("{}/{}/{}", frame.name.clip, frame.name.camera, frame.name.pts);
  return fmt::format(
      R"({{"data":{{"image":"{}.jpg","gleaner_frame":"{}"}},"meta":{{"gleaner":{{"clip":"{}",)"
      R"("camera":"{}","pts":{},"dataset":"{}","split":"{}","label":{}}}}},)"
      "\n "
      R"("annotations":[{{"result":[{}]}}],)"
      "\n "
      R"("predictions":[{{"model_version":"gleaner-{}","result":[{}]}}]}})",
      PlaceOf(frame), id, frame.name.clip, frame.name.camera, frame.name.pts, dataset,
      SplitWord(frame.split), frame.label, results, dataset, results);
}

class LabelStudio : public ExportFormat {
 public:
  std::string_view name() const override { return "label-studio"; }
  std::string_view about() const override {
    return "a tar with Label Studio's tasks, its interface, and pictures";
  }

  absl::Status Write(const ExportSource& source, ExportFiles& files) const override {
    RETURN_IF_ERROR(files.Begin(source.name + "-label-studio.tar", "application/x-tar"));
    TarWriter tar(files);
    Interface interface;
    for (const Split split : source.splits) {
      ASSIGN_OR_RETURN(SpoolFile text, source.spool());
      RETURN_IF_ERROR(text.Append("["));
      bool first = true;
      RETURN_IF_ERROR(source.walk([&](const FrozenFrame& frame) -> absl::Status {
        if (frame.split != split) return absl::OkStatus();
        interface.Learn(frame);
        return text.Append((std::exchange(first, false) ? "\n" : ",\n") +
                           TaskOf(source.name, frame));
      }));
      RETURN_IF_ERROR(text.Append("\n]\n"));
      RETURN_IF_ERROR(text.End());
      RETURN_IF_ERROR(tar.Begin(fmt::format("{}.json", SplitWord(split)), text.size()));
      std::string piece;
      for (uint64_t at = 0; at < text.size(); at += piece.size()) {
        RETURN_IF_ERROR(text.Read(at, kPieceBytes, &piece));
        RETURN_IF_ERROR(tar.Append(piece));
      }
      RETURN_IF_ERROR(tar.End());
    }
    RETURN_IF_ERROR(tar.Add("config.xml", interface.Config(source.head)));
    RETURN_IF_ERROR(source.walk([&](const FrozenFrame& frame) -> absl::Status {
      ASSIGN_OR_RETURN(const std::string jpeg, source.picture(frame));
      return tar.Add(PlaceOf(frame) + ".jpg", jpeg);
    }));
    return tar.Finish();
  }
};

}  // namespace

const ExportFormat& LabelStudioFormat() {
  static const LabelStudio format;
  return format;
}

}  // namespace gleaner::cloud
