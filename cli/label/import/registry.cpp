#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "cli/label/import/label_file.h"
#include "common/name.h"
#include "common/printable.h"

namespace gleaner::cli {

const std::vector<const LabelFileFormat*>& LabelFileFormats() {
  static const std::vector<const LabelFileFormat*> formats = {
      &CvatLabels(),
      &LabelStudioLabels(),
  };
  return formats;
}

absl::StatusOr<const LabelFileFormat*> FindLabelFileFormat(std::string_view name) {
  std::string known;
  for (const LabelFileFormat* format : LabelFileFormats()) {
    if (format->name() == name) return format;
    known += (known.empty() ? "" : " or ") + std::string(format->name());
  }
  return absl::InvalidArgumentError(
      fmt::format("--format: {}, and not \"{}\"", known, Printable(name.substr(0, 40))));
}

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string_view WithoutBlanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t from = text.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) + 1 - from);
}

bool TakePrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

bool ParseFrameId(std::string_view text, FileLabel* label) {
  const size_t first = text.find('/'), second = text.find('/', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return false;
  const std::string_view clip = text.substr(0, first),
                         camera = text.substr(first + 1, second - first - 1),
                         pts = text.substr(second + 1);
  if (clip.empty() || clip.size() > 40 ||
      clip.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz-") != std::string_view::npos ||
      !IsName(camera)) {
    return false;
  }
  const char* end = pts.data() + pts.size();
  const auto [stopped, error] = std::from_chars(pts.data(), end, label->pts);
  if (error != std::errc() || stopped != end) return false;
  label->clip = clip;
  label->camera = camera;
  return true;
}

bool PlaceBox(double left, double top, double right, double bottom, double slack_x, double slack_y,
              FileBox* box) {
  for (const double edge : {left, top, right, bottom}) {
    if (!std::isfinite(edge)) return false;
  }
  if (left < -slack_x || right > 1 + slack_x || top < -slack_y || bottom > 1 + slack_y)
    return false;
  box->x = std::clamp(left, 0.0, 1.0);
  box->y = std::clamp(top, 0.0, 1.0);
  box->width = std::min(right, 1.0) - box->x;
  box->height = std::min(bottom, 1.0) - box->y;
  // Sums of what was subtracted may be a little more than 1 again.
  while (box->x + box->width > 1) box->width = std::nextafter(box->width, 0.0);
  while (box->y + box->height > 1) box->height = std::nextafter(box->height, 0.0);
  return box->width > 0 && box->height > 0;
}

}  // namespace gleaner::cli
