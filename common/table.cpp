#include "common/table.h"

#include <algorithm>
#include <string_view>

namespace gleaner {
namespace {

// Characters, not bytes.
size_t WidthOf(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

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

}  // namespace gleaner
