#include "cloud/model/model_config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "absl/strings/str_split.h"
#include "cloud/model/worker_protocol.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxModels = 16;
constexpr size_t kMaxLabelsBytes = 256 << 10;
constexpr size_t kMaxVersionBytes = 40;
constexpr double kMaxMean = 1e6;

// "300x200".
void ReadInput(ConfigReader& table, ModelConfig& model) {
  const std::string text = table.RequiredString("input");
  const auto wrong = [&] {
    table.Error("input", fmt::format("must be WIDTHxHEIGHT, each 16 to {}, such as \"300x300\"",
                                     model::kMaxInputSide));
  };
  const size_t x = text.find('x');
  if (x == std::string::npos) return wrong();
  const auto number = [](std::string_view digits, uint32_t* value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *value);
    return error == std::errc() && end == digits.data() + digits.size() && *value >= 16 &&
           *value <= model::kMaxInputSide;
  };
  const std::string_view all = text;
  if (!number(all.substr(0, x), &model.width) || !number(all.substr(x + 1), &model.height)) wrong();
}

// One number for all channels, or one for each.
void ReadChannels(ConfigReader& table, std::string_view key, std::array<float, 3>* channels) {
  const std::vector<double> values = table.Numbers(key, {-kMaxMean, kMaxMean});
  if (values.empty()) return;
  if (values.size() != 1 && values.size() != 3) {
    table.Error(key, "must be one number, or one for each of three channels");
    return;
  }
  for (size_t i = 0; i < 3; ++i) {
    (*channels)[i] = static_cast<float>(values[values.size() == 1 ? 0 : i]);
  }
}

std::string WhatIsMissing(const std::string& path) {
  return fmt::format("{} isn't there; ./dev setup models makes those that third_party/models knows",
                     path);
}

void CheckModelFile(ConfigReader& table, ModelConfig& model, const std::string& wanted_sha256) {
  if (model.file.empty()) return;
  std::error_code error;
  if (!std::filesystem::exists(model.file, error)) {
    model.missing = WhatIsMissing(model.file);
    table.Warn("file", fmt::format("{}: the model {} doesn't run", model.missing, model.name));
    return;
  }
  if (!table.CheckFile("file", model.file)) return;
  const auto size = std::filesystem::file_size(model.file, error);
  if (error || size == 0 || size > model::kMaxModelBytes) {
    table.Error("file", fmt::format("{} has {} bytes; a model has 1 to {}", model.file,
                                    error ? 0 : size, model::kMaxModelBytes));
    return;
  }
  if (wanted_sha256.empty()) return;
  const auto bytes = ReadFile(model.file, model::kMaxModelBytes);
  const std::string found = bytes.ok() ? Hex(AsBytes(Sha256::Of(*bytes))) : "";
  if (found != wanted_sha256) {
    table.Error("sha256", fmt::format("{} is another file: its SHA-256 is {}", model.file, found));
  }
}

void ReadLabels(ConfigReader& table, ModelConfig& model) {
  const std::string path = table.RequiredPath("labels");
  if (path.empty()) return;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    if (model.missing.empty()) model.missing = WhatIsMissing(path);
    table.Warn("labels",
               fmt::format("{}: the model {} doesn't run", WhatIsMissing(path), model.name));
    return;
  }
  const auto text = ReadFile(path, kMaxLabelsBytes);
  if (!text.ok()) {
    table.Error("labels", Message(text.status()));
    return;
  }
  for (const auto line : absl::StrSplit(absl::string_view(text->data(), text->size()), '\n')) {
    const absl::string_view label = absl::StripAsciiWhitespace(line);
    if (!label.empty()) model.labels.emplace_back(label.data(), label.size());
  }
  if (model.labels.empty() || model.labels.size() > model::kMaxLabels) {
    table.Error("labels", fmt::format("{} names {} classes; 1 to {} are allowed", path,
                                      model.labels.size(), model::kMaxLabels));
  }
}

// "Box=box": what the model calls so is that class of the schema.
void ReadClasses(ConfigReader& table, ModelConfig& model) {
  for (const std::string& text : table.Strings("classes")) {
    const size_t sign = text.rfind('=');
    const std::string label = text.substr(0, sign);
    const std::string name = sign == std::string::npos ? "" : text.substr(sign + 1);
    if (label.empty() || !IsName(name)) {
      table.Error("classes", fmt::format("\"{}\" must be LABEL=CLASS; CLASS: {}", text, kNameRule));
    } else if (!model.labels.empty() &&
               std::find(model.labels.begin(), model.labels.end(), label) == model.labels.end()) {
      table.Error("classes", fmt::format("{} is none of the model's labels", label));
    } else if (!model.classes.emplace(label, name).second) {
      table.Error("classes", fmt::format("{} is there twice", label));
    }
  }
  if (model.classes.empty()) table.Error("classes", "1 at least, such as [\"Box=box\"]");
}

// What the name of a layer may be.
std::string ReadLayer(ConfigReader& table, std::string_view key, const std::string& fallback) {
  std::string name = table.String(key, fallback);
  if (name.size() > model::kMaxLayerBytes) {
    table.Error(key, fmt::format("at most {} bytes", model::kMaxLayerBytes));
  }
  return name;
}

ModelConfig ReadModel(ConfigReader& table) {
  ModelConfig model;
  model.name = table.RequiredString("name");
  if (!model.name.empty() && !IsName(model.name)) table.Error("name", kNameRule);
  model.version = table.RequiredString("version");
  const auto is_plain = [](char c) { return c > ' ' && c <= '~'; };
  if (model.version.size() > kMaxVersionBytes ||
      !std::all_of(model.version.begin(), model.version.end(), is_plain)) {
    table.Error("version",
                fmt::format("1 to {} letters, digits and signs, no spaces", kMaxVersionBytes));
  }
  const std::string kind = table.RequiredString("kind");
  if (kind == "embedding") {
    model.kind = ModelKind::kEmbedding;
  } else if (kind != "ssd" && !kind.empty()) {
    table.Error("kind", "must be ssd or embedding");
  }
  model.file = table.RequiredPath("file");
  CheckModelFile(table, model, table.String("sha256", ""));
  ReadInput(table, model);
  const std::string colours = table.String("colours", "rgb");
  model.rgb = colours == "rgb";
  if (colours != "rgb" && colours != "bgr") table.Error("colours", "must be rgb or bgr");
  ReadChannels(table, "mean", &model.mean);
  ReadChannels(table, "scale", &model.scale);
  model.embedding = ReadLayer(table, "embedding", "");
  if (model.kind == ModelKind::kEmbedding) {
    if (model.embedding.empty()) table.Error("embedding", "the name of the layer is needed");
    return model;
  }
  model.scores = ReadLayer(table, "scores", model.scores);
  model.boxes = ReadLayer(table, "boxes", model.boxes);
  model.threshold = table.Number("threshold", model.threshold, {0.01, 1});
  ReadLabels(table, model);
  model.schema = table.RequiredString("schema");
  if (!model.schema.empty() && !IsName(model.schema)) table.Error("schema", kNameRule);
  ReadClasses(table, model);
  return model;
}

}  // namespace

std::string_view WordOf(ModelKind kind) { return kind == ModelKind::kSsd ? "ssd" : "embedding"; }

ModelsConfig ReadModels(ConfigReader& root, const std::string& program_dir) {
  ModelsConfig config;
  ConfigReader table = root.Table("models");
  config.at_once = static_cast<size_t>(table.Int("at_once", 1, {1, 16}));
  config.cpu_ns =
      table.DurationNs("timeout", 120 * kNanosPerSecond, {kNanosPerSecond, 3600 * kNanosPerSecond});
  config.memory_bytes = static_cast<uint64_t>(
      table.Bytes("memory", int64_t{1} << 30, {int64_t{256} << 20, int64_t{64} << 30}));
  config.worker = table.Path(
      "worker", (std::filesystem::path(program_dir) / "gleaner-model").lexically_normal().string());
  std::set<std::string> names;
  for (ConfigReader& one : root.Tables("model")) {
    ModelConfig model = ReadModel(one);
    if (!names.insert(model.name).second) one.Error("name", model.name + " is there twice");
    config.models.push_back(std::move(model));
  }
  if (config.models.size() > kMaxModels) {
    table.Error("at_once", fmt::format("at most {} models", kMaxModels));
  }
  if (!config.models.empty() && ::access(config.worker.c_str(), X_OK) != 0) {
    const std::string why = fmt::format(
        "{} is not a program that can be run: the package gleaner-model brings it", config.worker);
    table.Warn("worker", why + "; no model runs");
    for (ModelConfig& model : config.models) {
      if (model.missing.empty()) model.missing = why;
    }
  }
  return config;
}

}  // namespace gleaner::cloud
