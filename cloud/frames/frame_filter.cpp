#include "cloud/frames/frame_filter.h"

#include <fmt/format.h>

#include <cmath>

#include "cloud/clips/filter_sql.h"
#include "cloud/frames/frame_rows.h"
#include "cloud/media/frame_choice.h"

namespace gleaner::cloud {
namespace {

using Key = FilterTerm::Key;

// The clips that have the camera are found by its tracks, which are fewer than frames.
std::string OwnCamera(Sql& sql, const FilterTerm& term, Parameters& parameters) {
  FilterTerm any = term;
  any.negated = false;
  const std::string clips = FilterCondition(sql, Filter{{any}}, parameters);
  std::string list;
  for (const std::string& value : term.values) {
    if (!list.empty()) list += ", ";
    list += parameters.NextName();
    parameters.Add(value);
  }
  return fmt::format("{} AND frame_video.camera IN ({})", clips, list);
}

std::string AnyBackground(const FilterTerm& term) {
  std::string any;
  for (const std::string& value : term.values) {
    const auto wanted = value == "yes"  ? v1::Frame::BACKGROUND_YES
                        : value == "no" ? v1::Frame::BACKGROUND_NO
                                        : v1::Frame::BACKGROUND_UNSPECIFIED;
    any +=
        fmt::format("{}frame.background = {}", any.empty() ? "" : " OR ", static_cast<int>(wanted));
  }
  return any;
}

std::string AnyReason(const FilterTerm& term) {
  uint32_t any = 0;
  for (const std::string& value : term.values) {
    any |= media::ReasonBit(value == "firing"     ? v1::Frame::REASON_FIRING
                            : value == "peak"     ? v1::Frame::REASON_PEAK
                            : value == "keyframe" ? v1::Frame::REASON_KEYFRAME
                                                  : v1::Frame::REASON_EVENLY);
  }
  return fmt::format("(frame.reasons & {}) <> 0", any);
}

std::string Compared(std::string_view column, const FilterTerm& term, Parameters& parameters) {
  using Comparison = FilterTerm::Comparison;
  const std::string_view comparison = term.comparison == Comparison::kLess          ? "<"
                                      : term.comparison == Comparison::kLessOrEqual ? "<="
                                      : term.comparison == Comparison::kMore        ? ">"
                                                                                    : ">=";
  std::string condition = fmt::format("frame.{} {} {}", column, comparison, parameters.NextName());
  parameters.Add(static_cast<int64_t>(std::llround(term.number * kWholeShare)));
  return condition;
}

// Empty for what is about clips.
std::string OwnCondition(Sql& sql, const FilterTerm& term, Parameters& parameters) {
  switch (term.key) {
    case Key::kCamera:
      return OwnCamera(sql, term, parameters);
    case Key::kBackground:
      return AnyBackground(term);
    case Key::kReason:
      return AnyReason(term);
    case Key::kSharpness:
      return Compared("sharpness", term, parameters);
    case Key::kExposure:
      return Compared("exposure", term, parameters);
    case Key::kClipped:
      return Compared("clipped", term, parameters);
    case Key::kBlocked:
      return Compared("blocked", term, parameters);
    case Key::kMotion:
      return Compared("motion", term, parameters);
    default:
      return "";
  }
}

}  // namespace

std::string FrameCondition(Sql& sql, const Filter& filter, Parameters& parameters) {
  std::string all;
  for (const FilterTerm& term : filter.terms) {
    if (!all.empty()) all += " AND ";
    const std::string own = OwnCondition(sql, term, parameters);
    all += own.empty() ? FilterCondition(sql, Filter{{term}}, parameters)
                       : fmt::format("{}({})", term.negated ? "NOT " : "", own);
  }
  return all.empty() ? "1 = 1" : all;
}

}  // namespace gleaner::cloud
