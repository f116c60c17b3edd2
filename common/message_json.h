// Messages as JSON for people and programs, as the API writes it. Needs gleaner_proto.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/status.h"
#include "common/text.h"
#include "gleaner/v1/common.pb.h"
#include "google/protobuf/util/json_util.h"

namespace gleaner {

// Protobuf's mapping (lowerCamelCase names, 64-bit numbers as strings, bytes in base64), an object
// of several lines. With `zeros` fields that are 0 or empty are there, too.
inline std::string ToJson(const google::protobuf::Message& message, bool zeros = true) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = zeros;
  std::string json;
  // A message that holds text holds UTF-8, so nothing can go wrong.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  while (json.ends_with('\n')) json.pop_back();
  // Protobuf writes < and > for web pages; rules are full of them.
  std::string plain;
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string_view rest = std::string_view(json).substr(i);
    if (rest.starts_with("\\u003c") || rest.starts_with("\\u003e")) {
      plain += rest[5] == 'c' ? '<' : '>';
      i += 5;
    } else {
      plain += rest[0];
      if (rest[0] == '\\') plain += json[++i];  // what it escapes is not looked at
    }
  }
  return plain;
}

// {"code": "not_found", "message": "…"}: what a command prints when it fails.
inline std::string ErrorJson(const absl::Status& status) {
  std::string code = absl::StatusCodeToString(status.code());
  if (absl::IsCancelled(status)) code = "CANCELED";  // as Connect spells it
  std::transform(code.begin(), code.end(), code.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  v1::CommandError error;
  error.set_code(code);
  error.set_message(ValidUtf8(Message(status)));
  return ToJson(error);
}

}  // namespace gleaner
