#include "cloud/store/s3/answers.h"

#include <fmt/format.h>

#include <pugixml.hpp>

#include "common/printable.h"

namespace gleaner::cloud::s3 {
namespace {

// The root element, called `name`; empty if this isn't that.
pugi::xml_node Root(pugi::xml_document& document, std::string_view xml, const char* name) {
  if (!document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8)) {
    return {};
  }
  return document.child(name);
}

absl::Status NotThat(const char* name, std::string_view xml) {
  return absl::DataLossError(
      fmt::format("the store's answer is no {}: {}", name, Printable(xml.substr(0, 200))));
}

}  // namespace

ErrorAnswer ParseError(std::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_node root = Root(document, xml, "Error");
  return {.code = std::string(root.child_value("Code")).substr(0, 100),
          .message = std::string(root.child_value("Message")).substr(0, 200)};
}

absl::StatusOr<ListAnswer> ParseList(std::string_view xml) {
  constexpr const char* kName = "ListBucketResult";
  pugi::xml_document document;
  const pugi::xml_node root = Root(document, xml, kName);
  if (!root) return NotThat(kName, xml);
  ListAnswer answer;
  for (const pugi::xml_node object : root.children("Contents")) {
    answer.objects.push_back(
        {.key = object.child_value("Key"), .size = object.child("Size").text().as_ullong()});
  }
  if (root.child("IsTruncated").text().as_bool()) {
    answer.next = root.child_value("NextContinuationToken");
    if (answer.next.empty()) return NotThat(kName, xml);
  }
  return answer;
}

absl::StatusOr<std::string> ParseUploadId(std::string_view xml) {
  constexpr const char* kName = "InitiateMultipartUploadResult";
  pugi::xml_document document;
  std::string id = Root(document, xml, kName).child_value("UploadId");
  if (id.empty()) return NotThat(kName, xml);
  return id;
}

}  // namespace gleaner::cloud::s3
