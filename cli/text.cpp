#include "cli/text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>

#include "common/clock.h"

namespace gleaner::cli {
namespace {

// Characters, not bytes.
size_t WidthOf(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::string HumanBytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string Ago(int64_t unix_ns, int64_t now_unix_ns) {
  if (unix_ns == 0) return "never";
  const int64_t seconds = (now_unix_ns - unix_ns) / kNanosPerSecond;
  if (seconds < 1) return "just now";
  if (seconds < 60) return fmt::format("{} s ago", seconds);
  if (seconds < 3600) return fmt::format("{} min ago", seconds / 60);
  if (seconds < 2 * 86400) return fmt::format("{} h ago", seconds / 3600);
  return fmt::format("{} d ago", seconds / 86400);
}

std::string LocalTime(int64_t unix_ns) {
  if (unix_ns == 0) return "-";
  const std::time_t seconds = unix_ns / kNanosPerSecond;
  std::tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
}

std::string Printable(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  // C1 controls (U+0080 to U+009F) as UTF-8.
  for (size_t i = 0; i + 1 < plain.size(); ++i) {
    if (plain[i] == '\xc2' && static_cast<unsigned char>(plain[i + 1]) < 0xa0) {
      plain.replace(i, 2, "?");
    }
  }
  return plain;
}

std::string Table::Render() const {
  std::vector<size_t> widths;
  for (const Column& column : columns_) widths.push_back(WidthOf(column.title));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  std::string text;
  const auto line = [&](const auto& cell_of) {
    std::string out;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string pad(widths[i] - WidthOf(cell), ' ');
      if (i > 0) out += "  ";
      out += columns_[i].right ? pad + cell : cell + pad;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + '\n';
  };
  line([this](size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) {
    line([&row](size_t i) -> const std::string& { return row[i]; });
  }
  return text;
}

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
