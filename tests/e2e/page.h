// What a server's page and `gleaner` see, by the same API.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gleaner::e2e {

// Fails the test on anything but an answer, unless it says otherwise.
class Page {
 public:
  // Of the server at this port of loopback, once it runs.
  explicit Page(int http_port) : http_port_(http_port) {}

  int http_port() const { return http_port_; }

  // POST /gleaner.v1.CatalogService/`method`. Fails the test on anything but 200.
  nlohmann::json Call(const std::string& method,
                      const nlohmann::json& request = nlohmann::json::object());
  // GET; nullopt when there is no answer.
  std::optional<std::pair<int, std::string>> Get(const std::string& path);
  // Every clip in the catalog, through all pages.
  std::vector<nlohmann::json> Clips();
  // The device's entry in ListDevices; empty when it isn't there.
  nlohmann::json Device(const std::string& name);
  // The sum of a metric's samples whose name and labels start with `prefix`.
  double Metric(const std::string& prefix);

  // Downloads a clip and says what is wrong with it: the manifest's digest, every object's size and
  // digest.
  std::vector<std::string> DigestProblems(const std::string& id);

 private:
  int http_port_;
};

// The number in a JSON field of protobuf's mapping: 64-bit numbers are strings there, and a field
// at its default is absent.
int64_t Number(const nlohmann::json& object, const std::string& field);

}  // namespace gleaner::e2e
