#include "cli/sparkline.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gleaner::cli {

std::string Sparkline(const std::vector<int64_t>& offset_us, const std::vector<double>& value,
                      int64_t start_us, int64_t end_us, size_t width) {
  static constexpr const char* kHeights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  if (value.empty() || end_us <= start_us) return std::string(width, ' ');
  std::vector<double> bars(width, kNone);
  for (size_t i = 0; i < value.size(); ++i) {
    // A value holds until the next point.
    const int64_t until = i + 1 < offset_us.size() ? offset_us[i + 1] : end_us;
    if (until <= start_us || offset_us[i] >= end_us) continue;
    const auto bar_of = [&](int64_t at) {
      const double part =
          static_cast<double>(at - start_us) / static_cast<double>(end_us - start_us);
      return static_cast<size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(width));
    };
    const size_t first = std::min(bar_of(offset_us[i]), width - 1);
    const size_t last = std::min(bar_of(std::max(until - 1, offset_us[i])), width - 1);
    for (size_t bar = first; bar <= last; ++bar) bars[bar] = std::max(bars[bar], value[i]);
  }
  const auto [low_at, high_at] = std::minmax_element(value.begin(), value.end());
  const double low = std::min(0.0, *low_at), span = *high_at - low;
  std::string text;
  for (const double bar : bars) {
    if (bar == kNone) {
      text += ' ';
    } else {
      const double height = span > 0 ? (bar - low) / span : 0;
      text += kHeights[static_cast<size_t>(std::lround(height * 7))];
    }
  }
  return text;
}

}  // namespace gleaner::cli
