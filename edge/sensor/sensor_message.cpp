#include "edge/sensor/sensor_message.h"

#include <charconv>
#include <cmath>

#include "common/name.h"

namespace gleaner::edge {
namespace {

// The whole of `text`, and nothing else, as a number.
template <typename Number>
bool Parse(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view NextWord(std::string_view* text) {
  const size_t end = text->find(' ');
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return word;
}

}  // namespace

bool ParseSensorMessage(std::string_view text, SensorMessage* message) {
  if (text.size() > kMaxSensorMessageBytes) return false;
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with(' ')) return false;
  SensorMessage read;
  read.name = NextWord(&text);
  if (!IsName(read.name)) return false;
  std::string_view word;
  const auto next = [&] {
    word = NextWord(&text);
    return !word.empty();
  };
  while (!text.empty()) {
    if (!next()) return false;
    if (word[0] == '@' || word[0] == '!') break;
    if (read.count == kMaxComponents || !Parse(word, &read.numbers[read.count]) ||
        !std::isfinite(read.numbers[read.count])) {
      return false;
    }
    ++read.count;
    word = {};
  }
  if (word.starts_with('@')) {
    if (!Parse(word.substr(1), &read.monotonic_ns) || read.monotonic_ns < 0) return false;
    word = {};
    if (!text.empty() && !next()) return false;
  }
  if (word.starts_with('!')) {
    if (!Parse(word.substr(1), &read.lost)) return false;
    word = {};
  }
  if (!word.empty() || !text.empty()) return false;
  *message = read;
  return true;
}

}  // namespace gleaner::edge
