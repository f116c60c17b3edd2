#include <fmt/format.h>

#include "cloud/dataset/export/format.h"

namespace gleaner::cloud {

const std::vector<const ExportFormat*>& ExportFormats() {
  static const std::vector<const ExportFormat*> formats = {
      &CocoFormat(), &YoloFormat(), &WebDatasetFormat(),
      &McapFormat(), &CvatFormat(), &LabelStudioFormat(),
  };
  return formats;
}

absl::StatusOr<const ExportFormat*> FindExportFormat(std::string_view name) {
  std::string known;
  for (const ExportFormat* format : ExportFormats()) {
    if (format->name() == name) return format;
    known += (known.empty() ? "" : ", ") + std::string(format->name());
  }
  return absl::InvalidArgumentError(
      fmt::format("format: there is {}, and not \"{:.40}\"", known, name));
}

std::string PlaceOf(const FrozenFrame& frame) {
  return fmt::format("{}/{}/{}-{}", SplitWord(frame.split), frame.name.camera, frame.name.clip,
                     frame.name.pts);
}

std::string Decimal(int64_t value, int64_t whole) {
  const int64_t product = value * whole;
  std::string text = fmt::format("{}.{:06}", product / kWholeSide, product % kWholeSide);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace gleaner::cloud
