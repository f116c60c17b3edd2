// What a camera says over RTSP. The first byte says in what pieces it comes.
#include <algorithm>
#include <cstring>
#include <variant>

#include "edge/camera/rtsp_auth.h"
#include "edge/camera/rtsp_message.h"
#include "edge/camera/session_description.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

using edge::RtspData;
using edge::RtspMessage;
using edge::RtspReader;

std::vector<std::string> Seeds() { return {}; }

namespace {

void RequireSound(const RtspMessage& message) {
  REQUIRE((message.code >= 100 && message.code <= 999) != !message.method.empty());
  REQUIRE(message.body.size() <= RtspReader::kMaxBodyBytes);
  for (const auto& [name, value] : message.headers) REQUIRE(IsPlain(value));
  if (const auto challenge = edge::StrongestChallenge(message.Headers("www-authenticate"))) {
    const std::string answer =
        edge::Authorization(*challenge, {"user", "Pa55word"}, "PLAY", "rtsp://cam/", 1, "c");
    REQUIRE(IsPlain(answer));
    REQUIRE(answer.find("Pa55word") == std::string::npos);
    ++accepted;
  }
  if (const auto description = edge::SessionDescription::Parse(message.body); description.ok()) {
    REQUIRE(description->video.find("\nm=") == description->video.rfind("\nm="));
    REQUIRE(!edge::ResolveControl("rtsp://cam/live", description->control).empty());
    ++accepted;
  }
  edge::Parameter(message.Header("transport"), "interleaved");
}

// What comes of the bytes, in a text that tells any two results apart.
std::string Read(std::string_view bytes, size_t piece) {
  RtspReader reader;
  std::string all;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const size_t size = std::min(piece, bytes.size() - at);
    std::memcpy(reader.Space(size), bytes.data() + at, size);
    reader.Received(size);
    for (;;) {
      const auto item = reader.Next();
      if (!item.ok()) return all + "!";
      if (std::holds_alternative<std::monostate>(*item)) break;
      if (const auto* data = std::get_if<RtspData>(&*item)) {
        all.append("$").append(data->bytes);
      } else {
        const auto& message = std::get<RtspMessage>(*item);
        RequireSound(message);
        all.append(message.method).append(std::to_string(message.code)).append(message.body);
      }
    }
  }
  return all;
}

}  // namespace
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::AsText(data + 1, size - 1);
  REQUIRE(fuzz::Read(bytes, bytes.size() + 1) == fuzz::Read(bytes, 1 + data[0] % 64));
  return 0;
}
