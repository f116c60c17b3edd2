#include "edge/camera/rtsp_message.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxHeaders = 100;
constexpr size_t kFrameHeaderBytes = 4;  // "$", channel, length
constexpr std::string_view kVersion = "RTSP/1.";

std::string_view Trim(std::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace({text.data(), text.size()});
  return {trimmed.data(), trimmed.size()};
}

// Parts of what a camera says go into requests to it, each of them on a line.
std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(),
      [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }, ' ');
  return line;
}

std::string Lower(std::string_view text) {
  return absl::AsciiStrToLower({text.data(), text.size()});
}

// What a message begins with: a response's version, or a method and a space.
constexpr std::array<std::string_view, 9> kBeginnings = {
    kVersion,    "OPTIONS ",  "GET_PARAMETER ", "SET_PARAMETER ", "ANNOUNCE ",
    "REDIRECT ", "TEARDOWN ", "DESCRIBE ",      "PLAY "};

// Whether what begins with `text` is, or with more bytes may be, a message.
bool MayBeMessage(std::string_view text) {
  return std::any_of(kBeginnings.begin(), kBeginnings.end(), [text](std::string_view beginning) {
    return text.starts_with(beginning) || beginning.starts_with(text);
  });
}

}  // namespace

std::string_view RtspMessage::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::vector<std::string> RtspMessage::Headers(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : headers) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::optional<std::string> Parameter(std::string_view header, std::string_view key) {
  for (size_t begin = 0; begin <= header.size();) {
    const size_t end = std::min(header.find(';', begin), header.size());
    const std::string_view item = Trim(header.substr(begin, end - begin));
    const size_t equals = std::min(item.find('='), item.size());
    const std::string_view name = Trim(item.substr(0, equals));
    if (absl::EqualsIgnoreCase({name.data(), name.size()}, {key.data(), key.size()})) {
      std::string_view value = equals < item.size() ? Trim(item.substr(equals + 1)) : "";
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      return std::string(value);
    }
    begin = end + 1;
  }
  return std::nullopt;
}

char* RtspReader::Space(size_t size) {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < end_ + size) buffer_.resize(end_ + size);
  return buffer_.data() + end_;
}

absl::StatusOr<std::variant<std::monostate, RtspMessage, RtspData>> RtspReader::Next() {
  using Item = std::variant<std::monostate, RtspMessage, RtspData>;
  for (;; ++begin_) {
    const std::string_view text = unread();
    if (text.empty()) return Item();
    if (text.front() == '$') {
      if (text.size() < kFrameHeaderBytes) return Item();
      const size_t size = static_cast<uint8_t>(text[2]) << 8 | static_cast<uint8_t>(text[3]);
      if (text.size() < kFrameHeaderBytes + size) return Item();
      begin_ += kFrameHeaderBytes + size;
      garbage_ = 0;
      return Item(RtspData{static_cast<uint8_t>(text[1]), text.substr(kFrameHeaderBytes, size)});
    }
    if (MayBeMessage(text)) {
      ASSIGN_OR_RETURN(std::optional<RtspMessage> message, NextMessage());
      if (!message) return Item();
      garbage_ = 0;
      spoken_ = true;
      return Item(*std::move(message));
    }
    const bool blank = text.front() == '\r' || text.front() == '\n';
    if (++garbage_ > (spoken_ ? kMaxGarbageBytes : 0) && !blank) {
      return absl::DataLossError("answers, but not in RTSP");
    }
  }
}

absl::StatusOr<std::optional<RtspMessage>> RtspReader::NextMessage() {
  const std::string_view text = unread();
  // Lines may end with a line feed alone.
  size_t head = 0;
  for (size_t at = 0; head == 0;) {
    const size_t end = text.find('\n', at);
    if (end == std::string_view::npos) break;
    if (Trim(text.substr(at, end - at)).empty() && at > 0) head = end + 1;
    at = end + 1;
  }
  if (head == 0 || head > kMaxHeaderBytes) {
    if (text.size() <= kMaxHeaderBytes) return std::nullopt;
    return absl::DataLossError("sent a message whose headers have no end");
  }

  RtspMessage message;
  size_t at = text.find('\n') + 1;
  const std::string_view first = Trim(text.substr(0, at));
  const std::string_view second = Trim(first.substr(std::min(first.find(' '), first.size())));
  if (first.starts_with(kVersion)) {
    const std::string_view digits = second.substr(0, second.find(' '));
    if (digits.size() != 3 || !absl::SimpleAtoi({digits.data(), digits.size()}, &message.code) ||
        message.code < 100) {
      return absl::DataLossError("sent a response without a status");
    }
  } else {
    message.method = first.substr(0, first.find(' '));
  }
  while (at < head && message.headers.size() < kMaxHeaders) {
    const size_t end = text.find('\n', at);
    const std::string_view line = text.substr(at, end - at);
    const bool folded = line.starts_with(' ') || line.starts_with('\t');
    if (folded && !message.headers.empty()) {
      message.headers.back().second += fmt::format(" {}", OneLine(Trim(line)));
    } else if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
      message.headers.emplace_back(Lower(Trim(line.substr(0, colon))),
                                   OneLine(Trim(line.substr(colon + 1))));
    }
    at = end + 1;
  }

  size_t body = 0;
  if (const std::string_view length = message.Header("content-length"); !length.empty()) {
    if (!absl::SimpleAtoi({length.data(), length.size()}, &body) || body > kMaxBodyBytes) {
      return absl::DataLossError("sent a message with a body of no sensible length");
    }
  }
  if (text.size() < head + body) return std::nullopt;
  message.body = text.substr(head, body);
  begin_ += head + body;
  return message;
}

}  // namespace gleaner::edge
