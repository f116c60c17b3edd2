// YOLO: one tar with data.yaml, images/ and labels/, a row "class cx cy width height" for each box,
// in shares of the picture. A frame in which nothing is has an empty file, so that no reader takes
// it for one that nobody looked at.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cloud/dataset/export/format.h"
#include "cloud/dataset/export/tar_writer.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 3> kYoloWords = {"train", "val", "test"};

// A share that is given in half millionths: 7 places.
std::string HalfShare(int64_t halves) {
  return fmt::format("{}.{:07}", halves / (2 * kWholeSide), halves % (2 * kWholeSide) * 5);
}

class Yolo : public ExportFormat {
 public:
  std::string_view name() const override { return "yolo"; }
  std::string_view about() const override { return "a tar with data.yaml, images/ and labels/"; }

  bool has_whole_frames() const override { return false; }
  absl::Status Write(const ExportSource& source, ExportFiles& files) const override {
    RETURN_IF_ERROR(files.Begin(source.name + "-yolo.tar", "application/x-tar"));
    TarWriter tar(files);
    std::map<std::string, size_t> numbers;
    std::string yaml = "path: .\n";
    for (const Split split : source.splits) {
      yaml +=
          fmt::format("{}: images/{}\n", kYoloWords[static_cast<size_t>(split)], SplitWord(split));
    }
    yaml += source.head.classes.empty() ? "names: {}\n" : "names:\n";
    for (const std::string& name : source.head.classes) {
      // Quoted: a class may be called "no" or "12".
      yaml += fmt::format("  {}: \"{}\"\n", numbers.size(), name);
      numbers.emplace(name, numbers.size());
    }
    RETURN_IF_ERROR(tar.Add("data.yaml", yaml));
    RETURN_IF_ERROR(source.walk([&](const FrozenFrame& frame) -> absl::Status {
      std::string rows;
      for (const FrozenBox& box : frame.boxes) {
        const auto number = numbers.find(box.class_name);
        if (number == numbers.end()) {
          return absl::DataLossError(fmt::format("the list's head lacks class {}", box.class_name));
        }
        rows += fmt::format("{} {} {} {} {}\n", number->second, HalfShare(2 * box.x + box.width),
                            HalfShare(2 * box.y + box.height), HalfShare(2 * box.width),
                            HalfShare(2 * box.height));
      }
      ASSIGN_OR_RETURN(const std::string jpeg, source.picture(frame));
      RETURN_IF_ERROR(tar.Add(fmt::format("images/{}.jpg", PlaceOf(frame)), jpeg));
      return tar.Add(fmt::format("labels/{}.txt", PlaceOf(frame)), rows);
    }));
    return tar.Finish();
  }
};

}  // namespace

const ExportFormat& YoloFormat() {
  static const Yolo format;
  return format;
}

}  // namespace gleaner::cloud
