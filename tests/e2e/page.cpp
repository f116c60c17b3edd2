#include "tests/e2e/page.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <sstream>

#include "absl/strings/escaping.h"
#include "common/digest.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::e2e {

int64_t Number(const nlohmann::json& object, const std::string& field) {
  const auto at = object.find(field);
  if (at == object.end()) return 0;
  return at->is_string() ? std::stoll(at->get<std::string>()) : at->get<int64_t>();
}

nlohmann::json Page::Call(const std::string& method, const nlohmann::json& request) {
  httplib::Client client("127.0.0.1", http_port_);
  client.set_read_timeout(20);
  const auto response = client.Post(("/gleaner.v1.CatalogService/" + method).c_str(),
                                    request.dump(), "application/json");
  if (!response) {
    ADD_FAILURE() << method << ": no answer";
    return {};
  }
  EXPECT_EQ(response->status, 200) << method << ": " << response->body;
  return nlohmann::json::parse(response->body, nullptr, false);
}

std::optional<std::pair<int, std::string>> Page::Get(const std::string& path) {
  httplib::Client client("127.0.0.1", http_port_);
  client.set_read_timeout(20);
  const auto response = client.Get(path.c_str());
  if (!response) return std::nullopt;
  return std::make_pair(response->status, response->body);
}

std::vector<nlohmann::json> Page::Clips() {
  std::vector<nlohmann::json> clips;
  std::string token;
  do {
    const nlohmann::json page = Call("ListClips", {{"pageSize", 500}, {"pageToken", token}});
    for (const auto& clip : page.value("clips", nlohmann::json::array())) clips.push_back(clip);
    token = page.value("nextPageToken", "");
  } while (!token.empty());
  return clips;
}

nlohmann::json Page::Device(const std::string& name) {
  const nlohmann::json list = Call("ListDevices", nlohmann::json::object());
  for (const auto& device : list.value("devices", nlohmann::json::array())) {
    if (device.value("name", "") == name) return device;
  }
  return nlohmann::json::object();
}

double Page::Metric(const std::string& prefix) {
  const auto metrics = Get("/metrics");
  double sum = 0;
  if (!metrics) return sum;
  std::istringstream lines(metrics->second);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(prefix, 0) == 0) sum += std::stod(line.substr(line.rfind(' ') + 1));
  }
  return sum;
}

std::vector<std::string> Page::DigestProblems(const std::string& id) {
  std::vector<std::string> problems;
  const auto expect = [&](bool holds, const std::string& what) {
    if (!holds) problems.push_back(id + ": " + what);
    return holds;
  };
  const auto manifest = Get("/media/" + id + "/manifest");
  v1::ClipManifest parsed;
  if (!expect(manifest && manifest->first == 200 && parsed.ParseFromString(manifest->second),
              "no readable manifest")) {
    return problems;
  }
  // The catalog's word for the digest (base64 in JSON) against the bytes handed out.
  std::string stored;
  absl::Base64Unescape(Call("GetClip", {{"id", id}}).value("manifestSha256", ""), &stored);
  expect(stored == AsBytes(Sha256::Of(manifest->second)), "the manifest is not what was committed");

  int videos = 0;
  for (const v1::ClipObject& object : parsed.objects()) {
    const std::string name = object.kind() == v1::ClipObject::KIND_VIDEO
                                 ? fmt::format("video/{}", videos++)
                             : object.kind() == v1::ClipObject::KIND_PREVIEW ? "preview"
                                                                             : "samples";
    const auto body = Get(fmt::format("/media/{}/{}", id, name));
    if (!expect(body && body->first == 200, name + " is not served")) continue;
    expect(body->second.size() == object.size_bytes(), name + " has another size");
    expect(AsBytes(Sha256::Of(body->second)) == object.sha256(), name + " has another digest");
  }
  expect(videos == parsed.video_size(), "tracks and video objects differ in number");
  return problems;
}

}  // namespace gleaner::e2e
