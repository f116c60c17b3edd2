// [[model]] and [models] of the configuration: which models look at frames.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/config.h"

namespace gleaner::cloud {

enum class ModelKind : uint32_t {
  kSsd = 1,        // boxes and scores, and if it says so an embedding
  kEmbedding = 2,  // an embedding alone
};
std::string_view WordOf(ModelKind kind);

struct ModelConfig {
  std::string name, version;
  ModelKind kind = ModelKind::kSsd;
  std::string file;  // ONNX
  // The picture as the model wants it: stretched to this size, in this order of colours, each
  // channel (value - mean) * scale.
  uint32_t width = 0, height = 0;
  bool rgb = true;
  std::array<float, 3> mean{}, scale{1, 1, 1};
  // Names of layers. Scores are 1 x anchors x labels, boxes 1 x anchors x 4: left, top, right,
  // bottom, from 0 to 1.
  std::string scores = "scores", boxes = "boxes";
  std::string embedding;  // empty: none

  std::vector<std::string> labels;
  double threshold = 0.3;
  // Into which it predicts, empty for none; by label the name of a class.
  std::string schema;
  std::map<std::string, std::string> classes;

  // Why it can't run, in a sentence; empty where it can.
  std::string missing;
};

struct ModelsConfig {
  std::vector<ModelConfig> models;
  std::string worker;         // the program
  size_t at_once = 1;         // of each model
  int64_t cpu_ns = 0;         // for the frames of a clip
  uint64_t memory_bytes = 0;  // that a worker may use, the libraries' own not counted
};

// A file that isn't there is a warning and makes the model one that can't run; what can't be right
// is a mistake.
ModelsConfig ReadModels(ConfigReader& root, const std::string& program_dir);

}  // namespace gleaner::cloud
