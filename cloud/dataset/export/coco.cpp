// COCO: one tar with annotations/instances_SPLIT.json and the pictures they name. Boxes are [x, y,
// width, height] in pixels from the top left corner; ids count up from 1 over all splits. What COCO
// has no field for is in each image's "gleaner": the frame's name, whole-frame classes, text and
// attributes.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cloud/dataset/export/format.h"
#include "cloud/dataset/export/tar_writer.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;

constexpr size_t kPieceBytes = 1 << 20;

class Coco : public ExportFormat {
 public:
  std::string_view name() const override { return "coco"; }
  std::string_view about() const override {
    return "a tar with annotations/instances_SPLIT.json and pictures";
  }

  absl::Status Write(const ExportSource& source, ExportFiles& files) const override {
    RETURN_IF_ERROR(files.Begin(source.name + "-coco.tar", "application/x-tar"));
    TarWriter tar(files);
    uint64_t image = 0, annotation = 0;
    for (const Split split : source.splits) {
      ASSIGN_OR_RETURN(SpoolFile text, source.spool());
      RETURN_IF_ERROR(Describe(source, split, &image, &annotation, text));
      RETURN_IF_ERROR(text.End());
      RETURN_IF_ERROR(
          tar.Begin(fmt::format("annotations/instances_{}.json", SplitWord(split)), text.size()));
      std::string piece;
      for (uint64_t at = 0; at < text.size(); at += piece.size()) {
        RETURN_IF_ERROR(text.Read(at, kPieceBytes, &piece));
        RETURN_IF_ERROR(tar.Append(piece));
      }
      RETURN_IF_ERROR(tar.End());
    }
    RETURN_IF_ERROR(source.walk([&](const FrozenFrame& frame) -> absl::Status {
      ASSIGN_OR_RETURN(const std::string jpeg, source.picture(frame));
      return tar.Add(PlaceOf(frame) + ".jpg", jpeg);
    }));
    return tar.Finish();
  }

 private:
  static absl::Status Describe(const ExportSource& source, Split split, uint64_t* image,
                               uint64_t* annotation, SpoolFile& text) {
    json categories = json::array();
    std::map<std::string, size_t> ids;
    for (const std::string& name : source.head.classes) {
      ids.emplace(name, ids.size() + 1);
      categories.push_back({{"id", ids.size()}, {"name", name}, {"supercategory", ""}});
    }
    const json info = {{"description", source.name}, {"version", "1"}};
    RETURN_IF_ERROR(
        text.Append(fmt::format("{{\"info\":{},\"licenses\":[],\"categories\":{},\n\"images\":[",
                                info.dump(), categories.dump())));
    uint64_t number = *image;
    RETURN_IF_ERROR(source.walk([&](const FrozenFrame& frame) -> absl::Status {
      if (frame.split != split) return absl::OkStatus();
      const json one = {{"id", ++number},
                        {"file_name", PlaceOf(frame) + ".jpg"},
                        {"width", frame.width},
                        {"height", frame.height},
                        {"gleaner",
                         {{"clip", frame.name.clip},
                          {"camera", frame.name.camera},
                          {"pts", frame.name.pts},
                          {"classes", frame.classes},
                          {"text", frame.text},
                          {"attributes", frame.attributes}}}};
      return text.Append((number == *image + 1 ? "\n" : ",\n") + one.dump());
    }));
    RETURN_IF_ERROR(text.Append("],\n\"annotations\":["));
    uint64_t of_image = *image;
    bool first = true;
    RETURN_IF_ERROR(source.walk([&](const FrozenFrame& frame) -> absl::Status {
      if (frame.split != split) return absl::OkStatus();
      ++of_image;
      for (const FrozenBox& box : frame.boxes) {
        const auto category = ids.find(box.class_name);
        if (category == ids.end()) {
          return absl::DataLossError(fmt::format("the list's head lacks class {}", box.class_name));
        }
        // Pixels are exact: millionths times whole pixels.
        const std::string x = Decimal(box.x, frame.width), y = Decimal(box.y, frame.height),
                          w = Decimal(box.width, frame.width),
                          h = Decimal(box.height, frame.height);
        RETURN_IF_ERROR(text.Append(fmt::format(
            "{}{{\"id\":{},\"image_id\":{},\"category_id\":{},\"bbox\":[{},{},{},{}],\"area\":{},"
            "\"iscrowd\":0,\"segmentation\":[],\"attributes\":{}}}",
            first ? "\n" : ",\n", ++*annotation, of_image, category->second, x, y, w, h,
            Decimal((box.width * frame.width / 1000) * (box.height * frame.height / 1000)),
            json(box.attributes).dump())));
        first = false;
      }
      return absl::OkStatus();
    }));
    *image = number;
    return text.Append("]}\n");
  }
};

}  // namespace

const ExportFormat& CocoFormat() {
  static const Coco format;
  return format;
}

}  // namespace gleaner::cloud
