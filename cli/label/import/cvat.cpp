// What CVAT exports as "CVAT for video 1.1", of one task or job. A task's labels tell which frames
// it has, as the export of a dataset put them there (cloud/dataset/export/cvat.cpp); where a task
// was made without them, the boxes' own gleaner_frame does.
//
// Read by expat, in pieces. A document type is refused before anything of it is read, so there are
// no entities to expand.
#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "absl/strings/str_join.h"
#include "cli/label/import/label_file.h"
#include "common/printable.h"
#include "common/status.h"

namespace gleaner::cli {
namespace {

constexpr size_t kMaxDepth = 24;
constexpr size_t kMaxTextBytes = 1 << 20;  // of one element
constexpr size_t kMaxFrames = 100'000;
constexpr size_t kPieceBytes = 64 << 10;
constexpr std::string_view kFrameAttribute = "gleaner_frame";
constexpr std::string_view kFramesLabel = "gleaner:frames";
// CVAT writes hundredths of a pixel, exports millionths of the picture.
constexpr double kPixelSlack = 0.0051, kShareSlack = 1.5e-6;

struct Place {
  uint64_t line = 0, column = 0;
  std::string Words() const { return fmt::format("line {}, column {}", line, column); }
};

// A box as it stands in the file, in pixels.
struct Drawn {
  FileBox box;
  double left = 0, top = 0, right = 0, bottom = 0;
  std::string frame_id;  // of its gleaner_frame
  Place at;
};

class Document {
 public:
  Document() : parser_(XML_ParserCreate(nullptr), &XML_ParserFree) {
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(
        parser_.get(),
        [](void* self, const XML_Char* name, const XML_Char** attributes) {
          static_cast<Document*>(self)->Start(name, attributes);
        },
        [](void* self, const XML_Char*) { static_cast<Document*>(self)->End(); });
    XML_SetCharacterDataHandler(parser_.get(), [](void* self, const XML_Char* text, int size) {
      static_cast<Document*>(self)->Text({text, static_cast<size_t>(size)});
    });
    XML_SetStartDoctypeDeclHandler(
        parser_.get(), [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
          static_cast<Document*>(self)->Fail("a document type is not read: remove <!DOCTYPE …>");
        });
  }

  absl::Status Parse(std::istream& file) {
    uint64_t bytes = 0;
    for (bool more = true; more;) {
      void* buffer = XML_GetBuffer(parser_.get(), static_cast<int>(kPieceBytes));
      if (buffer == nullptr) return absl::ResourceExhaustedError("no memory");
      file.read(static_cast<char*>(buffer), kPieceBytes);
      const auto got = static_cast<uint64_t>(file.gcount());
      if (file.bad()) return absl::DataLossError("it can't be read");
      bytes += got;
      if (bytes > kMaxLabelFileBytes) {
        return absl::InvalidArgumentError(
            fmt::format("it has more than {} MiB", kMaxLabelFileBytes >> 20));
      }
      more = got > 0;
      const auto parsed = XML_ParseBuffer(parser_.get(), static_cast<int>(got), !more);
      if (!failed_.ok()) return failed_;
      if (parsed != XML_STATUS_OK) {
        return absl::InvalidArgumentError(fmt::format(
            "{}: not XML: {}", Here().Words(), XML_ErrorString(XML_GetErrorCode(parser_.get()))));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Tell(const std::function<absl::Status(const FileLabel&)>& each) {
    if (!is_cvat_) {
      return absl::InvalidArgumentError("line 1, column 1: no <annotations> of CVAT");
    }
    if (width_ <= 0 || height_ <= 0) {
      return absl::InvalidArgumentError(
          "meta has no original_size: it says how large the pictures are");
    }
    RETURN_IF_ERROR(NameFrames());
    std::set<std::string> told;
    for (const auto& [number, id] : frames_) {
      FileLabel label;
      const auto drawn = drawn_.find(number);
      label.where = drawn == drawn_.end() ? fmt::format("frame {} of the task", number)
                                          : drawn->second.front().at.Words();
      if (!ParseFrameId(id, &label)) {
        return absl::InvalidArgumentError(fmt::format("{}: \"{}\" is no frame: CLIP/CAMERA/PTS",
                                                      label.where, Printable(id.substr(0, 100))));
      }
      if (!told.insert(id).second) {
        return absl::InvalidArgumentError(
            fmt::format("{}: two frames of the task are {}", label.where, Printable(id)));
      }
      label.slack_x = kPixelSlack / width_ + kShareSlack;
      label.slack_y = kPixelSlack / height_ + kShareSlack;
      if (drawn != drawn_.end()) {
        for (Drawn& one : drawn->second) {
          if (!PlaceBox(one.left / width_, one.top / height_, one.right / width_,
                        one.bottom / height_, label.slack_x, label.slack_y, &one.box)) {
            return absl::InvalidArgumentError(fmt::format(
                "{}: a box from ({}, {}) to ({}, {}) is not within a picture of {}x{}",
                one.at.Words(), one.left, one.top, one.right, one.bottom, width_, height_));
          }
          label.boxes.push_back(std::move(one.box));
        }
      }
      RETURN_IF_ERROR(each(label));
    }
    return absl::OkStatus();
  }

 private:
  Place Here() const {
    return {.line = XML_GetCurrentLineNumber(parser_.get()),
            .column = XML_GetCurrentColumnNumber(parser_.get()) + 1};
  }
  void Fail(std::string_view what) {
    if (!failed_.ok()) return;
    failed_ = absl::InvalidArgumentError(fmt::format("{}: {}", Here().Words(), what));
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  static std::string_view Find(const XML_Char** attributes, std::string_view name) {
    for (; *attributes != nullptr; attributes += 2) {
      if (name == attributes[0]) return attributes[1];
    }
    return {};
  }
  double Number(const XML_Char** attributes, const char* name) {
    const std::string_view text = Find(attributes, name);
    const auto value = ParseNumber(text);
    if (!value || std::abs(*value) > 1e9) {
      Fail(fmt::format("{}=\"{}\" is no number", name, Printable(text.substr(0, 40))));
    }
    return value.value_or(0);
  }

  // Where the element that is open is: "annotations/track/box".
  std::string Path() const { return absl::StrJoin(path_, "/"); }

  void Start(std::string_view name, const XML_Char** attributes) {
    if (!failed_.ok()) return;
    if (path_.size() == kMaxDepth) return Fail("elements within elements without end");
    // A job's export is a task's.
    path_.emplace_back(path_.size() == 2 && path_[1] == "meta" && name == "job" ? "task" : name);
    text_.clear();
    if (path_.size() == 1) {
      if (name != "annotations") return Fail("no <annotations> of CVAT");
      is_cvat_ = true;
      return;
    }
    if (path_.size() == 2 && name == "image") {
      return Fail("this is CVAT for images: export the task as CVAT for video 1.1");
    }
    if (path_.size() == 3 && path_[1] == "meta" && name == "project") {
      return Fail("this is a whole project: export its tasks one by one");
    }
    if (path_.size() == 2 && name == "track") {
      label_ = Find(attributes, "label");
      if (label_.empty()) return Fail("a track without a label");
      return;
    }
    if (path_.size() != 3 || path_[1] != "track") return StartMeta(attributes);
    if (name != "box") {
      return Fail(fmt::format("a {} of {}, and labels have boxes alone",
                              Printable(name.substr(0, 40)), Printable(label_.substr(0, 63))));
    }
    StartBox(attributes);
  }

  void StartMeta(const XML_Char** attributes) {
    const std::string path = Path();
    if (path == "annotations/meta/task/labels/label/attributes/attribute") attribute_.clear();
    if (path == "annotations/meta/task/labels/label") meta_label_.clear();
    if (path == "annotations/track/box/attribute") attribute_ = Find(attributes, "name");
  }

  void StartBox(const XML_Char** attributes) {
    box_.reset();
    if (Find(attributes, "outside") == "1") return;
    const std::string_view rotation = Find(attributes, "rotation");
    if (!rotation.empty() && ParseNumber(rotation) != 0.0) {
      return Fail("the box is turned, and boxes are upright here");
    }
    uint64_t frame = 0;
    const std::string_view number = Find(attributes, "frame");
    const auto [stopped, error] =
        std::from_chars(number.data(), number.data() + number.size(), frame);
    if (error != std::errc() || stopped != number.data() + number.size() || frame >= kMaxFrames) {
      return Fail(fmt::format("frame=\"{}\" is not 0 to {}", Printable(number.substr(0, 40)),
                              kMaxFrames - 1));
    }
    if (++boxes_ > kMaxFileBoxes) {
      return Fail(fmt::format("more than {} boxes", kMaxFileBoxes));
    }
    frame_ = frame;
    box_.emplace();
    box_->at = Here();
    box_->box.class_name = label_;
    box_->left = Number(attributes, "xtl");
    box_->top = Number(attributes, "ytl");
    box_->right = Number(attributes, "xbr");
    box_->bottom = Number(attributes, "ybr");
  }

  void Text(std::string_view text) {
    if (!failed_.ok()) return;
    if (text_.size() + text.size() > kMaxTextBytes) return Fail("a text is too long");
    text_ += text;
  }

  void End() {
    if (!failed_.ok() || path_.empty()) return;
    const std::string path = Path();
    path_.pop_back();
    const std::string_view text = WithoutBlanks(text_);
    if (path == "annotations/version") {
      if (!text.starts_with("1.")) {
        Fail(fmt::format("version {}: 1.1 is read", Printable(text.substr(0, 20))));
      }
    } else if (path == "annotations/meta/task/original_size/width") {
      width_ = Side(text);
    } else if (path == "annotations/meta/task/original_size/height") {
      height_ = Side(text);
    } else if (path == "annotations/meta/task/labels/label/name") {
      meta_label_ = text;
    } else if (path == "annotations/meta/task/labels/label/attributes/attribute/name") {
      attribute_ = text;
    } else if (path == "annotations/meta/task/labels/label/attributes/attribute/values") {
      if (meta_label_ == kFramesLabel) EndValues(text);
    } else if (path == "annotations/track/box/attribute") {
      EndAttribute();
    } else if (path == "annotations/track/box" && box_) {
      drawn_[frame_].push_back(*std::move(box_));
      box_.reset();
    }
    text_.clear();
  }

  double Side(std::string_view text) {
    const auto value = ParseNumber(text);
    if (!value || *value < 1 || *value > 100'000) {
      Fail(fmt::format("\"{}\" is no number of pixels", Printable(text.substr(0, 40))));
    }
    return value.value_or(0);
  }

  void EndValues(std::string_view text) {
    if (attribute_ == "of") {
      of_ = text;
    } else if (attribute_.starts_with("frames-")) {
      for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        if (pts_.size() == kMaxFrames) {
          return Fail(fmt::format("more than {} frames", kMaxFrames));
        }
        pts_.emplace_back(WithoutBlanks(text.substr(at, end - at)));
        at = end + 1;
      }
    }
  }

  void EndAttribute() {
    if (!box_ || attribute_.empty()) return;
    if (attribute_ == kFrameAttribute) {
      box_->frame_id = text_;
    } else if (!text_.empty()) {
      if (box_->box.attributes.size() == 50) return Fail("more than 50 attributes of a box");
      box_->box.attributes.emplace_back(attribute_, text_);
    }
  }

  // Which frame each number of the task is.
  absl::Status NameFrames() {
    for (size_t i = 0; i < pts_.size(); ++i) frames_[i] = fmt::format("{}/{}", of_, pts_[i]);
    for (const auto& [number, boxes] : drawn_) {
      if (!pts_.empty()) {
        if (number >= pts_.size()) {
          return absl::InvalidArgumentError(fmt::format(
              "{}: frame {} of a task that has {}", boxes.front().at.Words(), number, pts_.size()));
        }
        continue;
      }
      std::string& id = frames_[number];
      for (const Drawn& one : boxes) {
        if (one.frame_id.empty() || one.frame_id == id) continue;
        if (!id.empty()) {
          return absl::InvalidArgumentError(
              fmt::format("{}: is frame {} of the task {} or {}? A box was copied from one to the "
                          "other, and the task was made without labels.json, which tells",
                          one.at.Words(), number, Printable(id.substr(0, 100)),
                          Printable(one.frame_id.substr(0, 100))));
        }
        id = one.frame_id;
      }
      if (id.empty()) {
        return absl::InvalidArgumentError(
            fmt::format("{}: which frame is number {} of the task? Make tasks with the labels.json "
                        "of the export, or keep the attribute {} of a box in each frame",
                        boxes.front().at.Words(), number, kFrameAttribute));
      }
    }
    return absl::OkStatus();
  }

  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser_;
  absl::Status failed_;
  bool is_cvat_ = false;
  std::vector<std::string> path_;
  std::string text_, label_, meta_label_, attribute_;
  double width_ = 0, height_ = 0;
  std::string of_;
  std::vector<std::string> pts_;
  uint64_t frame_ = 0, boxes_ = 0;
  std::optional<Drawn> box_;
  std::map<uint64_t, std::vector<Drawn>> drawn_;
  std::map<uint64_t, std::string> frames_;  // their ids
};

class Cvat : public LabelFileFormat {
 public:
  std::string_view name() const override { return "cvat"; }
  std::string_view about() const override { return "CVAT for video 1.1, of one task or job"; }

  absl::Status Read(std::istream& file, const std::function<absl::Status(const FileLabel&)>& each,
                    uint64_t*) const override {
    Document document;
    RETURN_IF_ERROR(document.Parse(file));
    return document.Tell(each);
  }
};

}  // namespace

const LabelFileFormat& CvatLabels() {
  static const Cvat format;
  return format;
}

}  // namespace gleaner::cli
