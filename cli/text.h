// Numbers, times and tables for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gleaner::cli {

// "312 B", "1.2 MiB".
std::string HumanBytes(uint64_t bytes);
// "12 s ago", "3 min ago", "5 h ago", "2 d ago"; "never" for 0, "just now" within a second and for
// the near future.
std::string Ago(int64_t unix_ns, int64_t now_unix_ns);
// "2026-11-22 17:58:03" in the viewer's time zone; "-" for 0.
std::string LocalTime(int64_t unix_ns);
// What a terminal would act on (escapes, line ends) becomes "?": names and sentences here come from
// devices.
std::string Printable(std::string_view text);

// A table with a head and columns as wide as they need; the last line has no trailing blanks.
class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;  // numbers
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as columns.
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string Render() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// A step function in one line of eight heights: each character is the largest value in its part of
// [start, end). Blank where there is none yet. `offset_us` ascends and has as many entries as
// `value`.
std::string Sparkline(const std::vector<int64_t>& offset_us, const std::vector<double>& value,
                      int64_t start_us, int64_t end_us, size_t width);

}  // namespace gleaner::cli
