#include "edge/trigger/signal.h"

namespace gleaner::edge {

double SampleValue::number() const {
  if (const double* number = std::get_if<double>(&value_)) return *number;
  if (const bool* truth = std::get_if<bool>(&value_)) return *truth ? 1 : 0;
  return std::numeric_limits<double>::quiet_NaN();
}

const std::string& SampleValue::text() const {
  static const std::string none;
  const std::string* text = std::get_if<std::string>(&value_);
  return text == nullptr ? none : *text;
}

const std::vector<LabelledBox>& SampleValue::boxes() const {
  static const std::vector<LabelledBox> none;
  const std::vector<LabelledBox>* boxes = std::get_if<std::vector<LabelledBox>>(&value_);
  return boxes == nullptr ? none : *boxes;
}

std::string_view ShortSignalName(std::string_view name) {
  constexpr std::string_view kCamera = "camera.", kSensor = "sensor.";
  if (name.starts_with(kSensor)) return name.substr(kSensor.size());
  if (!name.starts_with(kCamera)) return name;
  const size_t dot = name.find('.', kCamera.size());
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

}  // namespace gleaner::edge
