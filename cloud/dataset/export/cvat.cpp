// CVAT for video 1.1: one tar in which each camera of a clip is a task, SPLIT/CAMERA/CLIP/ with
//
//   images/000000.jpg …   the task's pictures, in the order of their times
//   labels.json           what to give CVAT as the task's labels ("Raw")
//   annotations.xml       what to upload as its annotations: a track of one keyframe for each box
//
// CVAT numbers frames and keeps no ids, so ours go where it keeps things. Each box has the
// attribute gleaner_frame, for people to see; and a label that no box has, "gleaner:frames", tells
// by its attributes which clip and camera the task is, and the PTS of its frames in their order,
// which is what `gleaner label import --format cvat` reads. Boxes alone are in it: CVAT for video
// has no place for what is said of whole frames.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cloud/dataset/export/format.h"
#include "cloud/dataset/export/tar_writer.h"
#include "cloud/dataset/export/xml_text.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using nlohmann::ordered_json;

constexpr size_t kPieceBytes = 1 << 20;
// What CVAT keeps of an attribute's values, which are one text for it.
constexpr size_t kValuesBytes = 4'000;

// Pixels with 6 places: as many as the list has.
std::string Pixels(int64_t millionths, uint32_t side) { return Decimal(millionths, side); }

// A camera of a clip while it is written.
class Task {
 public:
  Task(const FrozenFrame& first, SpoolFile tracks)
      : folder_(
            fmt::format("{}/{}/{}", SplitWord(first.split), first.name.camera, first.name.clip)),
        of_(first.name.clip + "/" + first.name.camera),
        width_(first.width),
        height_(first.height),
        tracks_(std::move(tracks)) {}

  bool Has(const FrozenFrame& frame) const {
    return frame.name.clip + "/" + frame.name.camera == of_;
  }

  absl::Status Add(const FrozenFrame& frame, bool last, const std::string& jpeg, TarWriter& tar) {
    const size_t number = pts_.size();
    pts_.push_back(std::to_string(frame.name.pts));
    for (const FrozenBox& box : frame.boxes) {
      std::string text = fmt::format("  <track id=\"{}\" label=\"{}\" source=\"manual\">\n",
                                     boxes_++, XmlText(box.class_name));
      AddBox(frame, box, number, false, &text);
      // A track goes on to the end unless it is said to have left the picture.
      if (!last) AddBox(frame, box, number + 1, true, &text);
      RETURN_IF_ERROR(tracks_.Append(text + "  </track>\n"));
      for (const auto& [name, value] : box.attributes) attributes_.insert(name);
    }
    return tar.Add(fmt::format("{}/images/{:06}.jpg", folder_, number), jpeg);
  }

  absl::Status Finish(const ExportSource& source, TarWriter& tar) {
    const ordered_json labels = Labels(source.head);
    RETURN_IF_ERROR(tar.Add(folder_ + "/labels.json", labels.dump(1) + "\n"));
    RETURN_IF_ERROR(tracks_.End());
    const std::string head = Head(labels);
    constexpr std::string_view kEnd = "</annotations>\n";
    RETURN_IF_ERROR(
        tar.Begin(folder_ + "/annotations.xml", head.size() + tracks_.size() + kEnd.size()));
    RETURN_IF_ERROR(tar.Append(head));
    std::string piece;
    for (uint64_t at = 0; at < tracks_.size(); at += piece.size()) {
      RETURN_IF_ERROR(tracks_.Read(at, kPieceBytes, &piece));
      RETURN_IF_ERROR(tar.Append(piece));
    }
    RETURN_IF_ERROR(tar.Append(kEnd));
    return tar.End();
  }

 private:
  void AddBox(const FrozenFrame& frame, const FrozenBox& box, size_t number, bool outside,
              std::string* text) const {
    *text += fmt::format(
        "    <box frame=\"{}\" keyframe=\"1\" outside=\"{}\" occluded=\"0\" xtl=\"{}\" ytl=\"{}\" "
        "xbr=\"{}\" ybr=\"{}\" z_order=\"0\">\n",
        number, outside ? 1 : 0, Pixels(box.x, frame.width), Pixels(box.y, frame.height),
        Pixels(box.x + box.width, frame.width), Pixels(box.y + box.height, frame.height));
    const auto attribute = [text](std::string_view name, std::string_view value) {
      *text += fmt::format("      <attribute name=\"{}\">{}</attribute>\n", XmlText(name),
                           XmlText(value));
    };
    attribute("gleaner_frame", fmt::format("{}/{}", of_, frame.name.pts));
    for (const auto& [name, value] : box.attributes) attribute(name, value);
    *text += "    </box>\n";
  }

  static ordered_json Attribute(std::string_view name, bool is_mutable, std::string_view type,
                                ordered_json values) {
    return {{"name", name},
            {"mutable", is_mutable},
            {"input_type", type},
            {"default_value", values.empty() ? "" : values.front()},
            {"values", std::move(values)}};
  }

  ordered_json Labels(const FrozenHead& head) const {
    ordered_json labels = ordered_json::array();
    for (const std::string& name : head.classes) {
      ordered_json attributes = {Attribute("gleaner_frame", true, "text", {""})};
      for (const std::string& one : attributes_) {
        attributes.push_back(Attribute(one, true, "text", {""}));
      }
      labels.push_back({{"name", name}, {"attributes", std::move(attributes)}});
    }
    ordered_json ours = {Attribute("of", false, "select", {of_})};
    ordered_json values = ordered_json::array();
    size_t bytes = 0, pieces = 0;
    const auto end_piece = [&] {
      ours.push_back(
          Attribute(fmt::format("frames-{}", pieces++), false, "select", std::move(values)));
      values = ordered_json::array();
      bytes = 0;
    };
    for (const std::string& one : pts_) {
      if (bytes + one.size() + 1 > kValuesBytes) end_piece();
      values.push_back(one);
      bytes += one.size() + 1;
    }
    end_piece();
    labels.push_back({{"name", "gleaner:frames"}, {"attributes", std::move(ours)}});
    return labels;
  }

  std::string Head(const ordered_json& labels) const {
    std::string text = fmt::format(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n  <version>1.1</version>\n"
        "  <meta>\n    <task>\n      <name>{}</name>\n      <size>{}</size>\n"
        "      <mode>interpolation</mode>\n      <start_frame>0</start_frame>\n"
        "      <stop_frame>{}</stop_frame>\n      <labels>\n",
        XmlText(folder_), pts_.size(), pts_.size() - 1);
    for (const ordered_json& label : labels) {
      text += fmt::format("        <label>\n          <name>{}</name>\n          <attributes>\n",
                          XmlText(label["name"].get<std::string>()));
      for (const ordered_json& one : label["attributes"]) {
        std::string values;
        for (const ordered_json& value : one["values"]) {
          values += (values.empty() ? "" : "\n") + XmlText(value.get<std::string>());
        }
        text += fmt::format(
            "            <attribute>\n              <name>{}</name>\n"
            "              <mutable>{}</mutable>\n              <input_type>{}</input_type>\n"
            "              <default_value>{}</default_value>\n              <values>{}</values>\n"
            "            </attribute>\n",
            XmlText(one["name"].get<std::string>()), one["mutable"].get<bool>() ? "True" : "False",
            one["input_type"].get<std::string>(), XmlText(one["default_value"].get<std::string>()),
            values);
      }
      text += "          </attributes>\n        </label>\n";
    }
    return text +
           fmt::format(
               "      </labels>\n      <original_size>\n        <width>{}</width>\n"
               "        <height>{}</height>\n      </original_size>\n    </task>\n  </meta>\n",
               width_, height_);
  }

  const std::string folder_, of_;
  const uint32_t width_, height_;
  SpoolFile tracks_;
  uint64_t boxes_ = 0;
  std::vector<std::string> pts_;  // of a clip's camera: at most 65,536
  std::set<std::string> attributes_;
};

class Cvat : public ExportFormat {
 public:
  std::string_view name() const override { return "cvat"; }
  std::string_view about() const override {
    return "a tar with a task of CVAT for video 1.1 for each camera of a clip";
  }

  bool has_whole_frames() const override { return false; }
  absl::Status Write(const ExportSource& source, ExportFiles& files) const override {
    RETURN_IF_ERROR(files.Begin(source.name + "-cvat.tar", "application/x-tar"));
    TarWriter tar(files);
    std::optional<Task> task;
    // A frame is written once it is known whether another one of its task follows.
    std::optional<FrozenFrame> held;
    const auto write_held = [&](bool last) -> absl::Status {
      ASSIGN_OR_RETURN(const std::string jpeg, source.picture(*held));
      RETURN_IF_ERROR(task->Add(*held, last, jpeg, tar));
      if (!last) return absl::OkStatus();
      RETURN_IF_ERROR(task->Finish(source, tar));
      task.reset();
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(source.walk([&](const FrozenFrame& frame) -> absl::Status {
      if (held) RETURN_IF_ERROR(write_held(!task->Has(frame)));
      if (!task) {
        ASSIGN_OR_RETURN(SpoolFile tracks, source.spool());
        task.emplace(frame, std::move(tracks));
      }
      held = frame;
      return absl::OkStatus();
    }));
    if (held) RETURN_IF_ERROR(write_held(true));
    return tar.Finish();
  }
};

}  // namespace

const ExportFormat& CvatFormat() {
  static const Cvat format;
  return format;
}

}  // namespace gleaner::cloud
